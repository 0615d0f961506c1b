/** A write is answered when its commit is known. After a failure nothing of it is left, neither in the database nor on the connection. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Api, type Ask, createWriteDatabase, modes, sign, startApi, type WriteDatabase } from './api.ts';

const schema = `
  create table api.parent (id int primary key);
  create table api.child (id int primary key, parent int references api.parent deferrable initially deferred, note text,
    check (note <> 'forbidden'));
  insert into api.parent values (1);
  create function api.refuse_late() returns trigger language plpgsql as $$ begin
    if new.note = 'refused at commit' then raise exception 'too late' using errcode = 'PT422', hint = 'try earlier'; end if; return null; end $$;
  create constraint trigger refuse_late after insert or update on api.child initially deferred for each row execute function api.refuse_late();
  create function api.leave_things(fail bool) returns int language plpgsql volatile as $$ begin
    perform set_config('my.setting', 'left behind', false), set_config('search_path', 'pg_temp', false), set_config('timezone', 'Asia/Tokyo', false),
      set_config('request.jwt.claims', 'not yours', false), pg_advisory_lock(4711);
    create temp table child (id int);
    listen left_behind;
    insert into api.child values (900, 1, 'left');
    if fail then raise exception 'no'; end if;
    return 1; end $$;
  create function api.seen() returns json language sql stable as $$ select json_build_object(
    'role', current_user, 'my', nullif(current_setting('my.setting', true), ''), 'path', current_setting('search_path'),
    'timezone', current_setting('timezone') = 'Asia/Tokyo', 'claims', current_setting('request.jwt.claims'),
    'locks', (select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()),
    'temporary', to_regclass('pg_temp.child'), 'listening', (select count(*) from pg_listening_channels()),
    'isolation', current_setting('transaction_isolation'), 'read only', current_setting('transaction_read_only')) $$;
  create function api.slow() returns int language plpgsql volatile as $$ begin
    insert into api.child values (901, 1, 'slow'); perform pg_sleep(60); return 1; end $$;
  alter function api.slow() set statement_timeout = '100ms';`;

let database: WriteDatabase;
beforeAll(async () => {
  database = await createWriteDatabase(schema);
});
afterAll(() => database?.drop());

const singular = 'application/vnd.pgrst.object+json';
const failures: readonly (readonly [string, number, string, string, string, Ask])[] = [
  ['a foreign key at the commit', 409, '23503', 'POST', '/child', { body: { id: 1, parent: 99 } }],
  [
    'a foreign key at the commit, though the row was asked for',
    409,
    '23503',
    'POST',
    '/child',
    { body: { id: 1, parent: 99 }, headers: { prefer: 'return=representation' } },
  ],
  ['a trigger at the commit', 422, 'PT422', 'POST', '/child', { body: { id: 1, note: 'refused at commit' } }],
  [
    'a trigger at the end of what is rolled back anyway',
    422,
    'PT422',
    'POST',
    '/child',
    { body: { id: 1, note: 'refused at commit' }, headers: { prefer: 'tx=rollback' } },
  ],
  [
    'a check',
    400,
    '23514',
    'POST',
    '/child',
    {
      body: [
        { id: 1, note: 'x' },
        { id: 2, note: 'forbidden' },
      ],
    },
  ],
  ['a key that is taken', 409, '23505', 'POST', '/child', { body: [{ id: 1 }, { id: 1 }] }],
  [
    'more rows than the one that was asked for',
    406,
    'PGRST116',
    'POST',
    '/child',
    { body: [{ id: 1 }, { id: 2 }], headers: { accept: singular, prefer: 'return=representation' } },
  ],
  [
    'more rows than allowed',
    400,
    'PGRST124',
    'DELETE',
    '/parent?id=gt.0',
    { headers: { prefer: 'handling=strict, max-affected=0' } },
  ],
  ['a PUT of another key', 400, 'PGRST115', 'PUT', '/child?id=eq.1', { body: { id: 2, parent: 1, note: null } }],
  ['a function that fails', 400, 'P0001', 'POST', '/rpc/leave_things', { body: { fail: true } }],
  ['a statement that takes too long', 500, '57014', 'POST', '/rpc/slow', {}],
  ['a value that is none', 400, '22P02', 'PATCH', '/parent?id=eq.x', { body: { id: 5 } }],
];

describe.each(modes)('%s', (mode) => {
  let api: Api;
  beforeAll(async () => {
    api = await startApi(mode, database, { PGRST_DB_TX_END: 'commit-allow-override' });
  });
  afterAll(() => api?.stop());

  const isClean = async (): Promise<void> => {
    expect(JSON.parse((await api.ask('GET', '/rpc/seen')).text)).toEqual({
      role: database.anon,
      my: null,
      path: '"api", "public"',
      timezone: false,
      claims: `{"role":"${database.anon}"}`,
      locks: 0,
      temporary: null,
      listening: 0,
      isolation: 'read committed',
      'read only': 'on',
    });
    // The reset may still be under way.
    const busy = () => database.sql`
      select from pg_stat_activity where datname = ${database.name} and usename <> 'postgres' and state <> 'idle'`;
    await expect.poll(busy).toHaveLength(0);
  };

  test.each(failures)('%s', async (_, status, code, method, target, ask) => {
    const answer = await api.ask(method, target, ask);
    expect({ status: answer.status, body: JSON.parse(answer.text) }).toMatchObject({ status, body: { code } });
    expect(await database.sql`select id from api.child`).toHaveLength(0);
    expect(await database.sql`select id from api.parent`).toEqual([{ id: 1 }]);
    await isClean();
  });

  test('a session that a function has left in disorder is put in order', async () => {
    expect((await api.ask('POST', '/rpc/leave_things', { body: { fail: false } })).status).toBe(200);
    await isClean();
    expect((await api.ask('DELETE', '/child?id=eq.900')).status).toBe(204);
    const token = await sign({ role: database.writer });
    expect(JSON.parse((await api.ask('GET', '/rpc/seen', { token })).text)).toMatchObject({ role: database.writer });
    await isClean();
  });
});
