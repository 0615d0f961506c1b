import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createDatabase, type TestDatabase, uniqueName } from '../../test/postgres.ts';
import { connect } from './connect.ts';
import type { Connection } from './connection.ts';
import type { ConnectionOptions, Flight, FlightResult, FlightStatement, ParameterValue } from './types.ts';
import { parseConnectionString } from './uri.ts';

let database: TestDatabase;
const open: Connection[] = [];
const role = uniqueName('role');
const login = uniqueName('login');

beforeAll(async () => {
  database = await createDatabase(
    'flight',
    `create role ${role};
     create role ${login} login noinherit password 'x' in role ${role};
     create table t (id int primary key, v text, constraint late unique (v) deferrable initially deferred);
     grant all on t to ${role};
     create function leave_behind() returns text language plpgsql as $$ begin
       perform set_config('search_path', 'pg_temp', false);
       perform set_config('edgerest.left', 'behind', false);
       perform set_config('statement_timeout', '1h', false);
       execute 'create temp table left_behind (a int)';
       execute 'listen left_behind';
       execute 'declare left_behind cursor with hold for select 1';
       perform pg_advisory_lock(42);
       perform nextval('public.left_behind_seq');
       return session_user;
     end $$;
     create sequence left_behind_seq;
     grant all on sequence left_behind_seq to public;
     create function dynamic(statement text) returns void language plpgsql as $$ begin execute statement; end $$;`,
  );
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((connection) => connection.close()));
});

afterAll(async () => {
  await database.sql.unsafe(`drop owned by ${role}; drop role ${login}, ${role}`).simple();
  await database.drop();
});

async function connection(options: ConnectionOptions = {}, uri = database.uriAs(login, 'x')): Promise<Connection> {
  const made = await connect(parseConnectionString(uri, {}), options);
  open.push(made);
  return made;
}

const statement = (
  text: string,
  parameters: readonly ParameterValue[] = [],
  more: Partial<FlightStatement> = {},
): FlightStatement => ({
  text,
  parameters,
  prepare: 'named',
  result: 'rows',
  ...more,
});

const as = (name: string) => statement("select pg_catalog.set_config('role', $1, true)", [name], { result: 'none' });

const flight = (...statements: readonly FlightStatement[]): Flight => ({ statements, reset: false });

/** All rows as text, one list for each statement; or the SQLSTATE of the error and where it came. */
async function run(on: Connection, given: Flight): Promise<unknown> {
  expect(await on.free()).toBe(true);
  return shown(await on.flight(given));
}

function shown(result: FlightResult): unknown {
  if (result.outcome === 'failed') return [result.error.code, result.statement];
  return result.results.map(({ rows }) => rows.map((row) => Array.from({ length: row.length }, (_, i) => row.text(i))));
}

describe('results', () => {
  test('are the bytes that the server sent, with tag and count', async () => {
    const on = await connection();
    const result = await on.flight(
      flight(
        as(role),
        statement("select current_user::text, null, 'é', '', $1::text", ['ü'], { describe: true }),
        statement('select n from generate_series(1, 3) n', [], { result: 'row' }),
        statement('select n from generate_series(1, 3) n', [], { result: 'none' }),
        statement('select 1 where false', [], { result: 'row' }),
        statement(''),
      ),
    );
    if (result.outcome === 'failed') throw result.error;
    const [, all, last, none, empty, nothing] = result.results;
    const [row] = all?.rows ?? [];
    expect(shown(result)).toMatchObject([[], [[role, null, 'é', '', 'ü']], [], [], [], []]);
    expect([row?.bytes(1), row?.bytes(2)?.toString('hex'), row?.bytes(3)?.length, row?.length]).toEqual([
      null,
      'c3a9',
      0,
      5,
    ]);
    expect(() => row?.text(5)).toThrow(RangeError);
    expect(all?.fields?.map(({ name, typeOid }) => [name, typeOid]).slice(0, 2)).toEqual([
      ['current_user', 25],
      ['?column?', 25],
    ]);
    expect([last?.row?.text(0), last?.tag, last?.count, last?.rows]).toEqual(['3', 'SELECT 3', 3, []]);
    expect([none?.row, none?.count, empty?.row, empty?.count]).toEqual([null, 3, null, 0]);
    expect([nothing?.tag, nothing?.count]).toEqual(['', null]);
  });

  test('values of any size and in pieces, in both directions', async () => {
    const on = await connection();
    const large = Buffer.alloc(5_000_000, 'é');
    const pieces = [large, Buffer.from('-'), large.subarray(0, 3_000_000)];
    const echo = (value: ParameterValue) =>
      flight(statement('select $1::text, octet_length($1)', [value], { result: 'row' }));
    for (const value of [large, large.toString(), pieces]) {
      const expected =
        typeof value === 'string' ? Buffer.from(value) : Array.isArray(value) ? Buffer.concat(value) : large;
      const row = (await on.flight(echo(value))).results[0]?.row;
      expect(row?.bytes(0)?.equals(expected)).toBe(true);
      expect(row?.text(1)).toBe(String(expected.length));
    }
  });

  test('an error names its statement and its fields, and nothing remains', async () => {
    const on = await connection();
    const insert = statement('insert into public.t values ($1, $2)', ['1', 'a']);
    const result = await on.flight(flight(as(role), insert, insert, statement('select 1')));
    if (result.outcome === 'completed') throw new Error('it did not fail');
    expect(result).toMatchObject({ statement: 2, cancelled: null, attempts: 1 });
    expect(result.results.map(({ tag }) => tag)).toEqual(['SELECT 1', 'INSERT 0 1']);
    expect(result.error.fields).toMatchObject({
      severity: 'ERROR',
      code: '23505',
      message: 'duplicate key value violates unique constraint "t_pkey"',
      detail: 'Key (id)=(1) already exists.',
      schema: 'public',
      table: 't',
      constraint: 't_pkey',
    });
    expect(await run(on, flight(as(role), statement('select count(*) from public.t')))).toEqual([[], [['0']]]);
    expect(await run(on, flight(statement('select 1'), statement('selec')))).toEqual(['42601', 1]);
    expect(await run(on, flight(statement('select $1::int', ['x'])))).toEqual(['22P02', 0]);
    // What was set for the failed transaction is gone.
    expect(await run(on, flight(statement('select current_user::text')))).toEqual([[[login]]]);
  });

  test('what cannot be encoded is refused and the connection goes on', async () => {
    const on = await connection();
    await expect(on.flight(flight(statement('select 1'), statement('select 2\0')))).rejects.toThrow(RangeError);
    await expect(on.flight(flight(statement('select 1', Array(65_536).fill('x'))))).rejects.toThrow(RangeError);
    expect(await run(on, flight(statement('select 1')))).toEqual([[['1']]]);
    expect(await run(on, flight(statement("select 'a'||$1", ['\0'])))).toEqual(['22021', 0]);
  });

  test('a commit that fails is an error after all statements', async () => {
    const on = await connection();
    const statements = [as(role), statement("insert into public.t values (1, 'same'), (2, 'same')")];
    expect(await run(on, { statements, reset: true })).toEqual(['23505', 2]);
    const wrapper = { isolation: 'serializable', readOnly: false } as const;
    expect(await run(on, { statements, reset: true, transaction: { ...wrapper, end: 'commit' } })).toEqual([
      '23505',
      2,
    ]);
    expect(await run(on, { statements, reset: true, transaction: { ...wrapper, end: 'rollback' } })).toEqual([
      '23505',
      2,
    ]);
    expect(await database.sql`select * from t`).toEqual([]);
  });
});

describe('an explicit transaction', () => {
  const state = statement("select current_setting('transaction_isolation'), current_setting('transaction_read_only')");
  const insert = statement("insert into public.t values (7, 'seven')");

  test('has its isolation level and access mode, and ends as asked', async () => {
    const on = await connection();
    const serializable = { isolation: 'serializable', readOnly: true, deferrable: true, end: 'commit' } as const;
    const read = { statements: [as(role), state], transaction: serializable, reset: true };
    expect(await run(on, read)).toEqual([[], [['serializable', 'on']]]);
    expect(await run(on, { ...read, statements: [as(role), insert] })).toEqual(['25006', 1]);
    const write = { isolation: 'repeatable read', readOnly: false } as const;
    const statements = [as(role), insert, state];
    const undone: Flight = { statements, transaction: { ...write, end: 'rollback' }, reset: true };
    expect(await run(on, undone)).toEqual([[], [], [['repeatable read', 'off']]]);
    expect(await database.sql`select * from t`).toEqual([]);
    expect(await run(on, { ...undone, transaction: { ...write, end: 'commit' } })).toHaveLength(3);
    expect(await database.sql`delete from t returning id`).toEqual([{ id: 7 }]);
  });

  test('that failed is rolled back before the connection is free', async () => {
    const on = await connection();
    const transaction = { isolation: 'read committed', readOnly: false, end: 'commit' } as const;
    for (const reset of [false, true]) {
      expect(await run(on, { statements: [insert, statement('select 1/0')], transaction, reset })).toEqual([
        '42501',
        0,
      ]);
      expect(await run(on, { statements: [as(role), insert, statement('select 1/0')], transaction, reset })).toEqual([
        '22012',
        2,
      ]);
      expect(await run(on, flight(statement('select 1')))).toEqual([[['1']]]);
    }
  });
});

describe('the reset', () => {
  const traces = statement(
    `select current_setting('search_path'), current_setting('edgerest.left', true), current_setting('statement_timeout'),
       (select count(*) from pg_class where relname = 'left_behind'), (select count(*) from pg_listening_channels()),
       (select count(*) from pg_cursors where is_holdable), (select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid())`,
    [],
    { scope: 'traces' },
  );

  test('leaves nothing of what a function left', async () => {
    const on = await connection();
    const clean = await run(on, flight(traces));
    expect(await run(on, { statements: [as(role), statement('select public.leave_behind()')], reset: true })).toEqual([
      [],
      [[login]],
    ]);
    expect(await run(on, flight(traces))).toEqual([[['"$user", public', '', '0', '0', '0', '0', '0']]]);
    expect(clean).toEqual([[['"$user", public', null, '0', '0', '0', '0', '0']]]);
    expect(await run(on, flight(statement("select currval('public.left_behind_seq')")))).toEqual(['55000', 0]);
    // Without it, all of this stays: what the test is worth.
    await run(on, flight(as(role), statement('select public.leave_behind()')));
    expect(await run(on, flight(traces))).toEqual([[['pg_temp', 'behind', '1h', '1', '1', '1', '1']]]);
  });

  test('has no names where the flight has none: another backend may answer', async () => {
    const on = await connection();
    const unnamed = (text: string): FlightStatement => statement(text, [], { prepare: 'unnamed' });
    const behind: Flight = { statements: [as(role), unnamed('select public.leave_behind()')], reset: true };
    const statements = behind.statements.map((each): FlightStatement => ({ ...each, prepare: 'unnamed' }));
    for (let i = 0; i < 2; i++) await run(on, { ...behind, statements });
    expect(await run(on, flight(unnamed('select count(*) from pg_prepared_statements')))).toEqual([[['0']]]);
    await run(on, behind);
    await run(on, { ...behind, statements });
    await run(on, behind);
    expect(await run(on, flight(traces))).toEqual([[['"$user", public', '', '0', '0', '0', '0', '0']]]);
  });

  test('takes back a role that was not meant for the transaction only; another identity ends the connection', async () => {
    const on = await connection({}, database.uri);
    const who = flight(statement('select current_user::text, session_user::text'));
    const [[before] = []] = (await run(on, who)) as string[][][];
    await run(on, { statements: [statement('select public.dynamic($1)', [`set role ${role}`])], reset: true });
    expect(await run(on, who)).toEqual([[before]]);
    // Without it the role stays.
    await run(on, flight(statement('select public.dynamic($1)', [`set role ${role}`])));
    expect(await run(on, who)).toEqual([[[role, before?.[1]]]]);
    // Somebody else than who logged in never is.
    for (const reset of [false, true]) {
      const other = await connection({}, database.uri);
      await other.flight({
        statements: [statement('select public.dynamic($1)', [`set session authorization ${role}`])],
        reset,
      });
      expect(await other.free()).toBe(false);
    }
  });

  test('gives up a connection on which SQL has prepared a statement: it may stand in for one of ours', async () => {
    const on = await connection();
    const ours = statement('select 1');
    await run(on, flight(ours));
    const [[[name] = []] = []] = (await run(
      on,
      flight(statement("select name from pg_prepared_statements where statement = 'select 1'")),
    )) as string[][][];
    const hijack = (text: string) => statement('select public.dynamic($1)', [text]);
    await on.flight(flight(hijack(`deallocate ${name}`), hijack(`prepare ${name} as select 'hijacked'`)));
    expect(await run(on, flight(ours))).toEqual([[['hijacked']]]);
    await on.flight({ statements: [statement('select 2')], reset: true });
    expect(await on.free()).toBe(false);
  });

  test('a change of the client encoding is not for the next one', async () => {
    const on = await connection();
    expect(
      await run(on, {
        statements: [statement('select public.dynamic($1)', ["set client_encoding = 'LATIN1'"])],
        reset: true,
      }),
    ).toEqual([[['']]]);
    expect(await run(on, flight(statement("select 'é'")))).toEqual([[['é']]]);
    await on.flight(flight(statement('select public.dynamic($1)', ["set client_encoding = 'LATIN1'"])));
    expect(await on.free()).toBe(false);
  });
});

describe('named statements', () => {
  const prepared = async (on: Connection) => {
    const text = "select statement from pg_prepared_statements where statement like 'select % -- lru' order by 1";
    const [rows = []] = (await run(on, flight(statement(text, [], { prepare: 'unnamed' })))) as string[][][];
    return rows.map(([each]) => each);
  };
  const numbered = (n: number, scope = '') => statement(`select ${n} -- lru`, [], { scope });

  test('are kept up to a bound, the least recently used goes', async () => {
    const on = await connection({ statementCapacity: 3 });
    for (const n of [1, 2, 3, 1, 4]) await run(on, flight(numbered(n)));
    expect(await prepared(on)).toEqual(['select 1 -- lru', 'select 3 -- lru', 'select 4 -- lru']);
    for (const n of [1, 2, 3, 4, 5]) await run(on, flight(numbered(n, 'bob'), numbered(n, 'alice')));
    expect(on.preparedStatements).toBe(3);
    expect(await prepared(on)).toHaveLength(3);
  });

  test('survive the error of their flight, unless their Parse failed', async () => {
    const on = await connection({ statementCapacity: 3 });
    expect(await run(on, flight(numbered(1), statement('select 1/0'), numbered(2)))).toEqual(['22012', 1]);
    expect(await prepared(on)).toEqual(['select 1 -- lru']);
    expect(await run(on, flight(numbered(2), numbered(1)))).toEqual([[['2']], [['1']]]);
    expect(await run(on, flight(statement('selec')))).toEqual(['42601', 0]);
    expect(await run(on, flight(statement('selec')))).toEqual(['42601', 0]);
    expect(await prepared(on)).toEqual(['select 1 -- lru', 'select 2 -- lru']);
  });

  test('that no longer fit are made anew and the whole flight is sent again, once', async () => {
    await database.sql.unsafe('drop table if exists ddl; create table ddl (a int)').simple();
    await database.sql.unsafe(`insert into ddl values (1); grant all on ddl to ${role}`).simple();
    const on = await connection();
    const write = statement("insert into public.t values (100, 'x') returning id");
    const undo = statement('delete from public.t where id = 100');
    const read = (reset: boolean): Flight => ({
      statements: [as(role), write, undo, statement('select * from public.ddl')],
      reset,
    });
    expect(await run(on, read(false))).toMatchObject([[], [['100']], [], [['1']]]);
    for (const reset of [false, true]) {
      await database.sql.unsafe(`alter table ddl add column b${Number(reset)} int`);
      await on.free();
      const result = await on.flight(read(reset));
      expect([result.outcome, result.attempts]).toEqual(['completed', 2]);
      await on.free();
      expect((await on.flight(read(reset))).attempts).toBe(1);
    }
    // Parameter types are frozen at the first Parse: int = text has no operator.
    const where = flight(as(role), statement('select a from public.ddl where a = $1', ['1']));
    expect(await run(on, where)).toEqual([[], [['1']]]);
    await database.sql`alter table ddl alter column a type text`;
    expect((await on.flight(where)).attempts).toBe(2);
    // The same error on a fresh name is the statement's own.
    expect((await on.flight(flight(statement('select no_such_function()')))).attempts).toBe(1);
    // In an explicit transaction it goes the same way.
    await database.sql`alter table ddl add column c int`;
    const transaction = { isolation: 'serializable', readOnly: false, end: 'commit' } as const;
    expect(await on.flight({ ...read(true), transaction })).toMatchObject({ outcome: 'completed', attempts: 2 });
  });

  test('that somebody has deallocated are prepared again', async () => {
    const on = await connection();
    const ours = flight(statement('select 1'), statement('select 2'));
    await run(on, ours);
    await run(on, flight(statement('select public.dynamic($1)', ['deallocate all'])));
    expect(await on.flight(ours)).toMatchObject({ outcome: 'completed', attempts: 2 });
    expect(await on.flight(ours)).toMatchObject({ outcome: 'completed', attempts: 1 });
    on.forgetStatements();
    expect(await on.flight(ours)).toMatchObject({ outcome: 'completed', attempts: 1 });
    expect(await prepared(on)).toEqual([]);
    expect(
      await run(on, flight(statement("select count(*) from pg_prepared_statements where statement = 'select 1'"))),
    ).toEqual([[['1']]]);
  });

  test('see what the statements before them have set, even when they are parsed', async () => {
    const on = await connection();
    const path = (schemas: string) => statement("select pg_catalog.set_config('search_path', $1, true)", [schemas]);
    expect(await run(on, flight(path('pg_temp'), statement('select count(*) from t')))).toEqual(['42P01', 1]);
    expect(await run(on, flight(as(role), path('public'), statement('select count(*) from t')))).toEqual([
      [],
      [['public']],
      [['0']],
    ]);
  });
});

describe('a large row', () => {
  test('is streamed with back-pressure when it does not arrive at once', async () => {
    const on = await connection();
    const size = 20_000_000;
    const seen = { head: '', length: 0, bytes: 0, pauses: 0, ended: false };
    let resume: () => void = () => undefined;
    const sink = {
      start: (row: { text(column: number): string | null }, length: number, go: () => void) => {
        Object.assign(seen, { head: row.text(0), length });
        resume = go;
      },
      chunk: (bytes: Buffer) => {
        seen.bytes += bytes.length;
        if (++seen.pauses % 10 !== 0) return true;
        setImmediate(resume);
        return false;
      },
      end: () => {
        seen.ended = true;
      },
    };
    const large = statement("select 'head', repeat('x', $1)", [String(size)], { result: 'row', sink });
    const result = await on.flight({ statements: [large, statement('select 1')], reset: true });
    expect(seen).toMatchObject({ head: 'head', length: size, bytes: size, ended: true });
    expect(result.results[0]).toMatchObject({ streamed: true, tag: 'SELECT 1' });
    expect([result.results[0]?.row?.text(0), result.results[0]?.row?.text(1)]).toEqual(['head', null]);
    const small = await run(on, flight({ ...large, parameters: ['10'], result: 'rows' }));
    expect(small).toEqual([[['head', 'xxxxxxxxxx']]]);
  });

  test('that nobody reads any more does not keep the server from being cancelled', async () => {
    const on = await connection({ cancelTimeout: 20_000 });
    const aborted = new AbortController();
    const sink = { start: () => undefined, chunk: () => false, end: () => undefined };
    const large = statement("select repeat('x', 20000000)", [], { result: 'row', sink });
    const result = on.flight({ statements: [large], reset: false, signal: aborted.signal });
    setImmediate(() => aborted.abort());
    expect(['completed', 'failed']).toContain((await result).outcome);
    expect(await run(on, flight(statement('select 1')))).toEqual([[['1']]]);
  });
});

test('a sink that throws costs its connection, nothing else', async () => {
  const on = await connection();
  const fail = () => {
    throw new Error('the client is gone');
  };
  const sink = { start: () => undefined, chunk: fail, end: () => undefined };
  const large = statement("select repeat('x', 20000000)", [], { result: 'row', sink });
  const error = { kind: 'unknown', cause: new Error('the client is gone') };
  await expect(on.flight(flight(large))).rejects.toMatchObject(error);
  expect(await on.free()).toBe(false);
});

describe('COPY', () => {
  test('is refused and costs the connection, and writes nothing', async () => {
    const on = await connection({}, database.uri);
    for (const reset of [true, false]) {
      const from = await (await connection({}, database.uri)).flight({
        statements: [statement('copy t from stdin')],
        reset,
      });
      expect(shown(from)).toEqual(['0A000', 0]);
    }
    await expect(on.flight(flight(statement('copy t to stdout')))).rejects.toMatchObject({ kind: 'unknown' });
    expect(await on.free()).toBe(false);
  });
});

describe('what the server says by itself', () => {
  test('reaches whoever wants to know', async () => {
    const notices: string[] = [];
    const notifications: string[] = [];
    const on = await connection({
      onNotice: ({ message }) => notices.push(message),
      onNotification: ({ channel, payload }) => notifications.push(`${channel} ${payload}`),
    });
    await run(on, flight(statement('listen news'), statement('drop table if exists no_such_table')));
    await run(on, flight(statement("select pg_notify('news', 'late')")));
    expect([notices, notifications]).toEqual([['table "no_such_table" does not exist, skipping'], ['news late']]);
  });
});

describe('a backend that is killed', () => {
  const kill = (on: Connection) => database.sql`select pg_terminate_backend(${on.processId})`;

  test('while idle is noticed', async () => {
    const on = await connection();
    await kill(on);
    await new Promise<void>((resolve) => on.observe({ idle: () => undefined, closed: () => resolve() }));
    await expect(on.flight(flight(statement('select 1')))).rejects.toMatchObject({ kind: 'closed' });
  });

  test('in the middle of a flight has rolled it back', async () => {
    const on = await connection();
    const sleep = on.flight({
      statements: [as(role), statement("insert into public.t values (5, '5')"), statement('select pg_sleep(60)')],
      reset: true,
    });
    await expect
      .poll(() => database.sql`select from pg_stat_activity where pid = ${on.processId} and wait_event = 'PgSleep'`)
      .toHaveLength(1);
    await kill(on);
    expect(shown(await sleep)).toEqual(['57P01', 2]);
    expect(await database.sql`select * from t`).toEqual([]);
    expect(await on.free()).toBe(false);
  });
});
