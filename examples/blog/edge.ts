/** `edgerest edge` as a process of ours. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Edge {
  /** Its exit status, or the signal that ended it. */
  readonly exited: Promise<number | string>;
  /** Asks it to end and waits for that. May be called again. */
  stop(): Promise<void>;
}

const main = join(import.meta.dirname, '..', '..', 'pooler', 'cli', 'main.ts');

/**
 * Starts it with these variables on top of our own, and returns when it answers at `url` with a status that `ready` accepts,
 * or when the signal aborts. What it says goes to our standard error. Throws when it ends instead.
 */
export async function startEdge(
  url: string,
  variables: Readonly<Record<string, string>>,
  ready: (status: number) => boolean,
  signal: AbortSignal,
): Promise<Edge> {
  const child = spawn(process.execPath, [main, 'edge'], {
    env: { ...process.env, ...variables },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const exited = once(child, 'exit').then(([status, by]: (number | string | null)[]) => status ?? by ?? 'unknown');
  let over = false;
  void exited.then(() => {
    over = true;
  });
  const edge: Edge = {
    exited,
    stop: async () => {
      child.kill('SIGTERM');
      await exited;
    },
  };
  while (!signal.aborted) {
    const status = await statusOf(url, signal);
    if (over) throw new Error('the API did not start: its own message is above');
    if (status !== undefined && ready(status)) break;
    await sleep(50);
  }
  return edge;
}

async function statusOf(url: string, signal: AbortSignal): Promise<number | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(5000)]) });
    await response.body?.cancel();
    return response.status;
  } catch {
    return undefined; // it does not listen yet
  }
}
