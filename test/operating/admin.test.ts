/** The admin server, as balancers, orchestrators and Prometheus use it. */

import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Answer, ask, office, type Place, type Process, portOf, says, until } from './program.ts';

const db = office('admin');

const ADMIN = { PGRST_ADMIN_SERVER_HOST: '127.0.0.1', PGRST_ADMIN_SERVER_PORT: '0' };

const statusOf = async (place: Place, path: string): Promise<number> => (await ask(place, path)).status;

/** The value of a metric, its labels written as Prometheus writes them. */
async function metric(admin: Place, name: string): Promise<number> {
  const { text } = await ask(admin, '/metrics');
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${name} `));
  if (line === undefined) throw new Error(`no ${name} in ${text}`);
  return Number(line.slice(name.length + 1));
}

describe.each(['serve', 'edge', 'pooler'] as const)('%s', (command) => {
  test('answers whether it lives and is ready, and with its schema cache and metrics', async () => {
    const process = db.start(command, { ...ADMIN, EDGEREST_POOLER_SECRET: 'x'.repeat(32) });
    const admin = await portOf(process, 'Admin server');
    await until(process, async () => (await statusOf(admin, '/live')) === 200);
    const plain: Answer = await ask(admin, '/ready');
    expect([plain.status, plain.text]).toEqual([200, '']);
    expect(await statusOf(admin, '/notfound')).toBe(404);
    expect(await statusOf(admin, '/')).toBe(404);
    expect(JSON.parse((await ask(admin, '/schema_cache')).text)).toMatchObject({
      tables: [{ name: 'item' }, { name: 'part' }, { name: 'secret_plan' }],
    });
    const metrics = await ask(admin, '/metrics');
    expect(metrics.headers['content-type']).toBe('text/plain; charset=utf-8');
    for (const name of ['process_cpu_seconds_total', 'edgerest_queue_wait_seconds_count', 'pgrst_db_pool_available']) {
      expect(metrics.text).toContain(`\n${name} `);
    }
    expect(await metric(admin, 'pgrst_schema_cache_loads_total{status="SUCCESS"}')).toBe(1);
    expect(await metric(admin, 'pgrst_schema_cache_query_time_seconds')).toBeGreaterThan(0);
    expect(await metric(admin, 'pgrst_db_pool_max')).toBe(2);
  });
});

test('the metrics of requests', async () => {
  const { process, port } = await db.serve({
    ...ADMIN,
    PGRST_DB_POOL: '1',
    PGRST_DB_POOL_ACQUISITION_TIMEOUT: '1',
    PGRST_JWT_CACHE_MAX_ENTRIES: '1',
  });
  const admin = await portOf(process, 'Admin server');
  for (const n of [1, 1, 2]) {
    const authorization = `Bearer ${await db.token({ n })}`;
    expect(await (await ask(port, '/item?id=eq.1', { headers: { authorization } })).status).toBe(200);
  }
  expect(await statusOf(port, '/rpc/fail')).toBe(500);
  const nap = ask(port, '/rpc/nap', { method: 'POST', body: '{"seconds": 2}' });
  await until(process, async () => (await metric(admin, 'edgerest_pool_busy')) === 1);
  const waiting = statusOf(port, '/item');
  await until(process, async () => (await metric(admin, 'pgrst_db_pool_waiting')) === 1);
  expect(await waiting).toBe(504);
  await nap;
  const values = {
    pgrst_jwt_cache_requests_total: 3,
    pgrst_jwt_cache_hits_total: 1,
    pgrst_jwt_cache_evictions_total: 1,
    pgrst_db_pool_timeouts_total: 1,
    'edgerest_pool_refused_total{reason="acquisition-timeout"}': 1,
    edgerest_pool_connects_total: 1,
    'edgerest_http_answers_total{status="200"}': 4,
    'edgerest_http_answers_total{status="500"}': 1,
    'edgerest_http_answers_total{status="504"}': 1,
    edgerest_queue_wait_seconds_count: 5,
    'edgerest_flight_seconds_count{outcome="completed"}': 4,
    'edgerest_flight_seconds_count{outcome="failed"}': 1,
  };
  const found = await Promise.all(Object.keys(values).map(async (name) => [name, await metric(admin, name)]));
  expect(Object.fromEntries(found)).toEqual(values);
});

/** A process with both servers on socket files. */
async function onFiles(
  name: string,
  env: Readonly<Record<string, string>> = {},
): Promise<{ process: Process; api: string; admin: string }> {
  const api = join(db.folder, `${name}.sock`);
  const admin = join(db.folder, `${name}-admin.sock`);
  const process = db.start('serve', { PGRST_SERVER_UNIX_SOCKET: api, PGRST_ADMIN_SERVER_UNIX_SOCKET: admin, ...env });
  await says(process, /Admin server listening on .+-admin\.sock\n/);
  return { process, api, admin };
}

test('it is not live and not ready before the API is there', async () => {
  const { process, admin } = await onFiles('pending', { PGRST_INTERNAL_SCHEMA_CACHE_QUERY_SLEEP: '500' });
  expect(await statusOf(admin, '/live')).toBe(500);
  expect(await statusOf(admin, '/ready')).toBe(503);
  expect((await ask(admin, '/schema_cache')).text).toBe('');
  await says(process, /API server listening/);
  expect(await statusOf(admin, '/ready')).toBe(200);
});

test('it is neither once nobody can reach the API any more', async () => {
  const { process, api, admin } = await onFiles('removed');
  await says(process, /API server listening/);
  expect([await statusOf(admin, '/live'), await statusOf(admin, '/ready')]).toEqual([200, 200]);
  await rm(api);
  expect([await statusOf(admin, '/live'), await statusOf(admin, '/ready')]).toEqual([500, 500]);
});

test('it is not ready while the schema cache is an old one, which serves on', async () => {
  const { process, api, admin } = await onFiles('old');
  await says(process, /API server listening/);
  const { sql } = db.database;
  await sql`alter schema public rename to moved`;
  try {
    process.child.kill('SIGUSR1');
    await says(process, /Failed to load the schema cache/);
    expect([await statusOf(admin, '/live'), await statusOf(admin, '/ready')]).toEqual([200, 503]);
    expect(await metric(admin, 'pgrst_schema_cache_loads_total{status="FAIL"}')).toBe(1);
    expect((await ask(api, '/rpc/nowhere', { method: 'OPTIONS' })).status).toBe(404);
  } finally {
    await sql`alter schema moved rename to public`;
  }
  process.child.kill('SIGUSR1');
  await until(process, async () => (await statusOf(admin, '/ready')) === 200);
});

test('without a channel the database is asked', async () => {
  const { process, admin } = await onFiles('channel', { PGRST_DB_CHANNEL_ENABLED: 'false' });
  await says(process, /API server listening/);
  expect(await statusOf(admin, '/ready')).toBe(200);
  expect(process.said()).not.toContain('Listener connected');
});

test('a database that is away leaves it live', async () => {
  const process = db.start('serve', { ...ADMIN, PGRST_DB_URI: 'postgresql://nobody@127.0.0.1:1/none' });
  const admin = await portOf(process, 'Admin server');
  await says(process, /API server listening/);
  expect([await statusOf(admin, '/live'), await statusOf(admin, '/ready')]).toEqual([200, 503]);
  expect((await ask(admin, '/schema_cache')).text).toBe('');
});

test('it answers until the program has ended, and says that it is ending', async () => {
  const { process, api, admin } = await onFiles('ending');
  await says(process, /API server listening/);
  const nap = ask(api, '/rpc/nap', { method: 'POST', body: '{"seconds": 0.5}' });
  await until(process, async () => (await metric(admin, 'edgerest_pool_busy')) === 1);
  process.child.kill('SIGTERM');
  await until(process, async () => (await statusOf(admin, '/live')) === 500);
  expect((await nap).text).toBe('7');
  expect(await process.exited).toBe(0);
});

test.each(['!4', '*4', '*'])('a server-host of %s is the host of the admin server too', async (host) => {
  const process = db.start('serve', { PGRST_SERVER_HOST: host, PGRST_ADMIN_SERVER_PORT: '0' });
  await says(process, /API server listening/);
  const port = Number(/Admin server listening on .+:(\d+)\n/.exec(process.said())?.[1]);
  expect([await statusOf(port, '/live'), await statusOf(port, '/ready')]).toEqual([200, 200]);
});

test('a port in use stops the start', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const address = taken.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const process = db.start('serve', { ...ADMIN, PGRST_ADMIN_SERVER_PORT: String(address.port) });
  expect(await process.exited).toBe(1);
  expect(process.said()).toContain(
    `edgerest: port ${address.port} is in use: stop what uses it, or set PGRST_ADMIN_SERVER_PORT`,
  );
  taken.close();
});
