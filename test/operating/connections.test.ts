/** Connections to the database: what can do without one, and how those look that there are. */
import { afterEach, expect, test } from 'vitest';
import { killAll, says } from '../../pooler/cli/program.fixture.ts';
import { ask, office, portOf, until } from './program.ts';

const db = office('connections');
// A nap of a test that failed is not counted when it is tried again.
afterEach(killAll);

test('what the schema cache decides needs no connection', async () => {
  const { process, port } = await db.serve({ PGRST_DB_POOL: '1' });
  const nap = ask(port, '/rpc/nap', { method: 'POST', body: '{"seconds": 60}' }).catch(() => 'killed');
  await until(process, async () => {
    const rows = await db.database.sql`
      select from pg_stat_activity where usename = ${db.login} and wait_event = 'PgSleep'`;
    return rows.length === 1;
  });
  const statusOf = async (method: string, path: string, headers = {}): Promise<number> =>
    (await ask(port, path, { method, headers })).status;
  expect(await statusOf('HEAD', '/path/notfound')).toBe(404);
  expect(await statusOf('TRACE', '/item')).toBe(405);
  expect(await statusOf('PATCH', '/rpc/role')).toBe(405);
  for (const path of ['/item', '/rpc/role', '/']) expect(await statusOf('OPTIONS', path)).toBe(200);
  const forged = `Bearer ${(await db.token()).slice(0, -9)}AAAAAAAAA`;
  expect(await statusOf('GET', '/item', { authorization: forged })).toBe(401);
  expect(await statusOf('GET', '/item?select=*,unexistent(*)')).toBe(400);
  expect(await statusOf('GET', '/unexistent')).toBe(404);
  expect(await statusOf('GET', '/item?select=id.')).toBe(400);
  process.child.kill('SIGKILL');
  expect(await nap).toBe('killed');
});

test('they say who they are, however the database is named', { timeout: 120_000 }, async () => {
  const { sql, uriAs } = db.database;
  const { hostname, port, pathname } = new URL(db.database.uri);
  const libpq = {
    PGHOST: hostname,
    PGPORT: port,
    PGDATABASE: pathname.slice(1),
    PGUSER: db.login,
    PGPASSWORD: 'the-password',
  };
  await sql.unsafe(`create or replace function who() returns text language sql stable
    as $$ select current_setting('application_name') $$`);
  const ways: readonly Readonly<Record<string, string>>[] = [
    { PGRST_DB_URI: uriAs(db.login, 'the-password') },
    { PGRST_DB_URI: 'postgresql://?', ...libpq },
    { PGRST_DB_URI: `dbname=${libpq.PGDATABASE} host=${hostname} port=${port} user=${db.login} password=the-password` },
    { PGRST_DB_URI: uriAs(db.login, 'the-password'), PGAPPNAME: 'by the environment' },
  ];
  const names = await Promise.all(
    ways.map(async (env) => {
      const { process, port: api } = await db.serve(env);
      const { text, headers } = await ask(api, '/rpc/who');
      process.child.kill('SIGKILL');
      return text.replace(String(headers.server).replace('/', ' '), 'the Server header');
    }),
  );
  expect(names).toEqual([...Array(3).fill('"the Server header"'), '"by the environment"']);
});

test('one of them listens, and says so to the database', async () => {
  const process = db.start('serve', { PGAPPNAME: 'a_listener' });
  await portOf(process, 'API server');
  await says(process, /listening for database notifications on the "pgrst" channel/);
  const rows = await db.database.sql`
    select from pg_stat_activity where application_name = 'a_listener' and query ilike 'listen "pgrst"'`;
  expect(rows).toHaveLength(1);
});
