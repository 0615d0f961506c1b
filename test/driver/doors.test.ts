/** The API and the driver's endpoint beside each other: neither holds what the other needs. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, neon, neonConfig } from '@neondatabase/serverless';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import WebSocket from 'ws';
import { killAll } from '../../pooler/cli/program.fixture.ts';
import { ask, office, portOf } from '../operating/program.ts';
import { uniqueName } from '../postgres.ts';

const json = { 'Content-Type': 'application/json' };
const open = office('doors');
const user = uniqueName('doors_user');
const other = uniqueName('doors_other');

beforeAll(async () => {
  await open.database.sql
    .unsafe(
      `create role ${user} login password 'own'; create role ${other} login password 'own'; grant usage on schema public to ${open.anon}`,
    )
    .simple();
});
afterAll(async () => {
  await open.database.sql.unsafe(`drop role ${user}; drop role ${other}`).simple();
});
afterEach(killAll);

async function opened(env: Record<string, string>) {
  const process = open.start('serve', { EDGEREST_DRIVER_PORT: '0', ...env });
  const port = await portOf(process, 'Driver endpoint');
  const api = `http://127.0.0.1:${await portOf(process, 'API server')}`;
  neonConfig.fetchEndpoint = () => `http://127.0.0.1:${port}/sql`;
  return {
    port,
    metrics: async () => (await ask(await portOf(process, 'Admin server'), '/metrics')).text,
    read: async () => (await fetch(`${api}/item?select=id`)).status,
    nap: (signal: AbortSignal) =>
      fetch(`${api}/rpc/nap`, { method: 'POST', headers: json, body: '{"seconds": 600}', signal }).catch(() => null),
    query: neon(open.database.uriAs(user, 'own')),
    session: async (who: string = user, application = '') => {
      const client = new Client(`${open.database.uriAs(who, 'own')}?application_name=${application}`);
      client.neonConfig.webSocketConstructor = WebSocket;
      client.neonConfig.useSecureWebSocket = false;
      client.neonConfig.wsProxy = () => `127.0.0.1:${port}/v2`;
      client.on('error', () => undefined);
      await client.connect();
      return client;
    },
  };
}

/** What the connections of somebody do at the moment. */
const states = async (who: string): Promise<readonly string[]> =>
  (await open.database.sql`select state from pg_stat_activity where usename = ${who}`).map(({ state }) => `${state}`);

const inTransaction = async (who = user): Promise<number> =>
  (await states(who)).filter((state) => state === 'idle in transaction').length;

test('sessions that stay in their transactions leave a connection to the API', async () => {
  const { session, read, query } = await opened({ PGRST_DB_POOL: '3' });
  const sessions = await Promise.all(Array.from({ length: 4 }, () => session()));
  const begun = sessions.map((client) => client.query('begin'));
  while ((await inTransaction()) < 2) await sleep(10);
  for (let i = 0; i < 10; i++) expect(await read()).toBe(200);
  expect(await inTransaction()).toBe(2);
  // Whoever waits is served when one of them ends.
  const waiting = query`select 1 as one`.then((rows) => rows);
  await Promise.all(
    sessions.map(async (client, i) => {
      await begun[i];
      await client.query('commit');
    }),
  );
  expect(await waiting).toEqual([{ one: 1 }]);
});

test('requests to the API that take long leave a connection to the endpoint', async () => {
  const { session, nap, query } = await opened({ PGRST_DB_POOL: '3' });
  const over = new AbortController();
  const naps = Array.from({ length: 4 }, () => nap(over.signal));
  while ((await states(open.login)).filter((state) => state === 'active').length < 2) await sleep(10);
  expect(await query`select 1 as one`).toEqual([{ one: 1 }]);
  const client = await session();
  expect((await client.query('select 2 as two')).rows).toEqual([{ two: 2 }]);
  over.abort();
  await Promise.all(naps);
});

test('wrong passwords close no connection of the API', async () => {
  const { read, metrics, port } = await opened({ PGRST_DB_POOL: '4', PGRST_ADMIN_SERVER_PORT: '0' });
  let going = true;
  let read200 = 0;
  const busy = Array.from({ length: 8 }, async () => {
    while (going) if ((await read()) === 200) read200++;
  });
  const connects = async () => Number(/^edgerest_pool_connects_total (\d+)$/m.exec(await metrics())?.[1]);
  while (read200 < 50) await sleep(10);
  const before = await connects();
  const guesses = await Promise.all(
    Array.from({ length: 15 }, async (_, i) => {
      const uri = open.database.uriAs(`guessed_${i}`, `guess-${i}`);
      const headers = { 'Neon-Connection-String': uri };
      return (await fetch(`http://127.0.0.1:${port}/sql`, { method: 'POST', headers, body: '{}' })).status;
    }),
  );
  const after = await connects();
  going = false;
  await Promise.all(busy);
  expect(new Set(guesses)).toEqual(new Set([400]));
  expect(after - before).toBe(0);
});

test('with one connection they take turns', async () => {
  const { session, read } = await opened({ PGRST_DB_POOL: '1' });
  const client = await session();
  for (let i = 0; i < 3; i++) {
    await client.query('begin');
    const asked = read();
    await client.query('commit');
    expect(await asked).toBe(200);
  }
});

test('EDGEREST_POOL_RESERVE', async () => {
  const none = await opened({ PGRST_DB_POOL: '3', EDGEREST_POOL_RESERVE: '0' });
  const sessions = await Promise.all(Array.from({ length: 3 }, () => none.session()));
  await Promise.all(sessions.map((client) => client.query('begin')));
  expect(await inTransaction()).toBe(3);
  killAll();
  while ((await states(user)).length > 0) await sleep(10);
  // No more than half.
  const half = await opened({ PGRST_DB_POOL: '4', EDGEREST_POOL_RESERVE: '100' });
  const more = await Promise.all(Array.from({ length: 3 }, () => half.session()));
  const begun = Promise.allSettled(more.map((client) => client.query('begin')));
  while ((await inTransaction()) < 2) await sleep(10);
  for (let i = 0; i < 10; i++) expect(await half.read()).toBe(200);
  expect(await inTransaction()).toBe(2);
  killAll();
  await begun;
});

test('EDGEREST_DRIVER_MAX_PER_USER, whatever names a user gives his sessions', async () => {
  const { session, read } = await opened({ PGRST_DB_POOL: '4', EDGEREST_DRIVER_MAX_PER_USER: '1' });
  const mine = await session(user, 'first');
  await mine.query('begin');
  const second = session(user, 'second');
  const begun = second.then((client) => client.query('begin'));
  const theirs = await session(other);
  await theirs.query('begin');
  expect(await read()).toBe(200);
  expect(await states(user)).toEqual(['idle in transaction']);
  await mine.query('commit');
  await begun;
  expect(await states(user)).toEqual(['idle in transaction']);
});
