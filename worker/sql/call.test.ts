import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { COLUMN } from '../../shared/sql/columns.ts';
import { qualified } from '../../shared/sql/identifiers.ts';
import { createDatabase, type TestDatabase } from '../../test/postgres.ts';
import { compile, type Facts } from './statements.ts';
import { callPlan, equals, facts, filter, parameter, routine, SCHEMA, select, source } from './testing/plans.ts';
import { answerOf, type Runner, runner } from './testing/run.ts';
import { SCRIPT } from './testing/schema.ts';

let database: TestDatabase;
let server: Runner;

beforeAll(async () => {
  database = await createDatabase('sql_call', SCRIPT);
  server = runner(database.uri);
});

afterAll(async () => {
  await server?.end();
  await database?.drop();
});

type CallArguments = Parameters<typeof callPlan>;

const call = async (plan: ReturnType<typeof callPlan>, payload?: string, given: Facts = facts()) => {
  const [main] = await server.run(compile(plan, given), payload);
  return main?.[0] ?? [];
};

const direct = (values: Record<string, string | readonly string[]>): CallArguments[1] => ({
  arguments: { kind: 'direct', values: new Map(Object.entries(values)) },
});

const add = routine('add', { parameters: [parameter('a', 'integer'), parameter('b', 'integer')] });
const setOf = (kind: 'scalar' | 'composite', name: string) =>
  ({
    set: true,
    kind,
    type: qualified(kind === 'scalar' ? 'pg_catalog' : SCHEMA, name),
    isAlias: false,
    isValue: false,
  }) as const;

describe('arguments', () => {
  test('from a JSON object', async () => {
    expect((await call(callPlan(add), '{"b":2,"a":1,"c":3}'))[COLUMN.body]).toBe('3');
    expect((await call(callPlan(add), '{"a":1}'))[COLUMN.body]).toBe('null');
  });

  test('from the first of an array', async () => {
    const plan = callPlan(add, { arguments: { kind: 'payload', isObject: false } });
    expect((await call(plan, '[{"a":1,"b":1},{"a":2,"b":2}]'))[COLUMN.body]).toBe('2');
  });

  test('one by one', async () => {
    expect((await call(callPlan(add, direct({ a: '1', b: '41' }))))[COLUMN.body]).toBe('42');
    await expect(call(callPlan(add, direct({ a: '1', b: 'x' })))).rejects.toMatchObject({ code: '22P02' });
  });

  test('of a variadic parameter', async () => {
    const total = routine('total', {
      parameters: [parameter('v', 'integer[]', { variadic: true })],
      hasVariadic: true,
    });
    expect((await call(callPlan(total, direct({ v: ['1', '2', '3'] }))))[COLUMN.body]).toBe('6');
    expect((await call(callPlan(total, direct({ v: '{4,5}' }))))[COLUMN.body]).toBe('9');
    expect((await call(callPlan(total), '{"v":[1,1]}'))[COLUMN.body]).toBe('2');
  });

  test('none', async () => {
    const nothing = routine('nothing', { returns: { ...add.returns, type: qualified('pg_catalog', 'void') } });
    const plan = callPlan(nothing, { arguments: { kind: 'none' } });
    expect((await call(plan)).slice(0, 2)).toEqual([null, '1']);
  });

  test('as a whole, in one unnamed parameter', async () => {
    const echo = parameter('', 'json');
    const json = callPlan(routine('echo', { parameters: [echo] }), {
      parameters: { kind: 'positional', parameter: echo },
    });
    expect((await call(json, '{"a" : [1]}'))[COLUMN.body]).toBe('{"a" : [1]}');
    const bytes = parameter('', 'bytea');
    const size = callPlan(routine('size', { parameters: [bytes] }), {
      parameters: { kind: 'positional', parameter: bytes },
    });
    expect((await call(size, '\\x00é'))[COLUMN.body]).toBe('6');
    const [main] = compile(size, facts());
    expect(main?.parameters).toEqual([{ payload: 'binary' }]);
  });
});

describe('results', () => {
  const projects = routine('all_projects', { returns: setOf('composite', 'projects') });

  test('sets of rows, filtered by columns that are not selected', async () => {
    const read = source({ select: [select('name')], where: [equals('id', '3')] });
    const plan = callPlan(projects, { returning: ['name'], filterFields: ['id'] }, { read });
    expect((await call(plan))[COLUMN.body]).toBe('[{"name":"IOS"}]');
  });

  test('pages of sets', async () => {
    const range = { offset: 1n, limit: 2n };
    const plan = callPlan(projects, { returning: ['*'] }, { read: source({ select: [select('id')], range }) });
    const row = await call(plan, undefined, facts({ count: 'exact' }, { topLevelRange: range }));
    expect(answerOf(row)).toEqual(['5', '2', '[{"id":2}, \n {"id":3}]']);
  });

  test('sets of scalars', async () => {
    const numbers = routine('numbers', { parameters: [parameter('n', 'integer')], returns: setOf('scalar', 'int4') });
    expect((await call(callPlan(numbers, direct({ n: '3' }))))[COLUMN.body]).toBe('[1, 2, 3]');
  });

  test('one row, or none', async () => {
    const returns = {
      set: false,
      kind: 'composite',
      type: qualified(SCHEMA, 'clients'),
      isAlias: false,
      isValue: false,
    } as const;
    const client = routine('client', { parameters: [parameter('wanted', 'integer')], returns });
    expect((await call(callPlan(client, direct({ wanted: '1' }))))[COLUMN.body]).toBe('{"id":1,"name":"Microsoft"}');
    const head = callPlan(client, direct({ wanted: '1' }), {
      invocation: 'head',
      access: 'read only',
      handler: { kind: 'none' },
      read: source({ where: [equals('id', '9')] }),
    });
    const [rows] = await server.run(compile(head, facts()));
    expect(rows).toEqual([]);
  });

  test('singular', async () => {
    const handler = { kind: 'singular', stripped: false } as const;
    const read = source({ where: [equals('id', '5')], select: [select('id'), select('client_id')] });
    const plan = callPlan(projects, { returning: ['*'] }, { handler, read });
    expect((await call(plan))[COLUMN.body]).toBe('{"id":5,"client_id":null}');
    const stripped = callPlan(projects, { returning: ['*'] }, { handler: { ...handler, stripped: true }, read });
    expect((await call(stripped))[COLUMN.body]).toBe('{"id":5}');
    expect((await call(callPlan(add, direct({ a: '1', b: '2' }), { handler })))[COLUMN.body]).toBe('3');
  });

  test('filters on a set of rows', async () => {
    const read = source({ where: [filter('client_id', { kind: 'is', value: 'null' })], select: [select('id')] });
    expect(
      (await call(callPlan(projects, { returning: ['id'], filterFields: ['client_id'] }, { read })))[COLUMN.body],
    ).toBe('[{"id":5}]');
  });
});
