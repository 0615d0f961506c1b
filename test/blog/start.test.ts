/** `npm start` as a newcomer meets it: with a PostgreSQL of its own, pasted lines, Ctrl-C. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../cluster.ts';
import { sharedBlog } from './database.ts';
import { blogVariables } from './server.ts';

const run = promisify(execFile);
const program = fileURLToPath(new URL('../../examples/blog/start.ts', import.meta.url));

interface Run {
  readonly pid: number;
  /** What it printed so far, both streams. */
  printed(): string;
  /** Waits until it printed this; throws what it printed when it ends before. */
  prints(text: string): Promise<void>;
  kill(signal: NodeJS.Signals): void;
  readonly exited: Promise<number | null>;
}

function start(
  args: readonly string[],
  variables: Readonly<Record<string, string>>,
  command: readonly [string, ...string[]] = [process.execPath, program],
): Run {
  const [file, ...before] = command;
  const inherited = Object.entries(process.env).filter(([name]) => !/^(PGRST|EDGEREST)_/.test(name));
  const child = spawn(file, [...before, ...args], {
    env: { ...Object.fromEntries(inherited), ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      printed += chunk;
    });
  }
  const exited = once(child, 'close').then(([status]: (number | null)[]) => status ?? null);
  return {
    pid: child.pid ?? 0,
    printed: () => printed,
    prints: async (text) => {
      while (!printed.includes(text)) {
        if (child.exitCode !== null || child.signalCode !== null) throw new Error(`it ended: ${printed}`);
        await sleep(50);
      }
    },
    kill: (signal) => child.kill(signal),
    exited,
  };
}

/** What a pasted line answers: through curl, or, where there is none, through fetch with what the shell makes of the line. */
async function paste(command: string): Promise<unknown> {
  const there = await run('curl', ['--version']).then(
    () => true,
    () => false,
  );
  const curl = there ? '' : 'curl() { printf "%s\\n" "$@"; }; ';
  const { stdout } = await run('/bin/sh', ['-c', curl + command]);
  if (there) return JSON.parse(stdout);
  const [url = '', ...options] = stdout.trimEnd().split('\n');
  const valuesOf = (option: string) => options.filter((_, index) => options[index - 1] === option);
  const headers = valuesOf('-H').map((header) => header.split(': ', 2));
  const [body] = valuesOf('-d');
  const sent = body === undefined ? {} : { method: 'POST', body };
  const response = await fetch(url, { headers: Object.fromEntries(headers), ...sent });
  return response.json();
}

/** All processes below one, as "pid start-time": a pid that is given out again does not look the same. */
async function descendants(of: number): Promise<string[]> {
  const all = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    all.map(async (pid) => {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // proc(5): the name may hold anything
      return { pid: Number(pid), parent: Number(fields[1]), started: fields[19] };
    }),
  );
  const children = (parent: number): string[] =>
    found
      .filter((process) => process.parent === parent)
      .flatMap(({ pid, started }) => [`${pid} ${started}`, ...children(pid)]);
  return children(of);
}

async function isAlive(process: string): Promise<boolean> {
  const [pid, started] = process.split(' ');
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return stat !== '' && state !== 'Z' && fields[18] === started;
}

async function alive(processes: readonly string[]): Promise<string[]> {
  const found = await Promise.all(processes.map(isAlive));
  return processes.filter((_, index) => found[index]);
}

let dataDir: string;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'edgerest-start-'));
});
afterAll(() => rm(dataDir, { recursive: true, force: true }));

describe('npm start', { timeout: 120_000 }, () => {
  test('shows lines that work when pasted, keeps its data, and leaves no process behind', async () => {
    const port = await freePort();
    const variables = { PGRST_SERVER_PORT: String(port) };
    const first = start(['--data', dataDir], variables);
    await first.prints('Ctrl-C stops everything.');
    const url = `http://localhost:${port}`;
    expect(first.printed()).toContain(`\n  ${url}\n`);
    const started = existsSync('/proc/self/stat') ? await descendants(first.pid) : [];

    const lines = first.printed().split('\n');
    const tokens = lines.filter((line) => /^[\w-]+\.[\w-]+\.[\w-]+$/.test(line));
    expect(tokens).toHaveLength(2);
    const commands = lines.filter((line) => line.startsWith('curl '));
    expect(commands).toHaveLength(5);
    const answers: unknown[] = [];
    for (const command of commands) {
      answers.push(await paste(command));
    }
    expect(answers).toEqual([
      [
        { name: 'Ada', last_name: 'Lovelace', age: 36 },
        { name: 'Grace', last_name: 'Hopper', age: 85 },
        { name: 'Edsger', last_name: 'Diffie', age: 30 },
      ],
      [
        { last_name: 'Lovelace', post: [{ title: 'Note G' }] },
        { last_name: 'Hopper', post: [{ title: 'A moth in relay 70' }] },
        { last_name: 'Diffie', post: [{ title: 'Repairing an old radio' }] },
      ],
      3,
      [{ id: 121, owner: 'blog_user_1', user_id: 1, title: 'A draft', body: '', published: false }],
      [{ owner: 'blog_user_2', title: 'Eleven inches of wire' }],
    ]);

    first.kill('SIGINT');
    expect(await first.exited).toBe(0);
    expect(await alive(started)).toEqual([]);

    // Again: Ada's draft is still there. This time everything goes with SIGTERM.
    const second = start(['--data', dataDir], variables);
    await second.prints('Ctrl-C stops everything.');
    expect(second.printed()).toContain('kept from an earlier run');
    const token = second
      .printed()
      .split('\n')
      .find((line) => /^[\w-]+\.[\w-]+\.[\w-]+$/.test(line));
    const kept = await fetch(`${url}/post?title=eq.A%20draft&select=id`, {
      headers: { Authorization: `Bearer ${token}` },
    });
    expect(await kept.json()).toEqual([{ id: 121 }]);
    second.kill('SIGTERM');
    expect(await second.exited).toBe(0);

    const fresh = start(['--data', dataDir, '--fresh'], variables);
    await fresh.prints('Ctrl-C stops everything.');
    expect(fresh.printed()).toContain('The database (new)');
    const below = existsSync('/proc/self/stat') ? await descendants(fresh.pid) : [];
    fresh.kill('SIGKILL');
    await fresh.exited;
    while ((await alive(below)).length > 0) await sleep(50); // nobody is left to wait for them, and they end all the same
  });

  test.each(['SIGTERM', 'SIGKILL'] as const)('npm itself ended by %s takes everything with it', async (signal) => {
    const npm = start(['--data', dataDir], { PGRST_SERVER_PORT: String(await freePort()) }, ['npm', 'start', '--']);
    await npm.prints('Ctrl-C stops everything.');
    const below = existsSync('/proc/self/stat') ? await descendants(npm.pid) : [];
    npm.kill(signal);
    await npm.exited;
    while ((await alive(below)).length > 0) await sleep(50);
    expect(npm.printed()).toContain('Everything has stopped.');
  });

  test('stopped in the middle of its start, it ends in order', async () => {
    const early = start(['--data', dataDir], { PGRST_SERVER_PORT: String(await freePort()) });
    await early.prints('PostgreSQL 18 …');
    early.kill('SIGINT');
    early.kill('SIGINT');
    expect(await early.exited).toBe(0);
    expect(existsSync(join(dataDir, 'postmaster.pid'))).toBe(false);
  });

  test('a port in use is one line that says what to do', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const address = other.address();
    const port = address !== null && typeof address === 'object' ? address.port : 0;
    const refused = start(['--data', dataDir], { PGRST_SERVER_PORT: String(port) });
    expect(await refused.exited).toBe(1);
    expect(refused.printed().trim()).toMatch(/^edgerest: port \d+ is in use: .*PGRST_SERVER_PORT=\d+ npm start$/);
    other.close();
  });

  test('with PGRST_DB_URI it serves that database and starts no other', async () => {
    const blog = await sharedBlog();
    const port = await freePort();
    const given = start([], { ...blogVariables(blog), PGRST_SERVER_PORT: String(port) });
    await given.prints('Ctrl-C stops it.');
    expect(given.printed()).toContain('served as it is');
    expect(given.printed()).not.toContain('PostgreSQL 18 …');
    const answer = await fetch(`http://localhost:${port}/user?id=eq.1&select=name`);
    expect(await answer.json()).toEqual([{ name: 'Ada' }]);
    given.kill('SIGINT');
    expect(await given.exited).toBe(0);

    const fresh = start(['--fresh'], { ...blogVariables(blog), PGRST_SERVER_PORT: String(port) });
    expect(await fresh.exited).toBe(1);
    expect(fresh.printed().trim().split('\n')).toHaveLength(1);
  });

  test('--help and a wrong option', async () => {
    const help = start(['--help'], {});
    expect(await help.exited).toBe(0);
    expect(help.printed()).toContain('--fresh');
    const wrong = start(['--frsh'], {});
    expect(await wrong.exited).toBe(1);
    expect(wrong.printed().trim().split('\n')).toHaveLength(1);
  });
});
