/** What should not happen, in the log and in the metrics: one line each, for people and for programs. */
import { request } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { killAll } from '../../pooler/cli/program.fixture.ts';
import { transactionRequest } from '../../shared/hop/request.fixture.ts';
import { HttpHop } from '../../worker/hop/http.ts';
import { ask, office, type Place, portOf, says, until } from './program.ts';

const db = office('events');
// Naps of a test that failed are not counted when it is tried again.
afterEach(killAll);

const ADMIN = { PGRST_ADMIN_SERVER_HOST: '127.0.0.1', PGRST_ADMIN_SERVER_PORT: '0' };

async function metric(admin: Place, name: string): Promise<number> {
  const { text } = await ask(admin, '/metrics');
  return Number(text.split(`\n${name} `)[1]?.split('\n')[0]);
}

/** The lines of an event, without the time in front. */
const linesOf = (said: string, event: string): readonly string[] =>
  said
    .split('\n')
    .filter((line) => line.includes(` event=${event} `))
    .map((line) => line.slice(line.indexOf(': ') + 2));

/** Waits until the pool's sessions are such. */
async function sessions(are: (waiting: readonly (string | null)[]) => boolean): Promise<void> {
  for (;;) {
    const rows = await db.database.sql<{ wait_event: string | null }[]>`select wait_event from pg_stat_activity
      where usename = ${db.login} and query !~* '^listen'`;
    if (are(rows.map((row) => row.wait_event))) return;
  }
}

const naps = (count: number) => sessions((events) => events.filter((event) => event === 'PgSleep').length === count);

test('a connection that the server ends', async () => {
  const { process, port } = await db.serve(ADMIN);
  const admin = await portOf(process, 'Admin server');
  expect((await ask(port, '/item')).status).toBe(200);
  await db.database.sql`select pg_terminate_backend(pid) from pg_stat_activity
    where usename = ${db.login} and query !~* '^listen'`;
  await says(process, / event=connection_lost /);
  expect(linesOf(process.said(), 'connection_lost')).toEqual([
    'A connection was lost. event=connection_lost reason="terminating connection due to administrator command"',
  ]);
  expect(await metric(admin, 'edgerest_pool_connections_lost_total')).toBe(1);
  expect((await ask(port, '/item')).status).toBe(200);
});

test('a client that goes away', async () => {
  const { process, port } = await db.serve({ ...ADMIN, PGRST_LOG_LEVEL: 'info' });
  const admin = await portOf(process, 'Admin server');
  const gone = request({ host: '127.0.0.1', port, path: '/rpc/nap', method: 'POST' });
  gone.on('error', () => undefined).end('{"seconds": 600}');
  await naps(1);
  gone.destroy();
  await says(process, / event=cancel /);
  expect(linesOf(process.said(), 'cancel')).toEqual([
    expect.stringMatching(
      new RegExp(
        '^The database was asked to cancel a transaction\\. event=cancel reason=client-gone outcome=failed ' +
          `role=${db.anon} key="${db.anon} 127\\.0\\.0\\.0/24" took_ms=[\\d.]+$`,
      ),
    ),
  ]);
  expect(await metric(admin, 'edgerest_pool_cancels_total{reason="client-gone"}')).toBe(1);
  expect(await metric(admin, 'edgerest_pool_cancels_total{reason="deadline"}')).toBe(0);
});

test('requests that get no connection', async () => {
  const { process, port } = await db.serve({
    ...ADMIN,
    PGRST_LOG_LEVEL: 'warn',
    PGRST_DB_POOL: '1',
    PGRST_DB_POOL_ACQUISITION_TIMEOUT: '1',
    EDGEREST_QUEUE_LENGTH: '1',
  });
  const admin = await portOf(process, 'Admin server');
  const nap = ask(port, '/rpc/nap', { method: 'POST', body: '{"seconds": 2}' });
  await naps(1);
  const answers = Array.from({ length: 5 }, () => ask(port, '/item'));
  await until(process, async () => (await metric(admin, 'edgerest_queue_keys')) === 1);
  expect(await metric(admin, 'edgerest_queue_oldest_seconds')).toBeGreaterThan(0);
  const statuses = (await Promise.all(answers)).map(({ status }) => status);
  expect(statuses.sort()).toEqual([503, 503, 503, 503, 504]);
  // Of four that were refused at the same time the first is told at once.
  expect(linesOf(process.said(), 'queue_full')).toEqual([
    `The queue is full: a request was refused. event=queue_full key="${db.anon} 127.0.0.0/24" count=1`,
  ]);
  expect(linesOf(process.said(), 'acquisition_timeout')).toEqual([
    `A request waited for a connection in vain. event=acquisition_timeout key="${db.anon} 127.0.0.0/24" count=1`,
  ]);
  expect((await nap).status).toBe(200);
});

test('a transaction that is sent again, since its table has changed', async () => {
  const { process, port } = await db.serve({ ...ADMIN, PGRST_LOG_LEVEL: 'info', PGRST_DB_CHANNEL_ENABLED: 'false' });
  const admin = await portOf(process, 'Admin server');
  for (let i = 0; i < 3; i++) expect((await ask(port, '/part?id=eq.10&name=neq.a-value')).status).toBe(200);
  expect(await metric(admin, 'edgerest_prepared_statements_total{result="hit"}')).toBe(4);
  expect(await metric(admin, 'edgerest_prepared_statements_total{result="miss"}')).toBe(2);
  await db.database.sql`alter table part alter id type text`;
  try {
    expect((await ask(port, '/part?id=eq.10&name=neq.a-value')).status).toBe(200);
  } finally {
    await db.database.sql`alter table part alter id type int using id::int`;
  }
  await says(process, / event=flight_retried /);
  expect(linesOf(process.said(), 'flight_retried')).toEqual([
    expect.stringMatching(
      /^A transaction was sent again: .+ event=flight_retried reason=stale-statements outcome=completed role=/,
    ),
  ]);
  expect(await metric(admin, 'edgerest_flights_per_request_bucket{le="1"}')).toBe(3);
  expect(await metric(admin, 'edgerest_flights_per_request_bucket{le="2"}')).toBe(4);
  expect(process.said()).not.toContain('a-value');
});

test('messages that the hop refuses', async () => {
  const env = { ...ADMIN, PGRST_LOG_LEVEL: 'warn', EDGEREST_POOLER_SECRET: 'x'.repeat(32) };
  const process = db.start('pooler', env);
  const admin = await portOf(process, 'Admin server');
  const url = `http://127.0.0.1:${await portOf(process, 'Pooler')}`;
  const statement = { text: "select 'a-literal'", parameters: ['a-value'], result: { kind: 'none' } } as const;
  const request = transactionRequest({ schema: 'public', token: null, statements: [statement], snapshot: '' });
  const outcome = await new HttpHop({ url, secret: 'x'.repeat(32) }).transaction(request, null, null);
  expect(outcome).toMatchObject({ failure: { kind: 'refused' } });
  await new HttpHop({ url, secret: 'y'.repeat(32) }).transaction(request, null, null);
  await until(process, () => linesOf(process.said(), 'message_refused').length === 2);
  expect(linesOf(process.said(), 'message_refused')).toEqual([
    expect.stringMatching(/^The hop refused a message: snapshot\. .+ event=message_refused reason=snapshot$/),
    expect.stringMatching(
      /^The hop refused a message from 127\.0\.0\.1: secret\. .+ event=message_refused reason=secret from=127\.0\.0\.1$/,
    ),
  ]);
  expect(await metric(admin, 'edgerest_hop_refused_total{reason="secret"}')).toBe(1);
  for (const value of ['a-value', 'a-literal', 'yyyy']) expect(process.said()).not.toContain(value);
});
