/** The unmodified driver over HTTP: neon(), its templates, its transactions. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type NeonDbError, neon, neonConfig, types } from '@neondatabase/serverless';
import { beforeAll, describe, expect, test } from 'vitest';
import { door } from './door.ts';

const open = door('neon', {
  script: `
    create type mood as enum ('sad', 'happy');
    create table item (id int primary key generated always as identity, name text not null unique, at timestamptz);
    create function fail(code text) returns int language plpgsql as $$ begin
      raise exception using errcode = code, message = 'on purpose', detail = 'a detail', hint = 'a hint',
        schema = 's', table = 't', column = 'c', datatype = 'd', constraint = 'k'; end $$;
    create table owner (id int primary key);
    create table owned (owner int references owner deferrable initially deferred);
  `,
});

beforeAll(() => {
  neonConfig.fetchEndpoint = () => open.url;
});

describe('queries', () => {
  test('a template, with values, fragments and trusted text', async () => {
    const sql = neon(open.uri());
    expect(await sql`select 1 + ${41}::int as answer`).toEqual([{ answer: 42 }]);
    const where = sql`where x > ${1}`;
    expect(await sql`select x from generate_series(1, ${3}::int) x ${where} order by ${sql.unsafe('x desc')}`).toEqual([
      { x: 3 },
      { x: 2 },
    ]);
  });

  test('query(), rows as arrays, full results', async () => {
    const sql = neon(open.uri(), { fullResults: true, arrayMode: true });
    const result = await sql.query('select $1::text as a, $2::int as b, null as c', ['x', 7]);
    expect(result.rows).toEqual([['x', 7, null]]);
    expect(result).toMatchObject({ command: 'SELECT', rowCount: 1, rowAsArray: true });
    expect(result.fields).toEqual([
      { name: 'a', dataTypeID: 25, tableID: 0, columnID: 0, dataTypeSize: -1, dataTypeModifier: -1, format: 'text' },
      { name: 'b', dataTypeID: 23, tableID: 0, columnID: 0, dataTypeSize: 4, dataTypeModifier: -1, format: 'text' },
      { name: 'c', dataTypeID: 25, tableID: 0, columnID: 0, dataTypeSize: -1, dataTypeModifier: -1, format: 'text' },
    ]);
  });

  test("a table's columns say where they are from", async () => {
    const sql = neon(open.uri(), { fullResults: true });
    const { fields } = await sql`select name from item`;
    const [row] = await neon(open.uri())`select 'item'::regclass::oid::int as oid`;
    expect(fields[0]).toMatchObject({ name: 'name', tableID: row?.oid, columnID: 2 });
  });

  test('values of all kinds, there and back', async () => {
    const sql = neon(open.uri());
    const date = new Date('2026-02-03T04:05:06.789Z');
    const bytes = Buffer.from([0, 1, 255, 92]);
    const [row] = await sql`select
      ${true}::bool as flag, ${1}::int2 as small, ${2}::int4 as int, ${'9007199254740993'}::int8 as big,
      ${1.5}::float4 as real, ${0.1}::float8 as double, ${'1.10'}::numeric as numeric,
      ${'Infinity'}::float8 as infinite, ${'é"\\\n'}::text as text, ${''}::text as empty, ${null}::text as nothing,
      ${bytes}::bytea as bytes, ${date}::timestamptz as at, ${{ a: [1, 'x', null] }}::jsonb as json,
      ${[1, 2, null]}::int[] as ints, ${['a"b', 'c,d', null, '']}::text[] as texts,
      ${[[1, 2], [3, 4]]}::int[][] as matrix, 'happy'::mood as mood,
      '{"[1,2)"}'::int4range[] as ranges, row(1, 'x') as record`;
    expect(row).toEqual({
      flag: true,
      small: 1,
      int: 2,
      big: '9007199254740993',
      real: 1.5,
      double: 0.1,
      numeric: '1.10',
      infinite: Number.POSITIVE_INFINITY,
      text: 'é"\\\n',
      empty: '',
      nothing: null,
      bytes,
      at: date,
      json: { a: [1, 'x', null] },
      ints: [1, 2, null],
      texts: ['a"b', 'c,d', null, ''],
      matrix: [
        [1, 2],
        [3, 4],
      ],
      mood: 'happy',
      ranges: '{"[1,2)"}',
      record: '(1,x)',
    });
  });

  test('type parsers of the client', async () => {
    const parsers = { getTypeParser: (oid: number) => (oid === types.builtins.INT8 ? BigInt : (text: string) => text) };
    const rows = await neon(open.uri()).query('select 9007199254740993::int8 as big, 1 as one', [], { types: parsers });
    expect(rows).toEqual([{ big: 9007199254740993n, one: '1' }]);
  });

  test('commands and their counts', async () => {
    const sql = neon(open.uri(), { fullResults: true });
    const told = async (text: string) => {
      const { command, rowCount, rows, fields } = await sql.query(text);
      return [command, rowCount, rows.length, fields.length];
    };
    expect(await told("insert into item (name) values ('a'), ('b') returning id, name")).toEqual(['INSERT', 2, 2, 2]);
    expect(await told("update item set at = now() where name = 'a'")).toEqual(['UPDATE', 1, 0, 0]);
    expect(await told("delete from item where name in ('a', 'b', 'c')")).toEqual(['DELETE', 2, 0, 0]);
    expect(await told('create table made (id int)')).toEqual(['CREATE', null, 0, 0]);
    expect(await told('drop table made')).toEqual(['DROP', null, 0, 0]);
    expect(await told('select 1 where false')).toEqual(['SELECT', 0, 0, 1]);
    expect(await told('')).toEqual(['', null, 0, 0]);
    expect(await told('-- nothing')).toEqual(['', null, 0, 0]);
  });

  test('what cannot run in a transaction runs', async () => {
    const sql = neon(open.uri());
    await sql`vacuum item`;
    await sql`create index concurrently item_at on item (at)`;
    await sql`drop index concurrently item_at`;
  });

  test('a result of 5 MB', async () => {
    const sql = neon(open.uri());
    const rows = await sql`select i, repeat('é', 500) as text from generate_series(1, 5000) i`;
    expect(rows).toHaveLength(5000);
    expect(rows[4999]).toEqual({ i: 5000, text: 'é'.repeat(500) });
  });

  test('one large value, there and back', async () => {
    const sql = neon(open.uri());
    const large = 'x€'.repeat(1_000_000);
    const [row] = await sql`select ${large}::text as large`;
    expect(row?.large === large).toBe(true);
  });
});

describe('errors', () => {
  const failing = async (action: () => Promise<unknown>): Promise<NeonDbError> => {
    try {
      await action();
    } catch (error) {
      if (error instanceof Error && error.name === 'NeonDbError') return error as NeonDbError;
      throw error;
    }
    throw new Error('it did not fail');
  };

  test('have every field', async () => {
    const sql = neon(open.uri());
    const error = await failing(() => sql`select fail('P0042')`);
    expect({ ...error, message: error.message }).toMatchObject({
      message: 'on purpose',
      code: 'P0042',
      severity: 'ERROR',
      detail: 'a detail',
      hint: 'a hint',
      schema: 's',
      table: 't',
      column: 'c',
      dataType: 'd',
      constraint: 'k',
      where: expect.stringContaining('fail'),
      file: 'pl_exec.c',
      line: expect.stringMatching(/^\d+$/),
      routine: 'exec_stmt_raise',
    });
    expect(error.position).toBeUndefined();
  });

  test.each([
    ['a syntax error', 'select * frm item', '42601'],
    ['several statements', 'select 1; select 2', '42601'],
    ['an unknown table', 'select * from nowhere', '42P01'],
    ['a unique violation', "insert into item (name) values ('x'), ('x')", '23505'],
    ['a deferred constraint', 'insert into owned values (1)', '23503'],
    ['division by zero after rows', 'select 1 / (1000 - i) from generate_series(1, 2000) i', '22012'],
    ['a missing parameter', 'select $1::int', '08P01'],
    ['COPY from the client', 'copy item from stdin', '0A000'],
    ['COPY to the client', 'copy item to stdout', '0A000'],
    ['a transaction that is not ended', 'begin', '25000'],
    ['a zero byte in the text', 'select 1\0', '08P01'],
  ])('%s', async (_, text, code) => {
    const sql = neon(open.uri());
    expect((await failing(() => sql.query(text))).code).toBe(code);
    expect(await sql`select 1 as one`).toEqual([{ one: 1 }]);
  });

  test('a zero byte in a value', async () => {
    const sql = neon(open.uri());
    expect((await failing(() => sql`select ${'a\0b'}::text`)).code).toBe('22021');
  });

  test('what was begun and not ended leaves nothing', async () => {
    const sql = neon(open.uri());
    for (let i = 0; i < 6; i++) await failing(() => sql`begin`);
    await sql`insert into item (name) values ('kept')`;
    await failing(() => sql`start transaction read only`);
    expect(await sql`delete from item where name = 'kept' returning name`).toEqual([{ name: 'kept' }]);
    while ((await open.backends()).some(({ state }) => state !== 'idle')) await sleep(20);
  });
});

describe('transactions', () => {
  test('several queries, their results in order, with their own options', async () => {
    const sql = neon(open.uri());
    const [made, counted] = await sql.transaction(
      (tx) => [
        tx`insert into item (name) values ('one') returning name`,
        sql.query('select name from item where name = $1', ['one'], { arrayMode: true }),
        tx`delete from item`,
      ],
      { isolationLevel: 'Serializable' },
    );
    expect(made).toEqual([{ name: 'one' }]);
    expect(counted).toEqual([['one']]);
  });

  test('are one: the first error undoes them, and is the one that is told', async () => {
    const sql = neon(open.uri());
    await expect(
      sql.transaction([sql`insert into item (name) values ('undone')`, sql`select fail('P0001')`, sql`select 1/0`]),
    ).rejects.toMatchObject({ code: 'P0001' });
    await expect(
      sql.transaction([sql`insert into item (name) values ('undone')`, sql`insert into owned values (1)`]),
    ).rejects.toMatchObject({ code: '23503' });
    expect(await sql`select * from item where name = 'undone'`).toEqual([]);
  });

  test.each([
    [{}, 'read committed', 'off', 'off'],
    [{ isolationLevel: 'ReadUncommitted' }, 'read uncommitted', 'off', 'off'],
    [{ isolationLevel: 'ReadCommitted' }, 'read committed', 'off', 'off'],
    [{ isolationLevel: 'RepeatableRead', readOnly: true }, 'repeatable read', 'on', 'off'],
    [{ isolationLevel: 'Serializable', readOnly: true, deferrable: true }, 'serializable', 'on', 'on'],
  ] as const)('%o', async (options, isolation, readOnly, deferrable) => {
    const sql = neon(open.uri());
    const [rows] = await sql.transaction(
      [
        sql`select current_setting('transaction_isolation') as isolation,
              current_setting('transaction_read_only') as read_only, current_setting('transaction_deferrable') as deferrable`,
      ],
      options,
    );
    expect(rows).toEqual([{ isolation, read_only: readOnly, deferrable }]);
  });

  test("without a word, the database's own defaults", async () => {
    await open.database.sql.unsafe(`alter role ${open.user} set default_transaction_isolation = 'repeatable read'`);
    const sql = neon(open.uri({ query: '?application_name=fresh' }));
    const asked = sql`select current_setting('transaction_isolation') as isolation`;
    const [rows] = await sql.transaction([asked]);
    expect(rows).toEqual([{ isolation: 'repeatable read' }]);
    await open.database.sql.unsafe(`alter role ${open.user} reset default_transaction_isolation`);
  });

  test('of nothing', async () => {
    expect(await neon(open.uri()).transaction([])).toEqual([]);
  });

  test('with what needs a transaction block', async () => {
    const sql = neon(open.uri());
    const results = await sql.transaction([
      sql`declare c cursor for select generate_series(1, 5) as n`,
      sql`fetch 2 from c`,
      sql`savepoint s`,
      sql`lock table item`,
      sql`rollback to s`,
    ]);
    expect(results[1]).toEqual([{ n: 1 }, { n: 2 }]);
  });
});

describe('sessions', () => {
  test("one request's settings are not the next one's", async () => {
    const sql = neon(open.uri());
    for (const text of [
      "set work_mem = '9MB'",
      'set role pg_read_all_data',
      'listen news',
      'create temp table item (other int)',
      'select pg_advisory_lock(7)',
      "prepare mine as select 'mine'",
      'set search_path = nowhere',
      "set client_encoding = 'latin1'",
    ]) {
      await sql.query(text).catch((error: NeonDbError) => {
        if (error.code !== '42501') throw error;
      });
    }
    for (let i = 0; i < 6; i++) {
      const [row] = await sql`select current_setting('work_mem') as memory, current_user::text as me,
        (select count(*)::int from pg_listening_channels()) as channels, 'item'::regclass::text as item,
        (select count(*)::int from pg_locks where locktype = 'advisory') as locks,
        (select count(*)::int from pg_prepared_statements where from_sql) as prepared,
        current_setting('client_encoding') as encoding`;
      expect(row).toEqual({
        memory: '4MB',
        me: open.user,
        channels: 0,
        item: 'item',
        locks: 0,
        prepared: 0,
        encoding: 'UTF8',
      });
    }
  });

  test('the name and the options of the connection string count', async () => {
    const sql = neon(open.uri({ query: '?application_name=my%20app&options=-c%20work_mem%3D5MB' }));
    const [row] = await sql`select current_setting('application_name') as name, current_setting('work_mem') as memory`;
    expect(row).toEqual({ name: 'my app', memory: '5MB' });
  });

  test('a changed table is met with a new plan', async () => {
    const sql = neon(open.uri());
    await sql`create table changing (a int)`;
    await sql`insert into changing values (1)`;
    for (let i = 0; i < 8; i++) expect(await sql`select * from changing`).toEqual([{ a: 1 }]);
    await sql`alter table changing add b text default 'new'`;
    for (let i = 0; i < 8; i++) expect(await sql`select * from changing`).toEqual([{ a: 1, b: 'new' }]);
    await sql`alter table changing drop a`;
    const results = await sql.transaction([sql`select 1 as one`, sql`select * from changing`]);
    expect(results).toEqual([[{ one: 1 }], [{ b: 'new' }]]);
    await sql`drop table changing`;
  });

  test('a column of a changed type takes what it can take now', async () => {
    const sql = neon(open.uri());
    await sql`create table retyped (key int)`;
    for (let i = 0; i < 8; i++) expect(await sql`select * from retyped where key = ${'1'}`).toEqual([]);
    await expect(sql`select * from retyped where key = ${'x'}`).rejects.toMatchObject({ code: '22P02' });
    await sql`alter table retyped alter key type text`;
    await sql`insert into retyped values ('x')`;
    for (let i = 0; i < 8; i++) expect(await sql`select * from retyped where key = ${'x'}`).toEqual([{ key: 'x' }]);
    await sql`drop table retyped`;
  });

  test('a value is read as of the type that its column has now', async () => {
    const sql = neon(open.uri());
    const at = '2022-01-01 00:00:00-02';
    await sql`create table moved (at timestamp)`;
    for (let i = 0; i < 8; i++) await sql`insert into moved values (${at})`;
    await sql`truncate moved`;
    await sql`alter table moved alter at type timestamptz`;
    for (let i = 0; i < 8; i++) await sql`insert into moved values (${at})`;
    const read = sql`select distinct at at time zone 'UTC' as at from moved`;
    expect(await read).toEqual([{ at: new Date('2022-01-01 02:00:00') }]);
    // A change that nobody has made here.
    await open.database.sql`alter table moved alter at type date`;
    await expect
      .poll(
        async () => {
          await open.database.sql`truncate moved`;
          await sql`insert into moved values (${'2022-01-01 23:00:00-02'})`;
          return await sql`select at::text as at from moved`;
        },
        { timeout: 20_000 },
      )
      .toEqual([{ at: '2022-01-01' }]);
    await sql`drop table moved`;
  });

  test('a batch that commits on its way is not sent again', async () => {
    const sql = neon(open.uri());
    await sql.transaction([sql`create table stale (a int)`, sql`create table counted (a int)`]);
    const asked = () => sql.transaction([sql`insert into counted values (1)`, sql`commit`, sql`select * from stale`]);
    for (let i = 0; i < 4; i++) await asked();
    await sql.transaction([sql`alter table stale add b int`, sql`delete from counted`]);
    for (let i = 0; i < 8; i++) expect(await asked()).toHaveLength(3);
    expect(await sql`select count(*)::int as n from counted`).toEqual([{ n: 8 }]);
    await sql.transaction([sql`drop table stale`, sql`drop table counted`]);
  });

  test('a procedure that commits is not called a second time', async () => {
    const sql = neon(open.uri());
    await sql`create table called (id int)`;
    await sql`create procedure twice() language plpgsql as $$ begin
      insert into called values (1); commit; raise exception using errcode = '42883'; end $$`;
    for (let i = 0; i < 5; i++) await expect(sql`call twice()`).rejects.toMatchObject({ code: '42883' });
    expect(await sql`select count(*)::int as calls from called`).toEqual([{ calls: 5 }]);
    await sql.transaction([sql`drop procedure twice`, sql`drop table called`]);
  });
});

test('many at once share a few connections', async () => {
  const sql = neon(open.uri());
  const asked = Array.from({ length: 200 }, (_, i) => sql`select ${i}::int as i, pg_sleep(0.001)`);
  const rows = await Promise.all(asked);
  expect(rows.map(([row]) => row?.i)).toEqual(Array.from({ length: 200 }, (_, i) => i));
  expect((await open.backends()).length).toBeLessThanOrEqual(4);
});

test('a client that gives up has its query cancelled', async () => {
  const controller = new AbortController();
  const sql = neon(open.uri(), { fetchOptions: { signal: controller.signal } });
  const running = async (): Promise<boolean> =>
    (await open.backends()).some(({ state, query }) => state === 'active' && query.includes('pg_sleep(60)'));
  const asked = sql`select pg_sleep(60)`.catch((error: Error) => error);
  while (!(await running())) await sleep(20);
  controller.abort();
  expect(await asked).toBeInstanceOf(Error);
  while (await running()) await sleep(20);
  expect(await neon(open.uri())`select 1 as one`).toEqual([{ one: 1 }]);
});

test('clients that are cut off at any moment leave whole transactions and free connections', async () => {
  await neon(open.uri())`create table pair (key int, half text)`;
  const write = async (key: number): Promise<'whole' | 'cut'> => {
    const controller = new AbortController();
    const sql = neon(open.uri(), { fetchOptions: { signal: controller.signal } });
    if (key % 2 === 1) setTimeout(() => controller.abort(), (key * 7) % 30);
    const halves = [
      sql`insert into pair values (${key}, 'a')`,
      sql`select pg_sleep(0.003)`,
      sql`insert into pair values (${key}, 'b')`,
    ];
    return sql.transaction(halves).then(
      () => 'whole',
      () => 'cut',
    );
  };
  const outcomes = await Promise.all(Array.from({ length: 200 }, (_, key) => write(key)));
  while ((await open.backends()).some(({ state }) => state !== 'idle')) await sleep(20);
  const rows = await neon(open.uri())`select key, count(*)::int as halves from pair group by key`;
  expect(new Set(rows.map(({ halves }) => halves))).toEqual(new Set([2]));
  const written = new Set(rows.map(({ key }) => key));
  for (const [key, outcome] of outcomes.entries()) {
    if (key % 2 === 0) expect(outcome, String(key)).toBe('whole');
    if (outcome === 'whole') expect(written.has(key), String(key)).toBe(true);
  }
  expect(outcomes).toContain('cut');
  await expect.poll(() => open.pool.metrics()).toMatchObject({ busy: 0, resetting: 0, waiting: 0 });
  await neon(open.uri())`drop table pair`;
});

test('nothing of all this was a mistake of ours', () => {
  expect(open.faults).toEqual([]);
});
