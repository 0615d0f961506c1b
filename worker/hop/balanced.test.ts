import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { CancelSignal } from '../../shared/hop/cancellation.ts';
import { transactionRequest } from '../../shared/hop/request.fixture.ts';
import type {
  TransactionFailure,
  TransactionOutcome,
  TransactionPayload,
  TransactionRequest,
} from '../../shared/hop/types.ts';
import { ApiError } from '../error.ts';
import { BalancedHop } from './balanced.ts';
import type { FetchedSnapshot, Judgement } from './fetched.ts';
import type { PoolerClient } from './pooler-client.ts';
import { Pooler } from './poolers.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

const read = transactionRequest();
const write = transactionRequest({ access: 'read write' });

const done = (name: string): TransactionOutcome => ({
  ok: true,
  snapshot: name,
  statements: [],
  body: null,
  length: 0,
});
const failure = (why: TransactionFailure): TransactionOutcome => ({ ok: false, snapshot: null, failure: why });

const connect = failure({ kind: 'unavailable', reason: 'connect', message: 'm', detail: null });
const lost = failure({ kind: 'unavailable', reason: 'lost', message: 'm', detail: null });
const notLoaded = failure({ kind: 'unavailable', reason: 'no snapshot', message: 'm', detail: null });
const stopping = failure({ kind: 'refused', reason: 'stopping', message: 'm', status: 503 });
const refusal = (reason: string): TransactionOutcome => failure({ kind: 'refused', reason, message: 'm', status: 503 });
const full = failure({ kind: 'admission', reason: 'full', message: 'm' });
const timeout = failure({ kind: 'admission', reason: 'timeout', message: 'm' });
const unknown = failure({ kind: 'unknown outcome', message: 'm' });
const cancelled = failure({ kind: 'cancelled', message: 'm' });
const token = failure({ kind: 'refused', reason: 'token', message: 'm', status: 401 });
const database = failure({ kind: 'database', code: '23505', message: 'm', detail: null, hint: null, statement: 0 });

/** A pooler that answers as it is told, and remembers what it was asked. */
class Fake implements PoolerClient {
  readonly name: string;
  outcome: TransactionOutcome;
  live = true;
  snapshot: FetchedSnapshot = { kind: 'same', version: '1-v' };
  readonly requests: TransactionRequest[] = [];
  readonly payloads: Uint8Array[] = [];
  /** Requests that were under way when their caller went away. */
  cancelled = 0;
  judgement: Judgement = { kind: 'accepted' };
  probes = 0;
  questions = 0;
  /** Whether it looks at the payload before it fails. */
  takes = true;
  /** What transactions wait for. */
  before: Promise<unknown> | null = null;

  constructor(name: string) {
    this.name = name;
    this.outcome = done(name);
  }

  async transaction(
    request: TransactionRequest,
    payload: TransactionPayload | null,
    signal: CancelSignal | null,
  ): Promise<TransactionOutcome> {
    this.requests.push(request);
    signal?.addEventListener('abort', () => {
      this.cancelled++;
    });
    if (payload !== null && this.takes) {
      if (payload instanceof Uint8Array) this.payloads.push(payload);
      else for await (const piece of payload) this.payloads.push(piece);
    }
    if (this.before !== null) await this.before;
    return this.outcome;
  }

  async fetchSnapshot(): Promise<FetchedSnapshot> {
    this.questions++;
    return this.snapshot;
  }

  fetchKeys(): Promise<never> {
    throw new Error('not asked for here');
  }

  async judge(): Promise<Judgement> {
    this.questions++;
    return this.judgement;
  }

  async isLive(): Promise<boolean> {
    this.probes++;
    return this.live;
  }
}

interface Worker {
  readonly fakes: readonly Fake[];
  /** Each request has its own. */
  hop(): BalancedHop;
  /** Work that goes on after a response. */
  readonly background: Promise<unknown>[];
}

function worker(count: number): Worker {
  const fakes = Array.from({ length: count }, (_, n) => new Fake(`pooler ${n}`));
  const poolers = fakes.map((fake) => new Pooler(fake));
  const background: Promise<unknown>[] = [];
  return { fakes, background, hop: () => new BalancedHop(poolers, (work) => background.push(work)) };
}

/** A worker whose first two poolers have come to this, and the third to nothing unusual. */
function failing(outcome: TransactionOutcome): Worker {
  const made = worker(3);
  for (const fake of made.fakes.slice(0, 2)) fake.outcome = outcome;
  return made;
}

/** How many times the request was sent, and what came of it, over many requests. */
async function shownTo({ hop, fakes }: Worker, request: TransactionRequest) {
  let most = 0;
  const outcomes = new Set<string>();
  for (let n = 0; n < 30; n++) {
    const before = fakes.reduce((sum, { requests }) => sum + requests.length, 0);
    const outcome = await hop().transaction(request, null, null);
    most = Math.max(most, fakes.reduce((sum, { requests }) => sum + requests.length, 0) - before);
    outcomes.add(outcome.ok ? 'ok' : outcome.failure.kind);
  }
  return { most, outcomes: [...outcomes].sort() };
}

describe('a transaction that has not run', () => {
  test.each([
    ['a connection that was not made', connect],
    ['a connection of the pooler that broke before', lost],
    ['no schema cache yet', notLoaded],
    ['a pooler that is ending', stopping],
    ['a full queue', full],
    ['another schema cache', refusal('snapshot')],
    ['keys that are awaited', refusal('keys')],
    ['a full socket', refusal('streams')],
  ])('after %s goes to another pooler, be it a write', async (_what, outcome) => {
    for (const request of [read, write]) {
      expect(await shownTo(failing(outcome), request)).toMatchObject({ outcomes: ['ok'] });
    }
  });

  test('is shown to three poolers at the most, and to none twice', async () => {
    const all = worker(5);
    for (const fake of all.fakes) fake.outcome = full;
    await all.hop().transaction(write, null, null);
    expect(all.fakes.map(({ requests }) => requests.length).sort()).toEqual([0, 0, 1, 1, 1]);
    const two = worker(2);
    for (const fake of two.fakes) fake.outcome = connect;
    expect(await two.hop().transaction(write, null, null)).toBe(connect);
    expect(two.fakes.map(({ requests }) => requests.length)).toEqual([1, 1]);
  });
});

test.each([
  ['an unknown outcome', unknown, 'unknown outcome'],
  ['having waited in vain', timeout, 'admission'],
  ['a client that has gone', cancelled, 'cancelled'],
  ['a token that is refused', token, 'refused'],
  ['an error of the database', database, 'database'],
])('after %s it is not sent again', async (_what, outcome, kind) => {
  for (const request of [read, write]) {
    const shown = await shownTo(failing(outcome), request);
    expect(shown.most).toBe(1);
    expect(shown.outcomes).toEqual([kind, 'ok'].sort());
  }
});

test('a client that has gone is not served by another pooler', async () => {
  const { hop, fakes } = failing(connect);
  const gone = AbortSignal.abort();
  for (let n = 0; n < 10; n++) await hop().transaction(read, null, gone);
  for (const { requests } of fakes) expect(requests.length).toBeLessThanOrEqual(10);
  expect(fakes.reduce((sum, { requests }) => sum + requests.length, 0)).toBe(10);
});

test('a client that goes away is told to the pooler that runs its request', async () => {
  const { hop, fakes } = failing(stopping);
  const runs = Promise.withResolvers<void>();
  const [, , third] = fakes;
  if (third === undefined) throw new Error('no pooler');
  third.before = runs.promise;
  const gone = new AbortController();
  const outcome = hop().transaction(write, null, gone.signal);
  await vi.waitFor(() => expect(third.requests).toHaveLength(1));
  gone.abort();
  expect(third.cancelled).toBe(1);
  runs.resolve();
  await outcome;
});

describe('a payload', () => {
  const bytes = new Uint8Array([1, 2, 3]);
  const arriving = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
    yield bytes;
  };

  test.each([
    ['in one piece', bytes],
    ['in pieces', [bytes]],
  ])('%s goes to the next pooler as it is', async (_what, payload) => {
    const { hop, fakes } = worker(2);
    for (const fake of fakes) fake.outcome = stopping;
    await hop().transaction(write, payload, null);
    expect(fakes.map(({ payloads }) => payloads)).toEqual([[bytes], [bytes]]);
  });

  test('that is arriving goes to the next pooler only if nothing of it was taken', async () => {
    for (const [takes, shown] of [
      [true, 1],
      [false, 2],
    ] as const) {
      const { hop, fakes } = worker(2);
      for (const fake of fakes) {
        fake.outcome = stopping;
        fake.takes = takes;
      }
      expect(await hop().transaction(write, arriving(), null)).toBe(stopping);
      expect(fakes.reduce((sum, { requests }) => sum + requests.length, 0)).toBe(shown);
    }
  });
});

describe('poolers', () => {
  test('get equal shares, and one that is slow gets little', async () => {
    const { hop, fakes } = worker(3);
    for (let n = 0; n < 3000; n++) await hop().transaction(read, null, null);
    for (const { requests } of fakes) expect(requests.length).toBeGreaterThan(800);

    const [slow, ...others] = fakes;
    if (slow === undefined) throw new Error('no pooler');
    const go = Promise.withResolvers<void>();
    slow.before = go.promise;
    const before = slow.requests.length;
    const stuck: Promise<unknown>[] = [];
    for (let n = 0; n < 300; n++) {
      const outcome = hop().transaction(read, null, null);
      stuck.push(outcome);
      await Promise.race([outcome, vi.advanceTimersByTimeAsync(1)]);
    }
    // It has been picked first against others that have nothing to do: never with one under way.
    expect(slow.requests.length - before).toBeLessThanOrEqual(2);
    expect(others.every(({ requests }) => requests.length > 900)).toBe(true);
    go.resolve();
    await Promise.all(stuck);
  });

  test('that fail are avoided until a probe finds them well, which no request waits for', async () => {
    const { hop, fakes, background } = worker(2);
    const [bad, good] = fakes;
    if (bad === undefined || good === undefined) throw new Error('no pooler');
    bad.outcome = connect;
    bad.live = false;
    for (let n = 0; n < 50; n++) expect((await hop().transaction(write, null, null)).ok).toBe(true);
    expect(bad.requests).toHaveLength(1);

    // Well again, but nobody knows.
    bad.outcome = done(bad.name);
    await vi.advanceTimersByTimeAsync(600);
    await hop().transaction(write, null, null);
    await Promise.all(background);
    expect([bad.probes, bad.requests.length]).toEqual([1, 1]);
    bad.live = true;
    for (let n = 0; n < 20; n++) await hop().transaction(write, null, null);
    expect([bad.probes, bad.requests.length]).toEqual([1, 1]);

    await vi.advanceTimersByTimeAsync(2000);
    await hop().transaction(write, null, null);
    await Promise.all(background);
    for (let n = 0; n < 50; n++) await hop().transaction(write, null, null);
    expect(bad.probes).toBe(2);
    expect(bad.requests.length).toBeGreaterThan(5);
  });

  test('that all fail are tried all the same, and trusted when they answer', async () => {
    const { hop, fakes } = worker(2);
    for (const fake of fakes) fake.outcome = connect;
    for (let n = 0; n < 5; n++) expect(await hop().transaction(write, null, null)).toBe(connect);
    for (const fake of fakes) fake.outcome = done(fake.name);
    for (let n = 0; n < 50; n++) expect((await hop().transaction(write, null, null)).ok).toBe(true);
  });
});

test('the time that a failed attempt took is taken from the deadline', async () => {
  const { hop, fakes } = worker(2);
  for (const fake of fakes) {
    fake.outcome = full;
    fake.before = new Promise((resolve) => setTimeout(resolve, 400));
  }
  const outcome = hop().transaction({ ...write, deadline: 1000 }, null, null);
  await vi.advanceTimersByTimeAsync(2000);
  await outcome;
  const deadlines = fakes.flatMap(({ requests }) => requests.map(({ deadline }) => deadline));
  expect(deadlines.sort()).toEqual([1000, 1000 - 400].sort());
});

describe('the snapshot', () => {
  test('is asked of another pooler where one does not answer', async () => {
    const { hop, fakes } = worker(2);
    const [bad] = fakes;
    if (bad === undefined) throw new Error('no pooler');
    bad.snapshot = { kind: 'failed', message: 'm', refusal: null };
    for (let n = 0; n < 20; n++) {
      expect(await hop().fetchState(['1-v'], null)).toEqual({ kind: 'same', version: '1-v' });
    }
    expect(bad.questions).toBe(1);
  });

  test('is not there where none has it', async () => {
    const { hop, fakes } = worker(2);
    for (const fake of fakes) fake.snapshot = { kind: 'none' };
    expect(await hop().fetchState(['1-v'], null)).toEqual({ kind: 'none' });
  });
});

describe('a token', () => {
  const error = new ApiError(401, { code: 'PGRST301', message: 'm' });

  test('is judged by another pooler where one does not answer', async () => {
    const { hop, fakes } = worker(2);
    const [bad, good] = fakes;
    if (bad === undefined || good === undefined) throw new Error('no pooler');
    bad.judgement = { kind: 'failed', message: 'm', refusal: null };
    for (let n = 0; n < 20; n++) expect(await hop().judge('t')).toBeNull();
    good.judgement = { kind: 'refused', error };
    for (let n = 0; n < 20; n++) expect(await hop().judge('t')).toBe(error);
    expect(bad.questions).toBe(1);
  });

  test('is neither good nor bad where none answers', async () => {
    const { hop, fakes } = worker(2);
    for (const fake of fakes) fake.judgement = { kind: 'failed', message: 'm', refusal: null };
    expect(await hop().judge('t')).toMatchObject({ status: 503, code: 'PGRST000' });
    for (const fake of fakes) fake.judgement = { kind: 'failed', message: 'm', refusal: 'keys' };
    expect(await hop().judge('t')).toMatchObject({ status: 503, code: 'EDGE012' });
  });
});
