import { describe, expect, test } from 'vitest';
import { logicPath, logicTree } from './logic.ts';
import { parsed, refused } from './request.fixture.ts';
import type { LogicTree } from './types.ts';

const eq = (name: string, value: string, negated = false): LogicTree => ({
  kind: 'filter',
  filter: {
    field: { name, path: [] },
    expression: { negated, operation: { kind: 'quant', operator: 'eq', quantifier: null, value } },
  },
});

test('trees of filters', () => {
  expect(parsed(logicTree, 'and(a.eq.1,not.or(b.not.eq.2, c.eq."x,y"))')).toEqual({
    kind: 'expression',
    negated: false,
    operator: 'and',
    children: [
      eq('a', '1'),
      { kind: 'expression', negated: true, operator: 'or', children: [eq('b', '2', true), eq('c', 'x,y')] },
    ],
  });
});

test.each([
  ['{1,2}', '{1,2}'],
  ['"a\\"b"', 'a"b'],
  ['"a"b', '"a"b'],
  ['{a', '{a'],
  ['a b', 'a b'],
  ['', ''],
])('the value %j', (source, value) => {
  expect(parsed(logicTree, `or(a.eq.${source})`)).toMatchObject({ children: [eq('a', value)] });
});

describe('refusals', () => {
  test.each([
    [
      'or()',
      '(line 1, column 4)',
      'unexpected ")" expecting field name (* or [a..z0..9_$]), negation operator (not) or logic operator (and, or)',
    ],
    ['or(id.in.1,2,id.eq.3)', '(line 1, column 10)', 'unexpected "1" expecting "("'],
    ['or)(', '(line 1, column 3)', 'unexpected ")" expecting "("'],
    ['and(ord(id.eq.1,id.eq.1),id.eq.2)', '(line 1, column 7)', 'unexpected "d" expecting "("'],
    [
      'or(id.eq.1,not.xor(id.eq.2,id.eq.3))',
      '(line 1, column 16)',
      'unexpected "x" expecting logic operator (and, or)',
    ],
  ])('%s', (source, place, sentence) => {
    expect(refused(logicTree, source)).toEqual([place, sentence]);
  });

  test('nesting has a bound', () => {
    const nest = (levels: number): string => `${'and('.repeat(levels)}a.eq.1${')'.repeat(levels)}`;
    expect(parsed(logicTree, nest(400))).toMatchObject({ kind: 'expression' });
    expect(refused(logicTree, nest(10_000))[1]).toBe('more than 500 levels');
  });
});

test.each([
  ['and', { path: [], operator: 'and' }],
  ['not.or', { path: [], operator: 'not.or' }],
  ['a.b.or', { path: ['a', 'b'], operator: 'or' }],
  ['a.not.and', { path: ['a'], operator: 'not.and' }],
])('the key %s', (key, found) => {
  expect(parsed(logicPath, key)).toEqual(found);
});
