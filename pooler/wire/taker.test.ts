import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Cancellation } from '../../shared/hop/cancellation.ts';
import { createDatabase, type TestDatabase } from '../../test/postgres.ts';
import { connect } from './connect.ts';
import type { Connection } from './connection.ts';
import type { FlightStatement, RowTaker } from './types.ts';
import { parseConnectionString } from './uri.ts';

let database: TestDatabase;
const open: Connection[] = [];

beforeAll(async () => {
  database = await createDatabase('taker');
});
beforeEach(async () => {
  await database.sql.unsafe('drop table if exists t; create table t (a int); insert into t values (1), (2)').simple();
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((connection) => connection.close()));
});
afterAll(() => database.drop());

async function connection(): Promise<Connection> {
  const made = await connect(parseConnectionString(database.uri, {}));
  open.push(made);
  return made;
}

/** Writes down what it is given. */
class Notes implements RowTaker {
  readonly taken: string[] = [];
  readonly #limit: number;

  constructor(limit = Number.POSITIVE_INFINITY) {
    this.#limit = limit;
  }

  start(fields: Parameters<RowTaker['start']>[0]): void {
    this.taken.push(`start ${fields.map(({ name }) => name).join()}`);
  }

  row(row: Parameters<RowTaker['row']>[0]): void {
    this.taken.push(Array.from({ length: row.length }, (_, i) => row.text(i)?.slice(0, 10)).join());
  }

  accepts(length: number): boolean {
    return length <= this.#limit;
  }
}

const taking = (text: string, taker: RowTaker): FlightStatement => ({
  text,
  parameters: [],
  prepare: 'named',
  result: 'rows',
  describe: true,
  taker,
});
const plain = (text: string, prepare: 'named' | 'unnamed' = 'unnamed'): FlightStatement => ({
  text,
  parameters: [],
  prepare,
  result: 'rows',
});

describe('rows that are taken', () => {
  test('come in order and are not kept', async () => {
    const on = await connection();
    const [one, two] = [new Notes(), new Notes()];
    const statements = [taking('select a, a * 2 as b from t', one), taking("select repeat('x', 1000000) as x", two)];
    const result = await on.flight({ statements, reset: false });
    expect(result).toMatchObject({
      outcome: 'completed',
      results: [
        { rows: [], count: 2 },
        { rows: [], count: 1 },
      ],
    });
    expect(one.taken).toEqual(['start a,b', '1,2', '2,4']);
    expect(two.taken).toEqual(['start x', 'xxxxxxxxxx']);
  });

  test('begin anew when the flight goes a second time', async () => {
    const on = await connection();
    const notes = new Notes();
    const statements = [taking('select a from t', notes), plain('select * from t', 'named')];
    await on.flight({ statements, reset: false });
    await database.sql`alter table t add b int`;
    const result = await on.flight({ statements, reset: false });
    expect(result).toMatchObject({ outcome: 'completed', attempts: 2 });
    expect(notes.taken).toEqual(Array.from({ length: 3 }, () => ['start a', '1', '2']).flat());
  });

  test('are dropped where they are too large, before they are collected', async () => {
    const on = await connection();
    const notes = new Notes(100_000);
    const text = "select repeat('x', i * 90000) as x from generate_series(1, 3) i";
    expect((await on.flight({ statements: [taking(text, notes)], reset: false })).outcome).toBe('completed');
    expect(notes.taken).toEqual(['start x', 'xxxxxxxxxx']);
  });

  test('end when the taker has had enough', async () => {
    const on = await connection();
    const enough = new Cancellation();
    const notes = new Notes();
    notes.row = () => enough.abort();
    const statements = [taking('select generate_series(1, 1000000000)', notes)];
    const result = await on.flight({ statements, reset: true, signal: enough });
    expect(result).toMatchObject({ outcome: 'failed', cancelled: 'signal' });
    expect(await on.free()).toBe(true);
  });
});

test('a transaction that is left open is rolled back, and that is an error', async () => {
  const on = await connection();
  for (const reset of [true, false]) {
    const result = await on.flight({ statements: [plain('begin')], reset });
    expect(result).toMatchObject({ outcome: 'failed', statement: 1, error: { code: '25000' } });
    expect(await on.free()).toBe(true);
  }
  const chained = [
    plain('begin'),
    plain('insert into t values (3)'),
    plain('commit and chain'),
    plain('delete from t'),
  ];
  expect(await on.flight({ statements: chained, reset: true })).toMatchObject({ outcome: 'failed' });
  expect(await on.free()).toBe(true);
  expect(await database.sql`delete from t where a = 3 returning a`).toEqual([{ a: 3 }]);
  expect(await database.sql`select a from t`).toHaveLength(2);
});

test('input that an old name does not take is tried on a fresh one where the types are inferred from columns', async () => {
  const on = await connection();
  await database.sql.unsafe('drop table if exists typed; create table typed (a int)').simple();
  const ask = async (value: string, more: Partial<FlightStatement>) => {
    const statement = { ...plain('select a from typed where a = $1', 'named'), parameters: [value], ...more };
    const result = await on.flight({ statements: [statement], reset: false });
    return result.outcome === 'failed' ? [result.error.code, result.attempts] : ['ok', result.attempts];
  };
  expect(await ask('x', { inferred: true })).toEqual(['22P02', 1]);
  expect(await ask('x', { inferred: true })).toEqual(['22P02', 2]);
  expect(await ask('1', {})).toEqual(['ok', 1]);
  await database.sql`alter table typed alter a type text`;
  expect(await ask('x', {})).toEqual(['22P02', 1]);
  expect(await ask('x', { inferred: true })).toEqual(['ok', 2]);
  expect(await ask('x', { inferred: true })).toEqual(['ok', 1]);
});

test('what may not be sent twice is not', async () => {
  const on = await connection();
  const statements = [plain('select * from t', 'named')];
  await on.flight({ statements, reset: false });
  await database.sql`alter table t add c int`;
  const failed = await on.flight({ statements, reset: false, once: true });
  expect(failed).toMatchObject({ outcome: 'failed', attempts: 1, error: { code: '0A000' } });
  const afterwards = await on.flight({ statements, reset: false, once: true });
  expect(afterwards).toMatchObject({ outcome: 'completed', attempts: 1 });
});

test('a statement that has begun is not sent again, whatever it fails with', async () => {
  const on = await connection();
  await database.sql`create or replace function fail(code text) returns int language plpgsql as $$ begin
    raise exception using errcode = code; end $$`;
  for (const code of ['42883', '0A000', '26000', '42P05']) {
    for (const name of ['new', 'old']) {
      const result = await on.flight({ statements: [plain(`select fail('${code}')`, 'named')], reset: false });
      expect(result, name).toMatchObject({ outcome: 'failed', attempts: 1, error: { code } });
    }
  }
});
