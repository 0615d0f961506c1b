/**
 * `npm run bench:hop`: the hop over a WebSocket beside the hop over HTTP, the same transactions to the same pooler in turn. The
 * figures stand in docs/performance.md. EDGEREST_BENCH_DB_URI as for `npm run bench`.
 */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { onShutdown } from '../../pooler/cli/shutdown.ts';
import type { TransactionRequest } from '../../shared/hop/types.ts';
import { type Backend, handle } from '../../worker/handle.ts';
import { fetchState } from '../../worker/hop/fetch-state.ts';
import { HttpHop } from '../../worker/hop/http.ts';
import type { PoolerClient } from '../../worker/hop/pooler-client.ts';
import { Isolate, RemoteStates } from '../../worker/hop/remote-states.ts';
import { SocketHop } from '../../worker/hop/socket.ts';
import { freePort } from '../cluster.ts';
import { closedLoop, median, type Sample } from './closed-loop.ts';
import { openDatabase } from './database.ts';
import { benchToken, CLIENTS, loads, POOL } from './loads.ts';
import { cpuTime, variablesFor } from './program.ts';

const SECRET = 'a secret of the bench, between worker and pooler'.replaceAll(' ', '-');
const TRANSPORTS = ['http', 'ws'] as const;
type Transport = (typeof TRANSPORTS)[number];
const LOADS = ['one-row', '100-rows'] as const;
type LoadName = (typeof LOADS)[number];

/** Operations before those that are measured. */
const WARM_UP = 500;

interface Task {
  readonly url: string;
  readonly load: LoadName;
  readonly seconds: number;
}

/** What a generator has measured; `cpu`: its own milliseconds of processor time. */
interface Measured extends Sample {
  readonly cpu: number;
}

/** What the worker makes of a load: the pooler takes nothing else. */
async function requestOf(load: LoadName, hop: PoolerClient): Promise<TransactionRequest> {
  const { method, target } = loads[load];
  const made: TransactionRequest[] = [];
  const backend: Backend = {
    states: new RemoteStates(
      { fetchState: (known, signal) => fetchState(hop, known, signal) },
      new Isolate(),
      () => undefined,
    ),
    hop: {
      transaction: (request, payload, signal) => {
        made.push(request);
        return hop.transaction(request, payload, signal);
      },
    },
  };
  const headers = [['authorization', `Bearer ${benchToken()}`]] as const;
  const { status } = await handle({ method, target, headers, body: new Uint8Array(0), address: null }, backend, null);
  const [request] = made;
  if (status !== 200 || request === undefined) throw new Error(`${load} gave ${status}`);
  return request;
}

async function run(hop: PoolerClient, request: TransactionRequest): Promise<void> {
  const outcome = await hop.transaction(request, null, null);
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.failure));
  const { body } = outcome;
  const length =
    body === null || body instanceof Uint8Array ? (body?.length ?? 0) : (await new Response(body).bytes()).length;
  if (length !== outcome.length) throw new Error(`${length} bytes in place of ${outcome.length}`);
}

/** In a process of its own: one transport, task after task. */
function generator(): void {
  let known: { readonly url: string; readonly hop: PoolerClient } | null = null;
  process.on('message', async ({ url, load, seconds }: Task) => {
    known ??= {
      url,
      hop: url.startsWith('ws') ? new SocketHop({ url, secret: SECRET }) : new HttpHop({ url, secret: SECRET }),
    };
    const { hop } = known;
    const request = await requestOf(load, hop);
    const callers = Array.from({ length: CLIENTS }, () => () => run(hop, request));
    await Promise.all(
      callers.map(async (each) => {
        for (let n = 0; n < WARM_UP / CLIENTS; n++) await each();
      }),
    );
    const before = process.cpuUsage();
    const sample = await closedLoop(callers, seconds);
    const { user, system } = process.cpuUsage(before);
    process.send?.({ ...sample, cpu: (user + system) / 1000 } satisfies Measured);
  });
}

async function asked(child: ChildProcess, task: Task): Promise<Measured> {
  const answer = once(child, 'message');
  child.send(task);
  const [measured]: Measured[] = await answer;
  if (measured === undefined) throw new Error('a generator gave nothing');
  return measured;
}

/** A pooler, once it serves. */
async function startPooler(
  variables: Readonly<Record<string, string>>,
): Promise<{ child: ChildProcess; port: number }> {
  const port = await freePort();
  const main = fileURLToPath(new URL('../../pooler/cli/main.ts', import.meta.url));
  const child = spawn(process.execPath, [main, 'pooler'], {
    env: {
      ...process.env,
      ...variables,
      EDGEREST_POOLER_PORT: String(port),
      EDGEREST_POOLER_SECRET: SECRET,
      PGRST_LOG_LEVEL: 'crit',
    },
    stdio: ['ignore', 'ignore', 'ignore'],
  });
  const hop = new HttpHop({ url: `http://127.0.0.1:${port}`, secret: SECRET });
  while (!(await hop.isLive(null))) {
    if (child.exitCode !== null) throw new Error('the pooler ended');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { child, port };
}

/** Microseconds of processor time for each operation: the pooler's, and the worker's. */
interface Costs {
  readonly rate: number;
  readonly p99: number;
  readonly pooler: number;
  readonly worker: number;
}

const middle = (costs: readonly Costs[], of: keyof Costs): number => median(costs.map((cost) => cost[of]));

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { seconds: { type: 'string', default: '2' }, rounds: { type: 'string', default: '5' } },
  });
  const shutdown = onShutdown(() => undefined);
  const database = await openDatabase(process.env.EDGEREST_BENCH_DB_URI);
  shutdown.add(() => database.close());
  const pooler = await startPooler(variablesFor(database.login));
  shutdown.add(async () => {
    pooler.child.kill('SIGTERM');
    await once(pooler.child, 'exit');
  });
  const generators = new Map(
    TRANSPORTS.map((transport) => [transport, fork(fileURLToPath(import.meta.url), ['generate'])]),
  );
  shutdown.add(async () => {
    for (const child of generators.values()) child.kill();
  });
  for (const load of LOADS) {
    const costs: Record<Transport, Costs[]> = { http: [], ws: [] };
    for (let round = -1; round < Number(values.rounds); round++) {
      for (const [transport, child] of generators) {
        const before = await cpuTime(pooler.child.pid ?? 0);
        const sample = await asked(child, {
          url: `${transport}://127.0.0.1:${pooler.port}`,
          load,
          seconds: Number(values.seconds),
        });
        const after = await cpuTime(pooler.child.pid ?? 0);
        // The first round is for compiling.
        if (round < 0) continue;
        costs[transport].push({
          rate: sample.rate,
          p99: sample.p99,
          pooler: (((after ?? 0) - (before ?? 0)) * 1000) / (sample.count + WARM_UP),
          worker: (sample.cpu * 1000) / sample.count,
        });
      }
    }
    for (const transport of TRANSPORTS) {
      const of = costs[transport];
      const ratio = middle(of, 'rate') / middle(costs.http, 'rate');
      process.stdout.write(
        `${load} ${transport}: ratio ${ratio.toFixed(2)}, ${middle(of, 'rate').toFixed(0)}/s, p99 ${middle(of, 'p99').toFixed(1)} ms, ` +
          `cpu of the pooler ${middle(of, 'pooler').toFixed(0)} µs, of the worker ${middle(of, 'worker').toFixed(0)} µs\n`,
      );
    }
  }
  shutdown.end(0);
}

if (process.argv[2] === 'generate') generator();
else {
  process.stdout.write(`${CLIENTS} transactions at a time over ${POOL} connections, in turn\n`);
  await main();
}
