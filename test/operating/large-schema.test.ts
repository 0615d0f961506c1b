/** A schema of hundreds of tables. */
import { beforeAll, expect, test } from 'vitest';
import { ask, office } from './program.ts';

const db = office('large');
const TABLES = 800;

let port: number;
beforeAll(async () => {
  await db.database.sql.unsafe(
    `do $$ begin for n in 1..${TABLES} loop
       execute format('create table t%s (id int primary key, other int references t%s, name text)', n, greatest(1, n - 1));
       execute format('comment on table t%s is %L', n, 'Number ' || n);
       if n % 100 = 0 then execute format('grant select on t%s, t%s to ${db.anon}', n, n - 1); end if;
     end loop; end $$`,
  );
  ({ port } = await db.serve({ PGRST_OPENAPI_MODE: 'ignore-privileges' }));
});

test('an unknown table is none, whatever is embedded in it; nothing is suggested among so many', async () => {
  for (const path of ['/unknown-table', '/unknown-table?select=unknown-rel(*)', '/t80000']) {
    const { status, text } = await ask(port, path);
    expect([status, JSON.parse(text)]).toMatchObject([404, { code: 'PGRST205', hint: null }]);
  }
  const { status, text } = await ask(port, '/t100?select=id,unknown_relation(*)');
  expect([status, JSON.parse(text)]).toMatchObject([400, { code: 'PGRST200' }]);
});

test('embedding finds its way', async () => {
  expect((await ask(port, '/t100?select=id,t99(id)')).text).toBe('[]');
});

test('the OpenAPI document has all of it', async () => {
  const { status, text } = await ask(port, '/');
  expect(status).toBe(200);
  const { definitions } = JSON.parse(text);
  for (let n = 1; n <= TABLES; n++) expect(definitions[`t${n}`]).toMatchObject({ description: `Number ${n}` });
});
