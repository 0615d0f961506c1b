import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { COLUMN, EARLY_BODY } from '../../shared/sql/columns.ts';
import { qualified } from '../../shared/sql/identifiers.ts';
import { createDatabase, type TestDatabase } from '../../test/postgres.ts';
import type { JsonOperation } from '../request/types.ts';
import { compile } from './statements.ts';
import { equals, facts, field, filter, read, readPlan, select } from './testing/plans.ts';
import { type Runner, reader, runner } from './testing/run.ts';
import { SCRIPT } from './testing/schema.ts';

let database: TestDatabase;
let server: Runner;

beforeAll(async () => {
  database = await createDatabase('sql_read', SCRIPT);
  server = runner(database.uri);
});

afterAll(async () => {
  await server?.end();
  await database?.drop();
});

const { row, body } = reader(() => server);

const path = (...steps: (string | number)[]): JsonOperation[] =>
  steps.map((step) => ({
    operator: '->',
    operand: { kind: typeof step === 'number' ? 'index' : 'key', value: step.toString() },
  }));

describe('rows', () => {
  test('are a JSON array, one row a line', async () => {
    const tree = read('clients', { select: [select('id'), select('name')] });
    expect(await body(tree)).toBe('[{"id":1,"name":"Microsoft"}, \n {"id":2,"name":"Apple"}]');
  });

  test('are an empty array where there are none', async () => {
    expect(await body(read('clients', { where: [equals('id', '9')] }))).toBe('[]');
  });

  test('come with all columns without a select', async () => {
    expect(await body(read('clients', { where: [equals('id', '2')] }))).toBe('[{"id":2,"name":"Apple"}]');
  });

  test('have aliases, casts and paths', async () => {
    const items = [
      select('id', { cast: 'text', alias: 'key' }),
      select('data', { field: field('data', { path: path('a', 'b', 0) }), alias: 'first' }),
      select('tags', { field: field('tags', { path: path(1), toJson: true }), alias: 'second' }),
    ];
    expect(await body(read('things', { select: items, where: [equals('id', '1')] }))).toBe(
      '[{"key":"1","first":10,"second":"y"}]',
    );
  });

  test('convert values through functions of their type', async () => {
    const color = select('color', { field: field('color', { transform: '"api"."color_text"' }), alias: 'color' });
    expect(await body(read('paints', { select: [color] }))).toBe('[{"color":"#0000ff"}, \n {"color":"#00ff00"}]');
  });

  test('refuse a cast to nothing (`id::%20`) with the words of the server', async () => {
    const answered = await database.sql.unsafe('select cast( 1 as  )').catch((error: unknown) => error);
    const message = 'syntax error at or near ")"';
    expect(answered).toMatchObject({ code: '42601', message });
    const tree = read('clients', { select: [select('id', { cast: '' })] });
    expect(() => compile(readPlan(tree), facts())).toThrow(expect.objectContaining({ code: '42601', message }));
  });

  test('refuse a cast that the grammar does not know', () => {
    const tree = read('clients', { select: [select('id', { cast: 'int) from pg_shadow --' })] });
    expect(() => compile(readPlan(tree), facts())).toThrow(RangeError);
  });
});

describe('body', () => {
  const tree = read('clients', { select: [select('id'), select('name')], where: [equals('id', '2')] });

  test.each([
    [{ kind: 'singular', stripped: false } as const, '{"id":2,"name":"Apple"}'],
    [{ kind: 'array-stripped' } as const, '[{"id":2,"name":"Apple"}]'],
    [{ kind: 'csv' } as const, 'id,name\n2,Apple'],
    [{ kind: 'none' } as const, ''],
  ])('of %o', async (handler, expected) => {
    expect(await body(tree, { handler })).toBe(expected);
  });

  test('leaves out nulls when asked', async () => {
    const orphan = read('projects', { select: [select('id'), select('client_id')], where: [equals('id', '5')] });
    expect(await body(orphan, { handler: { kind: 'array-stripped' } })).toBe('[{"id":5}]');
  });

  test('of a handler of the database comes in any format, before the settings that the handler may leave', async () => {
    const handler = {
      kind: 'custom',
      function: qualified('api', 'joined'),
      target: qualified('api', 'clients'),
    } as const;
    const [main] = compile(readPlan(read('clients', { select: [select('*')] }), { handler }), facts());
    expect(main?.result).toEqual({ kind: 'row', body: EARLY_BODY, binary: true });
    const [rows] = await server.run(main === undefined ? [] : [main]);
    expect(rows?.[0]).toEqual([null, '2', '', null, 'Microsoft;Apple;', 'set by the handler', null, null]);
    expect(main === undefined ? [] : await server.columns(main)).toEqual(new Array(8).fill('text'));
  });

  test('may be passed on while it arrives only where nothing can fail after it', () => {
    const shape = (more: Parameters<typeof readPlan>[1], preferences = {}) =>
      compile(readPlan(read('clients'), more), facts(preferences))[0]?.result;
    expect(shape({})).toEqual({ kind: 'row', body: COLUMN.body, stream: true });
    expect(shape({}, { count: 'planned' })).toEqual({ kind: 'row', body: COLUMN.body });
    expect(shape({ handler: { kind: 'none' } })).toEqual({ kind: 'row', body: COLUMN.body });
  });
});

describe('order and ranges', () => {
  const order = (name: string, direction: 'asc' | 'desc' | null, nulls: 'nullsfirst' | 'nullslast' | null) =>
    [{ kind: 'field', field: field(name), direction, nulls }] as const;

  test.each([
    ['asc', null, [4, 1, 2, 3]],
    ['desc', 'nullslast', [2, 1, 4, 3]],
    [null, 'nullsfirst', [3, 4, 1, 2]],
  ] as const)('%s %s', async (direction, nulls, expected) => {
    const where = [filter('client_id', { kind: 'is', value: 'not_null' })];
    const tree = read('projects', { select: [select('id')], where, order: order('budget', direction, nulls) });
    const rows = JSON.parse((await body(tree)) ?? '') as { id: number }[];
    expect(rows.map((r) => r.id)).toEqual(expected);
  });

  test('limit and offset are values beyond any number of JavaScript', async () => {
    const page = (offset: bigint, limit: bigint | null) =>
      read('projects', { select: [select('id')], order: order('id', 'asc', null), range: { offset, limit } });
    expect(await body(page(1n, 2n))).toBe('[{"id":2}, \n {"id":3}]');
    expect(await body(page(4n, null))).toBe('[{"id":5}]');
    expect(await body(page(0n, 0n))).toBe('[]');
    expect(await body(page(0n, 9223372036854775807n))).toContain('{"id":5}');
    await expect(body(page(0n, 9223372036854775808n))).rejects.toMatchObject({ code: '22003' });
  });
});

describe('counts', () => {
  const tree = read('projects', { select: [select('id')], range: { offset: 0n, limit: 2n } });
  const range = { topLevelRange: { offset: 0n, limit: 2n } };

  test('are not made unless asked for', async () => {
    expect((await row(tree, facts({}, range))).slice(0, 2)).toEqual([null, '2']);
  });

  test('are exact, and the page itself where it is the whole', async () => {
    expect((await row(tree, facts({ count: 'exact' }, range))).slice(0, 2)).toEqual(['5', '2']);
    const whole = read('projects', { select: [select('id')] });
    expect((await row(whole, facts({ count: 'exact' }))).slice(0, 2)).toEqual(['5', '5']);
    const [main] = compile(readPlan(whole), facts({ count: 'exact' }));
    expect(main?.text).not.toContain('pgrst_source_count');
  });

  test('estimated stop one beyond the maximum, and come with the plan', async () => {
    const statements = compile(readPlan(tree), facts({ count: 'estimated' }, { ...range, maxRows: 3 }));
    const [main, plan] = await server.run(statements);
    expect(main?.[0]?.[COLUMN.total]).toBe('4');
    expect(JSON.parse(plan?.[0]?.[0] ?? '')[0].Plan['Plan Rows']).toBeGreaterThan(0);
  });

  test('planned are a guess with the same conditions', async () => {
    const planned = read('projects', { select: [select('id')], where: [equals('id', '1')] });
    const [, plan] = await server.run(compile(readPlan(planned), facts({ count: 'planned' })));
    expect(JSON.parse(plan?.[0]?.[0] ?? '')[0].Plan['Plan Rows']).toBe(1);
  });
});

describe('the plan as an answer', () => {
  test.each(['text', 'json'] as const)('in %s', async (format) => {
    const mediaType = {
      kind: 'plan',
      for: { kind: 'json' },
      format,
      options: ['analyze', 'verbose', 'settings', 'buffers', 'wal'],
    } as const;
    const statements = compile(
      readPlan(read('clients', { where: [equals('id', '1')] }), { mediaType }),
      facts({ count: 'estimated' }),
    );
    expect(statements.map((s) => s.result)).toEqual([{ kind: 'lines' }]);
    const [lines] = await server.run(statements);
    expect(lines?.[0]?.[0]).toContain('Aggregate');
  });
});
