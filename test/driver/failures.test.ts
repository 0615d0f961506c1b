/** What clients of the driver's door are told when the pool is full or the database is away. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { neon, neonConfig } from '@neondatabase/serverless';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { type Forward, forward } from '../../pooler/pool/forward.fixture.ts';
import { type Cluster, freePort, startCluster, throwAwaySettings } from '../cluster.ts';
import { superuserUri } from '../postgres.ts';
import { door } from './door.ts';

let proxy: Forward | undefined;
let folder: string | undefined;
let trusting: Cluster | undefined;

/** One server directly, one through a proxy that can be cut, one that is not there, and one that asks nobody for a password. */
const open = door('failures', {
  script: 'create table item (id int)',
  size: 1,
  acquisitionTimeout: 2500,
  queueLength: 2,
  targets: async () => {
    const port = Number(new URL(superuserUri()).port);
    proxy = await forward(port);
    folder = await mkdtemp(join(tmpdir(), 'edgerest-trusting-'));
    trusting = await startCluster({
      dataDir: join(folder, 'data'),
      settings: throwAwaySettings,
      hba: ['host all all 127.0.0.1/32 trust'],
    });
    return [
      `trusting=127.0.0.1:${trusting.port}`,
      `direct=127.0.0.1:${port}`,
      `cut=127.0.0.1:${proxy.port}`,
      `away=127.0.0.1:${await freePort()}`,
    ];
  },
});
afterAll(async () => {
  await proxy?.close();
  await trusting?.stop();
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
});
beforeEach(() => {
  neonConfig.fetchEndpoint = () => open.url;
});

const active = async (text: string): Promise<void> => {
  const runs = async () =>
    (await open.backends()).some(({ state, query }) => state === 'active' && query.includes(text));
  while (!(await runs())) await sleep(10);
};

describe('a pool that is full', () => {
  test('is told after the time that one may wait, or at once when too many wait', async () => {
    const sql = neon(open.uri({ host: 'direct' }));
    await open.database.sql`select pg_advisory_lock(1)`;
    const running = sql`select 'busy', pg_advisory_lock(1)`.then((rows) => rows);
    await active("'busy'");
    const codes = Array.from({ length: 6 }, () => sql`select 1`.catch(({ code, message }) => `${code} ${message}`));
    const told = await Promise.all(codes);
    expect(new Set(told)).toEqual(
      new Set([
        '53300 timed out waiting for a connection from the pool',
        '53300 too many requests are waiting for a connection',
      ]),
    );
    await open.database.sql`select pg_advisory_unlock(1)`;
    expect(await running).toHaveLength(1);
    expect(await sql`select 1 as one`).toEqual([{ one: 1 }]);
  });
});

describe('a database', () => {
  test('that is away is 503', async () => {
    const headers = { 'Neon-Connection-String': open.uri({ host: 'away' }) };
    expect(await open.ask({ query: 'select 1' }, headers)).toMatchObject({ status: 503, json: { code: '08006' } });
    expect(await neon(open.uri({ host: 'direct' }))`select 1 as one`).toEqual([{ one: 1 }]);
  });

  test('that is lost in the middle is 500: nobody knows what became of it', async () => {
    const headers = { 'Neon-Connection-String': open.uri({ host: 'cut' }) };
    const asked = open.ask({ query: "insert into item select 1 from pg_sleep(60), (values ('lost')) v" }, headers);
    await active("'lost'");
    await proxy?.close();
    expect(await asked).toMatchObject({ status: 500, json: { code: '08007', severity: 'ERROR' } });
  });

  test('that ends the session says so itself', async () => {
    const sql = neon(open.uri({ host: 'direct' }));
    await expect(sql`select pg_terminate_backend(pg_backend_pid())`).rejects.toMatchObject({ code: '57P01' });
    expect(await sql`select 1 as one`).toEqual([{ one: 1 }]);
  });

  test('that has its own limits says so itself', async () => {
    const sql = neon(open.uri({ host: 'direct', query: '?options=-c%20statement_timeout%3D20ms' }));
    await expect(sql`select pg_sleep(60)`).rejects.toMatchObject({
      code: '57014',
      message: 'canceling statement due to statement timeout',
    });
  });
});

test('a server that lets everybody in lets nobody in here', async () => {
  for (const user of ['postgres', 'nobody_at_all']) {
    const parts = { host: 'trusting', user, database: 'postgres', password: 'anything' };
    await expect(neon(open.uri(parts))`select 1`).rejects.toMatchObject({ code: '28P01' });
  }
  expect(open.refused).toContainEqual(expect.stringContaining('does not ask this user for a password'));
});

test('another host is refused, whatever it is', async () => {
  for (const host of ['localhost', '127.0.0.1', '169.254.169.254', 'door.example.com', '[::1]']) {
    await expect(neon(open.uri({ host }))`select 1`).rejects.toMatchObject({ code: '08004' });
  }
});

test('nothing of all this was a mistake of ours', () => {
  expect(open.faults).toEqual([]);
});
