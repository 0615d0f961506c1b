import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Cluster, ClusterError, freePort, throwAwaySettings as settings, startCluster } from './cluster.ts';

let dataDir: string;
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'edgerest-cluster-'));
});
afterAll(() => rm(dataDir, { recursive: true, force: true }));

async function ask(uri: string, statement: string): Promise<unknown> {
  const sql = postgres(uri, { max: 1, connect_timeout: 5 });
  try {
    return (await sql.unsafe(statement).values())[0]?.[0];
  } finally {
    await sql.end();
  }
}

async function usable(port: number): Promise<boolean> {
  const probe = createServer().listen(port, '127.0.0.1');
  try {
    await once(probe, 'listening');
  } catch {
    return false;
  }
  probe.close();
  await once(probe, 'close');
  return true;
}

const code = (start: Promise<Cluster>): Promise<unknown> =>
  start.then(
    (cluster) => cluster.stop(),
    (error: unknown) => (error instanceof ClusterError ? error.code : error),
  );

test('data stays between starts, unless a fresh start is asked for, and a lock that nobody holds is no obstacle', async () => {
  const first = await startCluster({ dataDir, settings });
  await ask(first.superuserUri(), 'create table kept as select 42 as answer');
  await first.stop();
  await first.stop();
  expect(await usable(first.port)).toBe(true);

  await writeFile(join(first.dataDir, 'postmaster.pid'), `${process.pid}\n`);
  const second = await startCluster({ dataDir, settings, port: first.port });
  expect(await ask(second.superuserUri(), 'select answer from kept')).toBe(42);
  await second.stop();

  const third = await startCluster({ dataDir, settings, fresh: true });
  expect(await ask(third.superuserUri(), "select to_regclass('kept')")).toBeNull();
  await third.stop();
});

test('rules and files reach the server; the superuser needs the password', async () => {
  const hba = ['host all guest 127.0.0.1/32 trust'];
  const cluster = await startCluster({ dataDir, settings, hba, files: { 'note.txt': 'of ours' } });
  await ask(cluster.superuserUri(), 'create role guest login');
  expect(await ask(cluster.superuserUri(), "select pg_read_file('note.txt')")).toBe('of ours');
  expect(await ask(`postgresql://guest@127.0.0.1:${cluster.port}/postgres`, 'select current_user')).toBe('guest');
  await expect(ask(`postgresql://postgres:wrong@127.0.0.1:${cluster.port}/postgres`, 'select 1')).rejects.toThrow(
    'password authentication failed',
  );
  await cluster.stop();
});

test('a port in use, an unknown setting and data of another version are refused in one line', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const address = taken.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  expect(await code(startCluster({ dataDir, settings, port }))).toBe('port');
  taken.close();

  const nonsense = startCluster({ dataDir, settings: { ...settings, no_such_thing: '1' } });
  await expect(nonsense).rejects.toThrow(/^postgres ended: .*no_such_thing.*$/);

  const { stop, dataDir: real } = await startCluster({ dataDir, settings });
  await stop();
  await writeFile(join(real, 'PG_VERSION'), '9\n');
  expect(await code(startCluster({ dataDir, settings }))).toBe('version');
});

test('whoever starts a server and is killed takes it along', async () => {
  const port = await freePort();
  const script = `
    import { startCluster } from ${JSON.stringify(join(import.meta.dirname, 'cluster.ts'))};
    const [dataDir, port] = process.argv.slice(1);
    await startCluster({ dataDir, port: Number(port), settings: { fsync: 'off' }, fresh: true });
    process.kill(process.pid, 'SIGKILL');`;
  const owner = spawn(process.execPath, ['--input-type=module', '-e', script, dataDir, String(port)], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const [, signal] = await once(owner, 'exit');
  expect(signal).toBe('SIGKILL');
  await vi.waitFor(async () => expect(await usable(port)).toBe(true), { timeout: 20_000 });
  const next = await startCluster({ dataDir, settings });
  await next.stop();
});
