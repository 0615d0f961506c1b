/** `edgerest edge` as a process of ours. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { tied } from '../../pooler/cli/lifeline.ts';

export interface Edge {
  /** Its exit status, or the signal that ended it. */
  readonly exited: Promise<number | string>;
  /** Writes its log to standard error: what was held back during the start, and from now on all of it. */
  showLog(): void;
  /** Asks it to end and waits for that. May be called again. */
  stop(): Promise<void>;
}

const main = join(import.meta.dirname, '..', '..', 'pooler', 'cli', 'main.ts');

/**
 * Starts it with these variables on top of our own, and returns when it answers at `url` with a status that `ready` accepts,
 * or when the signal aborts. When it ends instead, throws an error with the lines that it said about it.
 */
export async function startEdge(
  url: string,
  variables: Readonly<Record<string, string>>,
  ready: (status: number) => boolean,
  signal: AbortSignal,
): Promise<Edge> {
  // Its own process group, so that a terminal's Ctrl-C does not reach it before us.
  const child = spawn(...tied('TERM', process.execPath, [main, 'edge']), {
    env: { ...process.env, ...variables },
    stdio: ['pipe', 'ignore', 'pipe'],
    detached: true,
  });
  let held = '';
  let show = (text: string): void => {
    held += text;
  };
  child.stderr.setEncoding('utf8').on('data', (text: string) => show(text));
  const exited = once(child, 'close').then(([status, by]: (number | string | null)[]) => status ?? by ?? 'unknown');
  let over = false;
  void exited.then(() => {
    over = true;
  });
  const edge: Edge = {
    exited,
    showLog: () => {
      process.stderr.write(held);
      show = (text) => {
        process.stderr.write(text);
      };
    },
    stop: async () => {
      child.kill('SIGTERM');
      await exited;
    },
  };
  while (!signal.aborted) {
    const status = await statusOf(url, signal);
    if (over) throw new Error(reason(held));
    if (status !== undefined && ready(status)) break;
    await sleep(50);
  }
  return edge;
}

/** Why it ended: what it said besides its ordinary log, or all of it where there is nothing else. */
function reason(log: string): string {
  const missing = /Cannot find (?:package|module) '([^']+)'/.exec(log)?.[1];
  if (missing !== undefined) return `${missing} is missing: run \`npm ci\` and start again`;
  const lines = log.split('\n').filter((line) => line !== '' && !/^\d+\/\w+\/\d+:/.test(line));
  if (lines.length === 0) return `the API did not start:\n${log.trim()}`;
  return lines.map((line) => line.replace(/^edgerest: /, '')).join('\n');
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
