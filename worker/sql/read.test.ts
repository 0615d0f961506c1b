import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { qualified } from '../../shared/sql/identifiers.ts';
import { createDatabase, type TestDatabase } from '../../test/postgres.ts';
import type { CoercibleField, PlanLogic, ReadPlan } from '../plan/types.ts';
import type { JsonOperation, Operation } from '../request/types.ts';
import { COLUMN, EARLY_BODY } from './columns.ts';
import { compile, type Facts } from './statements.ts';
import { condition, equals, facts, field, filter, manyToOne, read, readPlan, SCHEMA, select } from './testing/plans.ts';
import { answerOf, type Runner, runner } from './testing/run.ts';
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

const row = async (tree: ReadPlan, given: Facts = facts(), more: Parameters<typeof readPlan>[1] = {}) => {
  const [main] = await server.run(compile(readPlan(tree, more), given));
  return main?.[0] ?? [];
};

/** The body as text. */
const body = async (tree: ReadPlan, more: Parameters<typeof readPlan>[1] = {}) =>
  (await row(tree, facts(), more))[COLUMN.body];

const ids = async (name: string, ...where: PlanLogic[]) => {
  const order = [{ kind: 'field', field: field('id'), direction: 'asc', nulls: null }] as const;
  const text = await body(read(name, { select: [select('id')], where, order }));
  return (JSON.parse(text ?? '') as { id: number }[]).map((r) => r.id);
};

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

describe('filters', () => {
  const quant = (operator: 'eq' | 'gt' | 'gte' | 'lt' | 'lte' | 'like' | 'ilike' | 'match' | 'imatch', value: string) =>
    ({ kind: 'quant', operator, quantifier: null, value }) as const;
  const simple = (operator: 'neq' | 'cs' | 'cd' | 'ov' | 'sl' | 'sr' | 'nxr' | 'nxl' | 'adj', value: string) =>
    ({ kind: 'simple', operator, value }) as const;

  test.each<[string, Operation, number[]]>([
    ['id', quant('eq', '2'), [2]],
    ['id', quant('gt', '2'), [3]],
    ['id', quant('gte', '2'), [2, 3]],
    ['id', quant('lt', '2'), [1]],
    ['id', quant('lte', '2'), [1, 2]],
    ['name', quant('like', '*n*'), [1, 3]],
    ['name', quant('ilike', 'T*'), [2]],
    ['name', quant('match', '^t'), [2]],
    ['name', quant('imatch', '^T'), [2]],
    ['id', simple('neq', '2'), [1, 3]],
    ['tags', simple('cs', '{x}'), [1]],
    ['tags', simple('cd', '{x,y}'), [1]],
    ['tags', simple('ov', '{z,q}'), [2]],
    ['span', simple('sl', '[15,16)'), [1]],
    ['span', simple('sr', '[15,16)'), [2]],
    ['span', simple('nxr', '[1,15)'), [1]],
    ['span', simple('nxl', '[15,40)'), [2]],
    ['span', simple('adj', '[10,20)'), [1, 2]],
    ['done', { kind: 'is', value: 'true' }, [1]],
    ['done', { kind: 'is', value: 'false' }, [2]],
    ['done', { kind: 'is', value: 'unknown' }, [3]],
    ['done', { kind: 'is', value: 'null' }, [3]],
    ['done', { kind: 'is', value: 'not_null' }, [1, 2]],
    ['done', { kind: 'isdistinct', value: 'true' }, [2, 3]],
    ['id', { kind: 'in', values: ['1', '3'] }, [1, 3]],
    ['id', { kind: 'in', values: [''] }, []],
    ['id', { kind: 'in', values: [] }, []],
    ['name', { kind: 'in', values: ['null', 'a"b\\c', '{}'] }, [3]],
    ['words', { kind: 'fts', operator: 'fts', language: null, value: 'fox' }, [1]],
    ['words', { kind: 'fts', operator: 'plfts', language: 'english', value: 'dog' }, [2]],
    ['words', { kind: 'fts', operator: 'phfts', language: 'english', value: 'the dogs' }, [2]],
    ['words', { kind: 'fts', operator: 'wfts', language: null, value: 'fox or dog' }, [1, 2]],
  ])('%s %o', async (name, operation, expected) => {
    expect(await ids('things', filter(name, operation))).toEqual(expected);
  });

  test.each<['any' | 'all', number[]]>([
    ['any', [1, 2]],
    ['all', []],
  ])('with the quantifier %s', async (quantifier, expected) => {
    const operation = { kind: 'quant', operator: 'like', quantifier, value: '{o*,t*}' } as const;
    expect(await ids('things', filter('name', operation))).toEqual(expected);
  });

  test('negated, and in trees', async () => {
    expect(await ids('things', filter('id', quant('eq', '2'), true))).toEqual([1, 3]);
    const children = [equals('id', '1'), equals('id', '2')];
    const either = { kind: 'expression', negated: false, operator: 'or', children } as const;
    expect(await ids('things', either)).toEqual([1, 2]);
    expect(await ids('things', { ...either, negated: true })).toEqual([3]);
    expect(await ids('things', { ...either, operator: 'and' })).toEqual([]);
    expect(await ids('things', either, equals('name', 'two'))).toEqual([2]);
  });

  test('on paths, and on text that is made to words', async () => {
    const inner: CoercibleField = field('data', { path: path('a', 'b', 0) });
    expect(await ids('things', filter(inner, quant('eq', '30')))).toEqual([2]);
    const words = field('name', { toTsVector: { language: 'simple' } });
    const search = { kind: 'fts', operator: 'fts', language: 'simple', value: 'two' } as const;
    expect(await ids('things', filter(words, search))).toEqual([2]);
  });

  test('on values that are converted from text', async () => {
    const color = field('color', { transform: '"api"."text_color"' });
    expect(await ids('paints', filter(color, quant('eq', '#0000ff')))).toEqual([1]);
    expect(await ids('paints', filter(color, { kind: 'in', values: ['#00ff00', '#000001'] }))).toEqual([2]);
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

describe('embedding', () => {
  const client = (more: Partial<ReadPlan> = {}, relation: Partial<ReadPlan['relation']> = {}) =>
    read(
      'clients',
      { select: [select('name')], fromAlias: 'clients_1', depth: 1, ...more },
      {
        toParent: manyToOne('projects', 'clients'),
        joinConditions: [
          {
            left: { relation: qualified('', 'clients_1'), column: 'id' },
            right: { relation: qualified(SCHEMA, 'projects'), column: 'client_id' },
          },
        ],
        aggregateAlias: 'projects_clients_1',
        ...relation,
      },
    );
  const object = { kind: 'json', name: 'client', alias: 'projects_clients_1', mode: 'object', empty: false } as const;
  const projects = (child: ReadPlan, more: Partial<ReadPlan> = {}) =>
    read('projects', {
      select: [select('id')],
      relationSelect: [object],
      children: [child],
      order: [{ kind: 'field', field: field('id'), direction: null, nulls: null }],
      ...more,
    });

  test('to one gives an object, or null', async () => {
    const tree = projects(client(), { range: { offset: 3n, limit: null } });
    expect(await body(tree)).toBe('[{"id":4,"client":{"name": "Apple"}}, \n {"id":5,"client":null}]');
  });

  test('inner leaves out rows without, and the count too', async () => {
    const tree = projects(client({ where: [equals('name', 'Apple')] }, { joinType: 'inner' }), {
      range: { offset: 0n, limit: 1n },
    });
    const answer = await row(tree, facts({ count: 'exact' }, { topLevelRange: { offset: 0n, limit: 1n } }));
    expect(answerOf(answer)).toEqual(['2', '1', '[{"id":3,"client":{"name": "Apple"}}]']);
  });

  test('asked for presence', async () => {
    const range = { offset: 0n, limit: 1n };
    const given = facts({ count: 'exact' }, { topLevelRange: range });
    const present = (negated: boolean) =>
      projects(client(), { where: [{ kind: 'null-embed', negated, alias: 'projects_clients_1' }], range });
    expect(answerOf(await row(present(true), given))).toEqual(['4', '1', '[{"id":1,"client":{"name": "Microsoft"}}]']);
    expect(answerOf(await row(present(false), given))).toEqual(['1', '1', '[{"id":5,"client":null}]']);
  });

  test('ordered by a column of the other', async () => {
    const order = [
      {
        kind: 'relation',
        relation: 'projects_clients_1',
        field: { name: 'name', path: [] },
        direction: 'asc',
        nulls: null,
      },
      { kind: 'field', field: field('id'), direction: 'desc', nulls: null },
    ] as const;
    const rows = JSON.parse((await body(projects(client(), { order }))) ?? '') as { id: number }[];
    expect(rows.map((r) => r.id)).toEqual([4, 3, 2, 1, 5]);
  });

  test('to many gives an array, with its own order and range', async () => {
    const tasks = read(
      'tasks',
      {
        select: [select('name')],
        fromAlias: 'tasks_1',
        order: [{ kind: 'field', field: field('id'), direction: 'desc', nulls: null }],
        range: { offset: 0n, limit: 1n },
      },
      {
        joinConditions: [
          {
            left: { relation: qualified(SCHEMA, 'projects'), column: 'id' },
            right: { relation: qualified('', 'tasks_1'), column: 'project_id' },
          },
        ],
        aggregateAlias: 'projects_tasks_1',
      },
    );
    const selected = { kind: 'json', name: 'tasks', alias: 'projects_tasks_1', mode: 'array', empty: false } as const;
    const tree = projects(tasks, {
      relationSelect: [selected],
      where: [filter('id', { kind: 'in', values: ['1', '3'] })],
    });
    expect(await body(tree)).toBe('[{"id":1,"tasks":[{"name": "Code"}]}, \n {"id":3,"tasks":[]}]');
  });

  test('through a junction', async () => {
    const users = read(
      'users',
      { select: [select('name')], fromAlias: 'users_1' },
      {
        toParent: {
          kind: 'detected',
          table: qualified(SCHEMA, 'projects'),
          foreignTable: qualified(SCHEMA, 'users'),
          isSelf: false,
          tableIsView: false,
          foreignTableIsView: false,
          cardinality: {
            kind: 'many-to-many',
            junction: {
              table: qualified(SCHEMA, 'users_projects'),
              constraint1: 'a',
              constraint2: 'b',
              sourceColumns: [],
              targetColumns: [],
            },
          },
        },
        joinConditions: [
          condition(['users_projects', 'user_id'], ['users_1', 'id']),
          {
            left: { relation: qualified(SCHEMA, 'projects'), column: 'id' },
            right: { relation: qualified(SCHEMA, 'users_projects'), column: 'project_id' },
          },
        ],
        aggregateAlias: 'projects_users_1',
      },
    );
    const selected = { kind: 'json', name: 'users', alias: 'projects_users_1', mode: 'array', empty: false } as const;
    const tree = projects(users, { relationSelect: [selected], where: [equals('id', '2')] });
    expect(await body(tree)).toBe('[{"id":2,"users":[{"name": "Angela"}, {"name": "Michael"}]}]');
  });

  test('through a function', async () => {
    const computed = client(
      { from: qualified(SCHEMA, 'clients'), fromAlias: null },
      {
        toParent: {
          kind: 'computed',
          function: qualified(SCHEMA, 'main_client'),
          table: qualified(SCHEMA, 'projects'),
          foreignTable: qualified(SCHEMA, 'clients'),
          tableAlias: qualified('', 'projects'),
          toOne: true,
          isSelf: false,
        },
        joinConditions: [],
      },
    );
    expect(await body(projects(computed, { where: [equals('id', '3')] }))).toBe(
      '[{"id":3,"client":{"name": "Apple"}}]',
    );
  });

  test('spread to one lifts columns; an aggregate groups by the rest', async () => {
    const spread = {
      kind: 'spread',
      alias: 'projects_clients_1',
      fields: [{ name: 'name', aggregate: null, aggregateCast: null, alias: 'client' }],
    } as const;
    const one = client({}, { spread: { kind: 'to-one' } });
    expect(await body(projects(one, { relationSelect: [spread], where: [equals('id', '1')] }))).toBe(
      '[{"id":1,"client":"Microsoft"}]',
    );
    const counted = read('projects', {
      select: [
        select('*', { aggregate: 'count', alias: 'n' }),
        select('budget', { aggregate: 'sum', aggregateCast: 'int', alias: 'budget' }),
      ],
      relationSelect: [{ ...spread, fields: [{ name: 'name', aggregate: null, aggregateCast: null, alias: null }] }],
      children: [one],
      order: [
        {
          kind: 'relation',
          relation: 'projects_clients_1',
          field: { name: 'name', path: [] },
          direction: null,
          nulls: null,
        },
      ],
    });
    expect(await body(counted)).toBe(
      '[{"n":2,"budget":7,"name":"Apple"}, \n {"n":2,"budget":31,"name":"Microsoft"}, \n {"n":1,"budget":1,"name":null}]',
    );
  });

  test('spread to many gives arrays in the order asked for', async () => {
    const order = [{ kind: 'field', field: field('id'), direction: 'desc', nulls: null }] as const;
    const tasks = read(
      'tasks',
      { select: [select('name', { alias: 'tasks' })], fromAlias: 'tasks_1' },
      {
        joinConditions: [
          {
            left: { relation: qualified(SCHEMA, 'projects'), column: 'id' },
            right: { relation: qualified('', 'tasks_1'), column: 'project_id' },
          },
        ],
        aggregateAlias: 'projects_tasks_1',
        spread: { kind: 'to-many', extraSelect: [{ relation: null, field: select('id') }], order },
      },
    );
    const fields = [{ name: 'tasks', aggregate: null, aggregateCast: null, alias: null }];
    const tree = projects(tasks, {
      relationSelect: [{ kind: 'spread', alias: 'projects_tasks_1', fields }],
      where: [equals('id', '1')],
    });
    expect(await body(tree)).toBe('[{"id":1,"tasks":["Code", "Design"]}]');
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
