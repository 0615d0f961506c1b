import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { COLUMN } from '../../shared/sql/columns.ts';
import { createDatabase, type TestDatabase } from '../../test/postgres.ts';
import type { CoercibleField, PlanLogic } from '../plan/types.ts';
import type { JsonOperation, Operation } from '../request/types.ts';
import { compile } from './statements.ts';
import { equals, facts, field, filter, read, readPlan, select } from './testing/plans.ts';
import { type Runner, runner } from './testing/run.ts';
import { SCRIPT } from './testing/schema.ts';

let database: TestDatabase;
let server: Runner;

beforeAll(async () => {
  database = await createDatabase('sql_filters', SCRIPT);
  server = runner(database.uri);
});

afterAll(async () => {
  await server?.end();
  await database?.drop();
});

/** The ids of the rows that match. */
const ids = async (name: string, ...where: PlanLogic[]) => {
  const order = [{ kind: 'field', field: field('id'), direction: 'asc', nulls: null }] as const;
  const tree = read(name, { select: [select('id')], where, order });
  const [main] = await server.run(compile(readPlan(tree), facts()));
  return (JSON.parse(main?.[0]?.[COLUMN.body] ?? '') as { id: number }[]).map((r) => r.id);
};

const path = (...steps: (string | number)[]): JsonOperation[] =>
  steps.map((step) => ({
    operator: '->',
    operand: { kind: typeof step === 'number' ? 'index' : 'key', value: step.toString() },
  }));

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
