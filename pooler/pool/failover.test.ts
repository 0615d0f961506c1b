/** Two servers, of which one is the other's standby and takes its place. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import postgres from 'postgres';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Cluster, freePort, startCluster, throwAwaySettings } from '../../test/cluster.ts';
import { edgerest, killAll, says } from '../cli/program.fixture.ts';
import { type Flight, parseConnectionString } from '../wire/index.ts';
import { createPool } from './create.ts';

let folder: string;
let first: Cluster;
let second: Cluster;

/** The standby's data is the primary's, copied while that is stopped. A second attempt needs new ones. */
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'edgerest-failover-'));
  const settings = { ...throwAwaySettings, wal_level: 'replica', max_wal_senders: '4' };
  const hba = ['host replication all 127.0.0.1/32 scram-sha-256'];
  const made = await startCluster({ dataDir: join(folder, 'first'), settings, hba });
  await made.stop();
  const copy = `${made.dataDir}-standby`;
  // As root the data belongs to another user.
  await promisify(execFile)('cp', ['-a', made.dataDir, copy]);
  first = await startCluster({ dataDir: join(folder, 'first'), port: await freePort(), settings, hba });
  const { username, password } = new URL(first.superuserUri());
  const primary = `host=127.0.0.1 port=${first.port} user=${username} password=${password}`;
  second = await startCluster({
    dataDir: copy,
    settings: { ...settings, primary_conninfo: primary, wal_retrieve_retry_interval: '100ms' },
    files: { 'standby.signal': '' },
  });
});

afterEach(async () => {
  killAll();
  await Promise.all([first?.stop(), second?.stop()]);
  for (const each of [folder, first?.dataDir, second?.dataDir]) {
    if (each !== undefined) await rm(each, { recursive: true, force: true });
  }
});

function both(target: string): string {
  const { username, password } = new URL(first.superuserUri());
  const hosts = `127.0.0.1:${first.port},127.0.0.1:${second.port}`;
  return `postgresql://${username}:${password}@${hosts}/postgres?sslmode=disable&target_session_attrs=${target}`;
}

const flight = (text: string): Flight => ({
  statements: [{ text, parameters: [], prepare: 'named', result: 'row' }],
  reset: false,
});

/** A program whose API is the public schema, as the superuser: what it may do is not what is tested. */
async function serve(): Promise<(path: string) => Promise<Response>> {
  const port = await freePort();
  const program = edgerest(['serve'], {
    PGRST_DB_URI: both('read-write'),
    PGRST_DB_ANON_ROLE: 'postgres',
    PGRST_SERVER_HOST: '127.0.0.1',
    PGRST_SERVER_PORT: String(port),
  });
  await says(program, /API server listening/);
  await says(program, /Schema cache loaded/);
  return (path) => fetch(`http://127.0.0.1:${port}${path}`);
}

test('a pool follows the primary to another host, and no write is lost', async () => {
  const sql = postgres(first.superuserUri(), { max: 1, onnotice: () => undefined });
  await sql`create table ledger (n int primary key)`;
  const pool = createPool(parseConnectionString(both('read-write'), {}), { size: 3, acquisitionTimeout: 10_000 });
  const reader = createPool(parseConnectionString(both('standby'), {}), { size: 1, acquisitionTimeout: 10_000 });
  const port = async (on: typeof pool): Promise<number> => {
    const result = await on.run(flight("select current_setting('port')"));
    return Number(result.results[0]?.row?.text(0));
  };
  expect(await port(pool)).toBe(first.port);
  expect(await port(reader)).toBe(second.port);

  const api = await serve();
  expect((await api('/ledger')).status).toBe(200);

  const written: number[] = [];
  let n = 0;
  let going = true;
  const writers = Array.from({ length: 4 }, async () => {
    while (going) {
      const mine = n++;
      const result = await pool.run(flight(`insert into ledger values (${mine})`)).catch(() => null);
      if (result?.outcome === 'completed') written.push(mine);
      else await new Promise((resolve) => setTimeout(resolve, 5));
    }
  });
  await expect.poll(() => written.length).toBeGreaterThan(20);
  // A fast shutdown waits until the standby has everything.
  await expect.poll(() => sql`select from pg_stat_replication where state = 'streaming'`).toHaveLength(1);
  await sql.end();
  await first.stop();
  const there = postgres(second.superuserUri(), { max: 1, onnotice: () => undefined });
  await there`select pg_promote()`;
  const before = written.length;
  await expect.poll(() => written.length, { timeout: 20_000 }).toBeGreaterThan(before + 20);
  going = false;
  await Promise.all(writers);
  expect(await port(pool)).toBe(second.port);
  const rows = await there`select n from ledger`;
  const kept = new Set(rows.map((row) => Number(row.n)));
  expect(written.filter((each) => !kept.has(each))).toEqual([]);
  // So does a whole program: requests, and the schema cache with its notifications.
  await expect.poll(async () => (await api('/ledger?n=lt.0')).status, { timeout: 20_000 }).toBe(200);
  await there`create table arrived (n int)`;
  await there`notify pgrst`;
  await expect.poll(async () => (await api('/arrived')).status, { timeout: 20_000 }).toBe(200);
  // What was promoted is no standby any more: the connections to it are given up.
  await expect(port(reader).then(() => port(reader))).rejects.toMatchObject({ kind: 'rejected' });
  await Promise.all([pool.drain(1000), reader.drain(1000), there.end()]);
}, 60_000);
