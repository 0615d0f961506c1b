/** The programs that are measured, started as anybody starts them, and the processor time that they take. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../cluster.ts';
import type { Login } from './bare.ts';
import { uriOf } from './database.ts';
import { ANONYMOUS, benchToken, JWT_SECRET, loads, POOL } from './loads.ts';

export const MODES = ['serve', 'edge'] as const;
export type Mode = (typeof MODES)[number];

/** The variables that put the bench's database behind a program. */
export const variablesFor = (login: Login): Readonly<Record<string, string>> => ({
  PGRST_DB_URI: uriOf(login),
  PGRST_DB_SCHEMAS: 'api',
  PGRST_DB_ANON_ROLE: ANONYMOUS,
  PGRST_DB_POOL: String(POOL),
  PGRST_JWT_SECRET: JWT_SECRET,
});

export interface Program {
  readonly port: number;
  readonly pid: number;
  /** Milliseconds of processor time until now, of all its processes; null where the system has no /proc. */
  cpu(): Promise<number | null>;
  /** Bytes of memory that the program itself has had at the most; null where the system has no /proc. */
  memory(): Promise<number | null>;
  /** Asks it to end and waits until it has. */
  stop(): Promise<void>;
}

/** Starts `edgerest <mode>` of a checkout on a free port and returns when it answers as it should. */
export async function startProgram(
  checkout: string,
  mode: Mode,
  variables: Readonly<Record<string, string>>,
): Promise<Program> {
  const port = await freePort();
  const inherited = Object.entries(process.env).filter(([name]) => !/^(PGRST|EDGEREST)_/.test(name));
  const child = spawn(process.execPath, [join(checkout, 'pooler/cli/main.ts'), mode], {
    env: {
      ...Object.fromEntries(inherited),
      ...variables,
      PGRST_SERVER_HOST: '127.0.0.1',
      PGRST_SERVER_PORT: String(port),
      PGRST_LOG_LEVEL: 'crit',
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-4096);
  });
  const exited = once(child, 'exit');
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await exited;
  };
  while (!(await answers(port))) {
    if (hasEnded(child)) throw new Error(`edgerest ${mode} ended: ${said}`);
    await sleep(50);
  }
  const pid = child.pid ?? 0;
  return { port, pid, cpu: () => cpuTime(pid), memory: () => peakMemory(pid), stop };
}

const hasEnded = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode !== null || signalCode !== null;

async function answers(port: number): Promise<boolean> {
  const headers = { Authorization: `Bearer ${benchToken()}` };
  const answer = await fetch(`http://127.0.0.1:${port}${loads['one-row'].target}`, { headers }).catch(() => null);
  if (answer === null || answer.status === 503) return false;
  const text = await answer.text();
  if (text === '[{"id":5,"name":"user5","age":5}]') return true;
  throw new Error(`the wrong answer: ${answer.status} ${text.slice(0, 500)}`);
}

/** Milliseconds of a tick of /proc's clock: USER_HZ is 100 on every platform that Node runs on. */
const TICK = 10;

/** The most memory that a process has had (proc(5): VmHWM). */
async function peakMemory(pid: number): Promise<number | null> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const kilobytes = /^VmHWM:\s+(\d+) kB/m.exec(status)?.[1];
  return kilobytes === undefined ? null : Number(kilobytes) * 1024;
}

/** User and system time of a process and of what it has started (proc(5)). */
export async function cpuTime(pid: number): Promise<number | null> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  if (stat === null) return null;
  // The name stands in parentheses and may hold anything; utime and stime are the 14th and 15th field.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  let time = (Number(fields[11]) + Number(fields[12])) * TICK;
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  for (const child of children.split(' ')) if (child !== '') time += (await cpuTime(Number(child))) ?? 0;
  return time;
}
