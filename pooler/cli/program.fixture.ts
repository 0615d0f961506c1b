/** The command line as a user runs it, for tests. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const main: string = fileURLToPath(new URL('./main.ts', import.meta.url));

export interface Process {
  readonly child: ChildProcess;
  /** The exit code. */
  readonly exited: Promise<number | null>;
  /** What it has written so far to standard output and to standard error. */
  out(): string;
  said(): string;
}

const processes: Process[] = [];

/** Kills what still runs. */
export function killAll(): void {
  for (const { child } of processes.splice(0)) child.kill('SIGKILL');
}

/** Starts it with these variables and none of the caller's that concern it. `input` is what it can read. */
export function edgerest(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  { input, script = main }: { readonly input?: string; readonly script?: string } = {},
): Process {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(PGRST_|EDGEREST_|PG)/.test(name));
  const child = spawn(process.execPath, [script, ...args], { env: { ...Object.fromEntries(inherited), ...env } });
  child.stdin.end(input);
  let out = '';
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    out += chunk;
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    said += chunk;
  });
  const exited = once(child, 'close').then(([code]: (number | null)[]) => code ?? null);
  const running = { child, exited, out: () => out, said: () => said };
  processes.push(running);
  return running;
}

/** Waits until the process has said something like this. Throws what it said when it ends instead. */
export async function says(running: Process, pattern: RegExp): Promise<void> {
  while (!pattern.test(running.said())) {
    if (running.child.exitCode !== null) throw new Error(`ended without ${pattern}: ${running.said()}`);
    await sleep(20);
  }
}
