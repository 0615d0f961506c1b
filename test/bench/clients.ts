/**
 * `npm run bench:clients`: ten thousand clients of `serve` at once over ten connections to the database, in a process of their own. Each
 * keeps its connection, asks, pauses for up to a second, and asks again; one that is refused waits as Retry-After says.
 * `--clients` and `--seconds` say how many and for how long. EDGEREST_BENCH_DB_URI as for `npm run bench`.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { onShutdown } from '../../pooler/cli/shutdown.ts';
import { freePort } from '../cluster.ts';
import { openDatabase } from './database.ts';
import { benchToken, loads } from './loads.ts';
import { startProgram, variablesFor } from './program.ts';

/** Sockets that are opened at once: the system's own queue for a port has an end. */
const BATCH = 250;
const CONNECTIONS = 10;
const MEGABYTE = 1024 * 1024;

interface Task {
  readonly port: number;
  readonly clients: number;
  readonly seconds: number;
}

/** Answers by `<status>` or `<status> <code>`, and what went wrong with connections. */
type Counts = Readonly<Record<string, number>>;

/** Files that a process may have open: what limits the clients on one machine. */
async function openFiles(): Promise<number> {
  const limits = await readFile('/proc/self/limits', 'utf8').catch(() => '');
  const limit = /^Max open files\s+\d+\s+(\S+)/m.exec(limits)?.[1];
  return limit === undefined || limit === 'unlimited' ? Number.POSITIVE_INFINITY : Number(limit);
}

/** What an answer is counted as, once it is whole; null before. */
function read(answer: string): string | null {
  const end = answer.indexOf('\r\n\r\n');
  if (end < 0) return null;
  const length = /\r\ncontent-length: *(\d+)/i.exec(answer)?.[1];
  const whole = length === undefined ? answer.endsWith('0\r\n\r\n') : answer.length >= end + 4 + Number(length);
  if (!whole) return null;
  const status = answer.slice(9, 12);
  return status === '200' ? status : `${status} ${/"code":"([^"]+)"/.exec(answer)?.[1] ?? ''}`;
}

/** The clients, until they have stopped. */
async function clients({ port, clients: count, seconds }: Task): Promise<Counts> {
  const counts: Record<string, number> = {};
  const tally = (what: string): void => {
    counts[what] = (counts[what] ?? 0) + 1;
  };
  const { method, target } = loads['one-row'];
  const question = `${method} ${target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${benchToken()}\r\n\r\n`;
  const begun = Promise.withResolvers<number>();
  const client = async (): Promise<void> => {
    const socket = connect(port, '127.0.0.1').setNoDelay(true).setEncoding('latin1');
    let answer = '';
    let answered: (what: string) => void = () => undefined;
    socket.on('data', (chunk: string) => {
      answer += chunk;
      const what = read(answer);
      if (what === null) return;
      answer = '';
      answered(what);
    });
    const lost = (why: string) => () => answered(`lost: ${why}`);
    socket.on('error', (error) => lost(error.message)()).on('close', lost('closed'));
    const ask = (): Promise<string> =>
      new Promise((resolve) => {
        answered = resolve;
        socket.write(question);
      });
    await once(socket, 'connect');
    // A connection that says nothing is closed after 15 seconds, and all of them take their time to be made.
    tally(await ask());
    connected++;
    const end = await begun.promise;
    while (performance.now() < end) {
      const what = await ask();
      tally(what);
      if (what.startsWith('lost')) break;
      await sleep(what === '200' ? Math.random() * 1000 : 1000 + Math.random() * 1000);
    }
    socket.destroy();
  };
  let connected = 0;
  const all: Promise<void>[] = [];
  while (all.length < count) {
    for (let i = 0; i < BATCH && all.length < count; i++) all.push(client());
    while (connected < all.length) await sleep(10);
  }
  // Everybody asks at once.
  begun.resolve(performance.now() + seconds * 1000);
  await Promise.all(all);
  return counts;
}

function inProcess(task: Task): Promise<Counts> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(import.meta.url), { stdio: 'inherit' });
    child.once('message', (counts: Counts) => resolve(counts));
    child.once('close', () => reject(new Error('the clients ended')));
    child.send(task);
  });
}

/** A metric of Prometheus' text, in milliseconds where it is one of seconds. */
const milliseconds = (text: string, name: string): number =>
  Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN) * 1000;

async function measure(): Promise<void> {
  const { values } = parseArgs({
    options: { clients: { type: 'string', default: '10000' }, seconds: { type: 'string', default: '20' } },
  });
  const [wanted, seconds] = [Number(values.clients), Number(values.seconds)];
  const possible = (await openFiles()) - 200;
  if (possible < wanted) {
    throw new Error(`a process may open ${possible + 200} files: raise it for ${wanted} clients (ulimit -n).`);
  }
  const shutdown = onShutdown(() => undefined);
  const database = await openDatabase(process.env.EDGEREST_BENCH_DB_URI);
  shutdown.add(() => database.close());
  const admin = await freePort();
  const checkout = fileURLToPath(new URL('../..', import.meta.url));
  const program = await startProgram(checkout, 'serve', {
    ...variablesFor(database.login),
    PGRST_DB_POOL: String(CONNECTIONS),
    PGRST_ADMIN_SERVER_HOST: '127.0.0.1',
    PGRST_ADMIN_SERVER_PORT: String(admin),
  });
  shutdown.add(() => program.stop());
  const metrics = async (): Promise<string> => (await fetch(`http://127.0.0.1:${admin}/metrics`)).text();
  // Asking begins the histogram of the event loop anew.
  await metrics();
  const began = performance.now();
  const counts = await inProcess({ port: program.port, clients: wanted, seconds });
  const took = (performance.now() - began) / 1000;
  const text = await metrics();
  const memory = await program.memory();
  const lines = [
    `${wanted} clients over ${CONNECTIONS} connections, ${took.toFixed(0)} seconds`,
    ...Object.entries(counts).map(([what, count]) => `  ${what}: ${count}`),
    `  the program's memory at the most: ${memory === null ? 'unknown' : `${Math.round(memory / MEGABYTE)} MB`}`,
    `  the event loop's delay: mean ${milliseconds(text, 'nodejs_eventloop_lag_mean_seconds').toFixed(0)} ms, ` +
      `99 % below ${milliseconds(text, 'nodejs_eventloop_lag_p99_seconds').toFixed(0)} ms, ` +
      `at the most ${milliseconds(text, 'nodejs_eventloop_lag_max_seconds').toFixed(0)} ms`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
  const unexpected = Object.keys(counts).filter((what) => !['200', '503 EDGE001', '504 PGRST003'].includes(what));
  if (unexpected.length > 0) process.stderr.write(`bench: unexpected: ${unexpected.join(', ')}\n`);
  if (memory !== null && memory >= 400 * MEGABYTE) process.stderr.write('bench: the program took 400 MB or more\n');
  shutdown.end(unexpected.length > 0 || (memory ?? 0) >= 400 * MEGABYTE ? 1 : 0);
}

if (process.send === undefined) {
  await measure().catch((error: unknown) => {
    process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  });
} else {
  process.once('message', async (task: Task) => {
    process.send?.(await clients(task), () => process.exit(0));
  });
}
