/** The programs as a user starts them. In contrast to the blog's, nothing asks them anything before the test does. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { tied } from '../../pooler/cli/lifeline.ts';
import { startWorkerd } from '../../pooler/cli/workerd.ts';
import { freePort } from '../cluster.ts';

export interface Program {
  readonly pid: number;
  /** Where it listens. */
  readonly url: string;
  /** What it wrote to standard error so far. */
  said(): string;
  /** Waits until it has said this, so many times. Throws what it said when it ends instead. */
  says(words: string, times?: number): Promise<void>;
  /** Settles with its exit code when it has ended, with everything that it started. */
  readonly ended: Promise<number | null>;
  /** Asks it to end, waits until it and everything that it started has closed its output, and gives its exit code. */
  stop(): Promise<number | null>;
  /** Ends it at once, without a chance to say anything to anyone. */
  kill(): Promise<void>;
}

const main = fileURLToPath(new URL('../../pooler/cli/main.ts', import.meta.url));

/** The line that each program writes when it listens. */
const LISTENS = { serve: 'API server listening', edge: 'API server listening', pooler: 'Pooler listening' } as const;

/**
 * Starts `edgerest <command>` on a port of 127.0.0.1 (a free one, unless it is given) and returns when it listens. Throws what
 * it said when it ends instead.
 */
export async function startProgram(
  command: keyof typeof LISTENS,
  variables: Readonly<Record<string, string>>,
  given?: number,
): Promise<Program> {
  const port = given ?? (await freePort());
  const own =
    command === 'pooler'
      ? { EDGEREST_POOLER_PORT: String(port) }
      : { PGRST_SERVER_HOST: '127.0.0.1', PGRST_SERVER_PORT: String(port) };
  const inherited = Object.entries(process.env).filter(([name]) => !/^(PGRST|EDGEREST)_/.test(name));
  // A test that is cut off leaves no program behind.
  const child = spawn(...tied('TERM', process.execPath, [main, command]), {
    env: { ...Object.fromEntries(inherited), ...own, ...variables },
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  let text = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  const closed = once(child, 'close').then(([code]: (number | null)[]) => code ?? null);
  const end = (signal: NodeJS.Signals): Promise<number | null> => {
    child.kill(signal);
    return closed;
  };
  const says = async (words: string, times = 1): Promise<void> => {
    while (text.split(words).length <= times) {
      if (hasEnded(child)) throw new Error(`edgerest ${command} ended: ${text}`);
      await sleep(20);
    }
  };
  await says(LISTENS[command]);
  return {
    pid: child.pid ?? 0,
    url: `http://127.0.0.1:${port}`,
    said: () => text,
    says,
    ended: closed,
    stop: () => end('SIGTERM'),
    kill: async () => {
      await end('SIGKILL');
    },
  };
}

const hasEnded = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode !== null || signalCode !== null;

/** The worker alone, in workerd, for a pooler that runs elsewhere. */
export async function startWorker(poolerUrl: string, secret: string): Promise<Pick<Program, 'url' | 'stop'>> {
  const worker = await startWorkerd({
    address: '127.0.0.1:0',
    bindings: { EDGEREST_POOLER_URL: poolerUrl, EDGEREST_POOLER_SECRET: secret },
  });
  return {
    url: `http://127.0.0.1:${worker.port}`,
    stop: async () => {
      await worker.stop(10_000);
      return await worker.exited;
    },
  };
}
