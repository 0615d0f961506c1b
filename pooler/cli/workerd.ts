/** The worker in workerd, Cloudflare's runtime, on this machine: configured, started, ended. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { StartError } from '../start-error.ts';
import { tied } from './lifeline.ts';
import { placeWorker } from './worker-file.ts';

/** The package's main export is the path of its program. It has no types of its own. Throws StartError where it is not there. */
function workerdProgram(): string {
  let workerd: unknown = null;
  try {
    workerd = createRequire(import.meta.url)('workerd');
  } catch (error) {
    // Who only serves is spared its hundred megabytes.
    if (error instanceof Error && error.message.startsWith("Cannot find module 'workerd'")) {
      throw new StartError(
        'edge runs the worker in workerd, which is not installed: `npm install workerd`, or `npx -p edgerest -p workerd edgerest edge`.',
      );
    }
    // The package with this machine's program is missing: said below.
  }
  if (typeof workerd === 'object' && workerd !== null && 'default' in workerd && typeof workerd.default === 'string') {
    return workerd.default;
  }
  throw new StartError('the package workerd is incomplete: install it again.');
}

/** As in wrangler.toml: what the worker is deployed with. */
const COMPATIBILITY_DATE = '2026-07-30';

/** Bindings come from workerd's environment, so that no secret is in a file. */
const BINDINGS = ['EDGEREST_POOLER_URL', 'EDGEREST_POOLER_SECRET'] as const;

export type WorkerdBindings = Readonly<Record<(typeof BINDINGS)[number], string>>;

export interface WorkerdOptions {
  /** As workerd reads it: `*:3000`, `127.0.0.1:3000`, `[::1]:3000`, `unix:/path`. */
  readonly address: string;
  readonly bindings: WorkerdBindings;
}

export interface Workerd {
  /** The port that it listens on; 0 for a socket file. */
  readonly port: number;
  /** Until the process has ended. */
  readonly running: boolean;
  /** Settles when the process has ended, asked to or not, with its exit code. */
  readonly exited: Promise<number>;
  /** Answers what was accepted, then ends; after `timeout` milliseconds it is ended at once. */
  stop(timeout: number): Promise<void>;
}

/** A text in Cap'n Proto's schema language. */
const text = (value: string): string => JSON.stringify(value);

const configuration = (address: string): string => `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "edgerest", worker = .worker),
    (name = "internet", network = (allow = ["public", "private", "local"], tlsOptions = (trustBrowserCas = true))),
  ],
  sockets = [(name = "http", address = ${text(address)}, http = (), service = "edgerest")],
);
const worker :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  bindings = [${BINDINGS.map((name) => `(name = ${text(name)}, fromEnvironment = ${text(name)})`).join(', ')}],
  compatibilityDate = ${text(COMPATIBILITY_DATE)},
);
`;

/** Starts it and returns when it listens. Throws StartError. */
export async function startWorkerd({ address, bindings }: WorkerdOptions): Promise<Workerd> {
  const folder = await mkdtemp(join(tmpdir(), 'edgerest-worker-'));
  try {
    const program = workerdProgram();
    await placeWorker(join(folder, 'worker.js'));
    const config = join(folder, 'config.capnp');
    await writeFile(config, configuration(address));
    // workerd writes to the control descriptor where it listens. Its own process group: a terminal's Ctrl-C is for us to handle.
    const child = spawn(...tied('TERM', program, ['serve', config, '--control-fd=4']), {
      stdio: ['pipe', 'inherit', 'inherit', 'ignore', 'pipe'],
      env: { ...bindings },
      detached: true,
    });
    const exited = once(child, 'exit').then(([code]) => (typeof code === 'number' ? code : 1));
    const port = await listening(child, exited);
    return {
      port,
      get running() {
        return child.exitCode === null && child.signalCode === null;
      },
      exited,
      stop: (timeout) => stop(child, exited, timeout),
    };
  } finally {
    // workerd has read them by the time it listens.
    await rm(folder, { recursive: true, force: true });
  }
}

const isReadable = (stream: unknown): stream is Readable =>
  typeof stream === 'object' && stream !== null && 'readable' in stream;

/** The port of the socket once it is open. */
async function listening(child: ChildProcess, exited: Promise<number>): Promise<number> {
  const control = child.stdio[4];
  if (!isReadable(control)) throw new StartError('workerd has no control descriptor.');
  const opened = (async () => {
    for await (const line of createInterface({ input: control })) {
      const event: unknown = JSON.parse(line);
      if (typeof event === 'object' && event !== null && 'port' in event && typeof event.port === 'number') {
        control.resume();
        return event.port;
      }
    }
    return null;
  })();
  const port = await Promise.race([opened, exited.then(() => null)]);
  if (port === null) throw new StartError('workerd ended before it listened; its own words are above.');
  return port;
}

async function stop(child: ChildProcess, exited: Promise<number>, timeout: number): Promise<void> {
  const late = setTimeout(() => child.kill('SIGKILL'), timeout);
  child.kill('SIGTERM');
  await exited;
  clearTimeout(late);
}
