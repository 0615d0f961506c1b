/** The schema cache while it is loaded: at the start, by notifications that overlap, under statements that know an older schema. */
import { expect, test } from 'vitest';
import { freePort } from '../cluster.ts';
import { ask, office, portOf, until } from './program.ts';

const db = office('reloads');

/** A load takes so many milliseconds longer. */
const SLOW = { PGRST_INTERNAL_SCHEMA_CACHE_QUERY_SLEEP: '400' } as const;

const loads = (said: string): number => said.split('Schema cache loaded').length - 1;

test('nobody is answered before the first load, of which there is one', async () => {
  const [port, admin] = [await freePort(), await freePort()];
  const env = { ...SLOW, PGRST_SERVER_PORT: String(port), PGRST_ADMIN_SERVER_PORT: String(admin) };
  const process = db.start('serve', env);
  await portOf(process, 'Admin server');
  let refused = 0;
  while (loads(process.said()) === 0) {
    const answer = await ask(port, '/item').catch(() => null);
    // The last question may have come after the load.
    if (answer === null) refused++;
    else expect(answer.status).toBe(200);
  }
  expect(refused).toBeGreaterThan(0);
  await portOf(process, 'API server');
  expect((await ask(port, '/item')).status).toBe(200);
  expect((await ask(admin, '/metrics')).text).toContain('pgrst_schema_cache_loads_total{status="SUCCESS"} 1\n');
});

test('a notification during a load is not lost', async () => {
  const { sql } = db.database;
  const { process, port } = await db.serve({ ...SLOW, PGRST_ADMIN_SERVER_PORT: '0' });
  const admin = await portOf(process, 'Admin server');
  await sql`drop function if exists mult`;
  await sql`create function mult(a int, b int) returns int language sql stable as 'select a * b'`;
  await sql`notify pgrst, 'reload schema'`;
  await until(process, () => process.said().includes('Received a schema cache reload message'));
  await sql`drop function mult`.then(
    () => sql`
    create function mult(c int, d int) returns int language sql stable as 'select c * d'`,
  );
  await sql`notify pgrst, 'reload schema'`;
  // Nobody asks for it meanwhile.
  await until(process, async () => /"name":"mult"[^\]]*"name":"d"/.test((await ask(admin, '/schema_cache')).text));
  expect((await ask(port, '/rpc/mult?c=3&d=4')).text).toBe('12');
  expect((await ask(port, '/rpc/mult?a=3&b=4')).status).toBe(404);
});

test('a column of another type is asked for as such once that is told', async () => {
  const { sql } = db.database;
  await sql
    .unsafe(
      `drop table if exists cat; create table cat (id uuid primary key, name text); grant select on cat to ${db.anon}`,
    )
    .simple();
  const { process, port } = await db.serve();
  // More than once on each connection: the statement has a name there.
  for (let i = 0; i < 4; i++) {
    expect((await ask(port, '/cat?id=eq.dea27321-f988-4a57-93e4-8eeb38f3cf1e')).text).toBe('[]');
  }
  const before = loads(process.said());
  await sql
    .unsafe(
      `alter table cat drop column id; alter table cat add column id bigint primary key; insert into cat values ('Tom', 1);
       notify pgrst, 'reload schema'`,
    )
    .simple();
  await until(process, () => loads(process.said()) > before);
  for (let i = 0; i < 4; i++) expect((await ask(port, '/cat?id=eq.1&select=id')).text).toBe('[{"id":1}]');
});

test('a table that is dropped is the database’s error until that is loaded, and then ours', async () => {
  const { sql } = db.database;
  await sql
    .unsafe(`drop table if exists stale; create table stale (id int); grant select on stale to ${db.anon}`)
    .simple();
  const { process, port } = await db.serve(SLOW);
  expect((await ask(port, '/stale')).status).toBe(200);
  const before = loads(process.said());
  await sql`drop table stale`;
  expect(await ask(port, '/stale')).toMatchObject({ status: 404, text: expect.stringContaining('"code":"42P01"') });
  await sql`notify pgrst, 'reload schema'`;
  await until(process, () => loads(process.said()) > before);
  expect(await ask(port, '/stale')).toMatchObject({ status: 404, text: expect.stringContaining('"code":"PGRST205"') });
});
