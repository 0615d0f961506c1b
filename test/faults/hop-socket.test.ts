/** The hop over WebSockets to two poolers, with faults on the way: nothing runs twice, and what is said not to have run has not. */
import { afterEach, expect, test } from 'vitest';
import { HopServer } from '../../pooler/hop/server.ts';
import { Memory } from '../../pooler/memory.ts';
import { transactionRequest } from '../../shared/hop/request.fixture.ts';
import type { TransactionOutcome } from '../../shared/hop/types.ts';
import { emptySnapshot } from '../../shared/snapshot/snapshot.fixture.ts';
import { BalancedHop } from '../../worker/hop/balanced.ts';
import { Pooler } from '../../worker/hop/poolers.ts';
import { SocketHop } from '../../worker/hop/socket.ts';
import { SOCKET_TIMES } from '../../worker/hop/socket-connection.ts';
import { listening } from '../listening.ts';
import { Progress, patience, SEED, share } from './amount.ts';
import { FaultProxy } from './proxy.ts';
import { Random } from './random.ts';

const secret = 's'.repeat(32);
const RUNS = share(0.06);

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const FAULTS = ['delay', 'reset', 'bytes', 'cut', 'half-close', 'freeze'] as const;

/** What a transaction gives: its nonce, and as much behind it as its head asks for. */
const expected = (nonce: string, padding: number): Buffer => Buffer.from(`${nonce} ${'x'.repeat(padding)}`);

function answerTo(nonce: string, padding: number, streams: boolean): TransactionOutcome {
  const bytes = expected(nonce, padding);
  const facts = {
    ok: true,
    snapshot: '1-v',
    statements: [{ rows: 1, columns: [nonce] }],
    length: bytes.length,
  } as const;
  if (!streams) return { ...facts, body: new Uint8Array(bytes) };
  let at = 0;
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      controller.enqueue(new Uint8Array(bytes.subarray(at, at + 10_000)));
      at += 10_000;
      if (at >= bytes.length) controller.close();
    },
  });
  return { ...facts, body };
}

/** A pooler that counts what it runs, behind a proxy. */
async function startPooler(random: Random, runs: Map<string, number>): Promise<{ proxy: FaultProxy; hop: SocketHop }> {
  const loaded = { snapshot: emptySnapshot(), keys: null };
  const server = new HopServer({
    hop: {
      transaction: async ({ path, schema, timezone }, payload) => {
        runs.set(path, (runs.get(path) ?? 0) + 1);
        // The payload that came is the one that was sent, and all of it.
        const length = Array.isArray(payload) ? payload.reduce((sum, piece) => sum + piece.length, 0) : 0;
        expect(length).toBe(Number(schema));
        if (random.chance(0.3)) await new Promise((resolve) => setTimeout(resolve, random.below(5)));
        return answerTo(path, Number(timezone), random.chance(0.5));
      },
    },
    secrets: [secret],
    limits: { head: 100_000, payload: 1_000_000 },
    memory: new Memory(1024 ** 3),
    judge: async () => null,
    source: { current: () => loaded, fresh: async () => loaded, withKey: async () => loaded },
    tls: null,
    onError: () => undefined,
  });
  const port = await listening(server.server);
  cleanups.push(() => server.close(200));
  const proxy = new FaultProxy(port);
  const url = `ws://127.0.0.1:${await proxy.listen()}`;
  cleanups.push(() => proxy.close());
  return {
    proxy,
    hop: new SocketHop({ url, secret, times: { ...SOCKET_TIMES, open: 1000, silence: 400, pong: 400 } }),
  };
}

async function textOf(outcome: Extract<TransactionOutcome, { ok: true }>): Promise<Buffer | null> {
  if (outcome.body === null || outcome.body instanceof Uint8Array) return Buffer.from(outcome.body ?? []);
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of outcome.body) chunks.push(chunk);
  } catch {
    return null; // it broke off, and says so
  }
  return Buffer.concat(chunks);
}

test('transactions find out what became of them', { timeout: patience(RUNS) }, async () => {
  const random = new Random(SEED);
  const runs = new Map<string, number>();
  const poolers = [await startPooler(random, runs), await startPooler(random, runs)];
  for (const { proxy } of poolers) {
    proxy.inject({ faults: FAULTS, interval: 30, random });
  }
  const known = poolers.map(({ hop }) => new Pooler(hop));
  const kinds = new Map<string, number>();
  let next = 0;
  const progress = new Progress('transactions over WebSockets', RUNS);

  const one = async (n: number): Promise<void> => {
    const nonce = `nonce ${n}`;
    progress.count();
    const isWrite = random.chance(0.5);
    const padding = random.chance(0.1) ? random.below(400_000) : random.below(500);
    const length = random.chance(0.1) ? random.below(400_000) : random.below(500);
    const request = transactionRequest({
      path: nonce,
      access: isWrite ? 'read write' : 'read only',
      timezone: String(padding),
      schema: String(length),
    });
    const outcome = await new BalancedHop(known, () => undefined).transaction(request, new Uint8Array(length), null);
    const kind = outcome.ok ? 'ok' : outcome.failure.kind;
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    const count = runs.get(nonce) ?? 0;
    if (outcome.ok) {
      const text = await textOf(outcome);
      if (text !== null) expect(text.equals(expected(nonce, padding))).toBe(true);
      expect(outcome.statements[0]?.columns).toEqual([nonce]);
      expect(count).toBeGreaterThan(0);
    } else if (isWrite) {
      expect(['unknown outcome', 'unavailable']).toContain(outcome.failure.kind);
      if (outcome.failure.kind === 'unavailable') expect(count).toBe(0);
    }
    // A write that was said not to have run must not run later either: looked at again in the end.
    if (isWrite) expect(count).toBeLessThanOrEqual(1);
    if (isWrite && !outcome.ok && outcome.failure.kind === 'unavailable') neverRun.push(nonce);
    if (isWrite) writes.push(nonce);
  };
  const neverRun: string[] = [];
  const writes: string[] = [];
  await Promise.all(
    Array.from({ length: 20 }, async () => {
      while (next < RUNS) await one(next++);
    }),
  );
  for (const { proxy } of poolers) {
    proxy.inject(null);
    proxy.thaw();
  }
  for (const nonce of neverRun) expect(runs.get(nonce) ?? 0).toBe(0);
  for (const nonce of writes) expect(runs.get(nonce) ?? 0).toBeLessThanOrEqual(1);
  expect(kinds.get('ok')).toBeGreaterThan(RUNS / 2);
  for (const { proxy } of poolers) expect([...proxy.counts.faults.keys()].sort()).toEqual([...FAULTS].sort());

  // All is well again.
  const calm = new BalancedHop(known, () => undefined);
  let last: TransactionOutcome | null = null;
  while (last?.ok !== true) {
    last = await calm.transaction(transactionRequest({ path: 'calm', schema: '0', timezone: '0' }), null, null);
  }
});
