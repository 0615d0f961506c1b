/** A load generator, in a process of its own: it is told what to do, says what came of it and ends. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { BareConnection, execute, type Login, parse, sync } from './bare.ts';
import { closedLoop, type Sample } from './closed-loop.ts';
import { HttpClient } from './http-client.ts';
import { benchToken, type LoadName, loads, settings } from './loads.ts';

interface Common {
  readonly load: LoadName;
  readonly seconds: number;
  readonly clients: number;
}

/** `floor`: the bare statements on so many connections. `http`: requests to the API, each client on a connection that stays open. */
export type Task =
  | (Common & { readonly kind: 'floor'; readonly login: Login })
  | (Common & { readonly kind: 'http'; readonly port: number });

/** Operations before those that are measured: prepared statements, the server's compiled code. */
export const WARM_UP = 300;

async function floor({ load, seconds, clients, login }: Task & { readonly kind: 'floor' }): Promise<Sample> {
  const { sql, parameters } = loads[load];
  // The statement is parsed behind the settings, under the role and the search_path that it will run under.
  const first = Buffer.concat([
    parse('settings', settings.sql),
    execute('settings', settings.parameters),
    parse('main', sql),
    execute('main', parameters),
    sync,
  ]);
  const batch = Buffer.concat([execute('settings', settings.parameters), execute('main', parameters), sync]);
  const connections = await Promise.all(Array.from({ length: clients }, () => BareConnection.open(login)));
  for (const connection of connections) {
    const rows = await connection.send(first);
    if (rows !== 2) throw new Error(`${load} gave ${rows} rows in place of one for each of its two statements`);
  }
  const callers = connections.map((connection) => () => connection.send(batch));
  for (let i = 0; i < WARM_UP; i++) await callers[i % clients]?.();
  return await closedLoop(callers, seconds);
}

async function http({ load, seconds, clients, port }: Task & { readonly kind: 'http' }): Promise<Sample> {
  const token = benchToken();
  const opened = Array.from({ length: clients }, () => HttpClient.open(port, loads[load], token));
  const callers = (await Promise.all(opened)).map((client) => () => client.request());
  for (let i = 0; i < WARM_UP; i++) await callers[i % clients]?.();
  return await closedLoop(callers, seconds);
}

/** Runs a task in a process of its own. Rejects where it fails: its words are on standard error. */
export function generate(task: Task, started: (child: ChildProcess) => void): Promise<Sample> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(import.meta.url), { stdio: 'inherit' });
    started(child);
    let sample: Sample | null = null;
    child.on('message', (message: Sample) => {
      sample = message;
    });
    child.on('error', reject);
    child.on('close', () => {
      if (sample === null) reject(new Error(`the ${task.kind} generator for ${task.load} failed`));
      else resolve(sample);
    });
    child.send(task);
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.once('message', async (task: Task) => {
    const sample = task.kind === 'floor' ? await floor(task) : await http(task);
    process.send?.(sample, () => process.exit(0));
  });
}
