/**
 * `npm run bench:sessions`: transactions of node-postgres' kind, over the driver endpoint's WebSockets with the unmodified driver, beside the
 * same client on connections of its own, and beside PgBouncer where it is installed (Debian's package `pgbouncer`). `--baseline DIR` measures
 * another checkout's endpoint too, in turn with this one's.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Client as DriverClient, neonConfig } from '@neondatabase/serverless';
import pg from 'pg';
import WebSocket from 'ws';
import { onShutdown } from '../../pooler/cli/shutdown.ts';
import { freePort } from '../cluster.ts';
import type { Login } from './bare.ts';
import { closedLoop, median, medians, type Sample } from './closed-loop.ts';
import { openDatabase, uriOf } from './database.ts';
import { cpuTime, startProgram, variablesFor } from './program.ts';

/** Clients, and the server connections that they share where they share any. */
const CLIENTS = 32;
const POOL = 8;

const { seconds, rounds, baseline } = parseArgs({
  options: {
    seconds: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '3' },
    baseline: { type: 'string' },
  },
}).values;

interface Client {
  query(text: string, values?: unknown[]): Promise<unknown>;
  end(): Promise<void>;
}

/** Something to connect to. `pid` of what stands between client and server; null for nothing. */
interface Target {
  readonly name: string;
  readonly pid: number | null;
  connect(): Promise<Client>;
}

const LOADS: Readonly<Record<string, (client: Client) => Promise<unknown>>> = {
  'one query': (client) => client.query('select $1::int as n', [1]),
  'a transaction of three': async (client) => {
    await client.query('begin');
    await client.query('select $1::int as n', [1]);
    await client.query('commit');
  },
};

async function plain(connectionString: string): Promise<Client> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  return client;
}

async function overWebSocket(connectionString: string, port: number): Promise<Client> {
  neonConfig.webSocketConstructor = WebSocket;
  neonConfig.useSecureWebSocket = false;
  neonConfig.wsProxy = () => `127.0.0.1:${port}/v2`;
  const client = new DriverClient(connectionString);
  await client.connect();
  return client;
}

/** PgBouncer in transaction mode; null where it is not installed. */
async function startPgBouncer(login: Login, cleanup: (step: () => Promise<void>) => void): Promise<Target | null> {
  if (spawnSync('pgbouncer', ['--version']).error !== undefined) return null;
  const folder = await mkdtemp(join(tmpdir(), 'edgerest-pgbouncer-'));
  const port = await freePort();
  const { user, password, host, database } = login;
  const users = join(folder, 'users.txt');
  const file = join(folder, 'pgbouncer.ini');
  await writeFile(users, `"${user}" "${password}"\n`);
  await writeFile(
    file,
    `[databases]\n* = host=${host} port=${login.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = ${port}\nunix_socket_dir =
auth_type = plain\nauth_file = ${users}\npool_mode = transaction\ndefault_pool_size = ${POOL}\nmax_client_conn = 1000\nlog_connections = 0
log_disconnections = 0\nignore_startup_parameters = extra_float_digits\n`,
  );
  await chmod(folder, 0o755);
  // It refuses to run as root.
  const account = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  const child: ChildProcess = spawn('pgbouncer', ['-q', file], { stdio: 'ignore', ...account });
  cleanup(async () => {
    child.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  });
  const connectionString = `postgresql://${user}:${password}@127.0.0.1:${port}/${database}`;
  for (let i = 0; ; i++) {
    const client = await plain(connectionString).catch(() => null);
    if (client !== null) {
      await client.end();
      return { name: 'pgbouncer', pid: child.pid ?? null, connect: () => plain(connectionString) };
    }
    if (i === 50) throw new Error('pgbouncer does not answer');
    await sleep(100);
  }
}

/** The driver endpoint of a checkout. */
async function startDoor(
  name: string,
  checkout: string,
  login: Login,
  cleanup: (step: () => Promise<void>) => void,
): Promise<Target> {
  const port = await freePort();
  const variables = { ...variablesFor(login), PGRST_DB_POOL: String(POOL), EDGEREST_DRIVER_PORT: String(port) };
  const program = await startProgram(checkout, 'serve', variables);
  cleanup(() => program.stop());
  return { name, pid: program.pid, connect: () => overWebSocket(uriOf(login), port) };
}

interface Measured {
  readonly samples: Sample[];
  /** Microseconds for each operation. */
  readonly cpu: number[];
}

async function measure(target: Target, operation: (client: Client) => Promise<unknown>, into: Measured): Promise<void> {
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => target.connect()));
  await Promise.all(clients.map(operation));
  const used = async (): Promise<number> => (target.pid === null ? 0 : ((await cpuTime(target.pid)) ?? Number.NaN));
  const before = await used();
  const sample = await closedLoop(
    clients.map((client) => () => operation(client)),
    Number(seconds),
  );
  into.cpu.push((((await used()) - before) * 1000) / sample.count);
  into.samples.push(sample);
  await Promise.all(clients.map((client) => client.end()));
}

const shutdown = onShutdown((observation) => {
  if (observation.kind === 'fault') process.stderr.write(`bench: ${String(observation.error)}\n`);
});
try {
  const database = await openDatabase(process.env.EDGEREST_BENCH_DB_URI);
  shutdown.add(() => database.close());
  const { login } = database;
  const direct: Target = { name: 'direct', pid: null, connect: () => plain(uriOf(login)) };
  const bouncer = await startPgBouncer(login, shutdown.add);
  const own = await startDoor('driver endpoint', new URL('../..', import.meta.url).pathname, login, shutdown.add);
  const before = baseline === undefined ? [] : [await startDoor('baseline', resolve(baseline), login, shutdown.add)];
  const targets = [direct, own, ...before, ...(bouncer === null ? [] : [bouncer])];
  for (const [load, operation] of Object.entries(LOADS)) {
    const measured = new Map(targets.map((target) => [target, { samples: [], cpu: [] } as Measured]));
    for (let round = 0; round < Number(rounds); round++) {
      for (const [target, into] of measured) await measure(target, operation, into);
    }
    const floor = medians(measured.get(direct)?.samples ?? []);
    process.stdout.write(`${load}, ${CLIENTS} clients on ${POOL} connections (direct: on their own)\n`);
    for (const [{ name, pid }, { samples, cpu }] of measured) {
      const { rate, p50, p99 } = medians(samples);
      const ratios = [rate / floor.rate, p50 / floor.p50, p99 / floor.p99].map((ratio) => ratio.toFixed(2));
      const spent = pid === null ? '' : `   cpu ${median(cpu).toFixed(0)} µs`;
      process.stdout.write(
        `  ${name.padEnd(16)} ${rate.toFixed(0).padStart(6)}/s   ratio ${ratios[0]}   p50 ×${ratios[1]}   p99 ×${ratios[2]}${spent}\n`,
      );
    }
  }
  shutdown.end(0);
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  shutdown.end(1);
}
