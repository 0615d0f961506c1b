import { describe, expect, test } from 'vitest';
import { filterExpression, filterOrArgument } from './filter.ts';
import { parsed, refused } from './request.fixture.ts';
import type { Operation } from './types.ts';

const quant = (operator: string, value: string, quantifier: string | null = null) => ({
  kind: 'quant',
  operator,
  quantifier,
  value,
});

describe('operators', () => {
  test.each(['eq', 'gte', 'gt', 'lte', 'lt', 'like', 'ilike', 'match', 'imatch'])('%s', (operator) => {
    expect(parsed(filterExpression, `${operator}.x.y`)).toEqual({ negated: false, operation: quant(operator, 'x.y') });
    expect(parsed(filterExpression, `not.${operator}(any).{a}`)).toEqual({
      negated: true,
      operation: quant(operator, '{a}', 'any'),
    });
    expect(parsed(filterExpression, `${operator}(all).`).operation).toEqual(quant(operator, '', 'all'));
  });

  test.each(['neq', 'cs', 'cd', 'ov', 'sl', 'sr', 'nxr', 'nxl', 'adj'])('%s', (operator) => {
    expect(parsed(filterExpression, `${operator}.v`).operation).toEqual({ kind: 'simple', operator, value: 'v' });
  });

  test.each(['fts', 'plfts', 'phfts', 'wfts'])('%s', (operator) => {
    expect(parsed(filterExpression, `${operator}.v`).operation).toEqual({
      kind: 'fts',
      operator,
      language: null,
      value: 'v',
    });
    expect(parsed(filterExpression, `${operator}(english).v`).operation).toEqual({
      kind: 'fts',
      operator,
      language: 'english',
      value: 'v',
    });
  });

  test.each<[string, Operation]>([
    ['is.null', { kind: 'is', value: 'null' }],
    ['is.NOT_null', { kind: 'is', value: 'not_null' }],
    ['is.TRUE', { kind: 'is', value: 'true' }],
    ['is.false', { kind: 'is', value: 'false' }],
    ['is.Unknown', { kind: 'is', value: 'unknown' }],
    ['isdistinct.1', { kind: 'isdistinct', value: '1' }],
    ['in.(1,2)', { kind: 'in', values: ['1', '2'] }],
    ['in.( 1 ,"a,b")', { kind: 'in', values: ['1 ', 'a,b'] }],
    ['in.()', { kind: 'in', values: [''] }],
    ['in.("a"b,"c")', { kind: 'in', values: ['"a"b', 'c'] }],
  ])('%s', (source, operation) => {
    expect(parsed(filterExpression, source)).toEqual({ negated: false, operation });
  });

  test('a value may hold any character', () => {
    expect(parsed(filterExpression, 'eq.a\n"),😀').operation).toEqual(quant('eq', 'a\n"),😀'));
  });
});

describe('refusals', () => {
  test.each([
    ['noop.0', '(line 1, column 1)', 'unexpected "o" expecting "not" or operator (eq, gt, ...)'],
    ['val', '(line 1, column 1)', 'unexpected "v" expecting "not" or operator (eq, gt, ...)'],
    ['', '(line 1, column 1)', 'unexpected end of input expecting "not" or operator (eq, gt, ...)'],
    ['fts().value', '(line 1, column 5)', 'unexpected ")" expecting operator (eq, gt, ...)'],
    ['eq().value', '(line 1, column 4)', 'unexpected ")" expecting operator (eq, gt, ...)'],
    ['is().value', '(line 1, column 3)', 'unexpected "(" expecting operator (eq, gt, ...)'],
    ['in().value', '(line 1, column 3)', 'unexpected "(" expecting operator (eq, gt, ...)'],
    ['is.nil', '(line 1, column 5)', 'unexpected "i" expecting isVal: (null, not_null, true, false, unknown)'],
    ['is.ok', '(line 1, column 4)', 'unexpected "o" expecting isVal: (null, not_null, true, false, unknown)'],
    ['in.1', '(line 1, column 4)', 'unexpected "1" expecting "("'],
    ['not.not.eq.1', '(line 1, column 5)', 'unexpected "n" expecting operator (eq, gt, ...)'],
    ['\u0007', '(line 1, column 1)', String.raw`unexpected "\a" expecting "not" or operator (eq, gt, ...)`],
  ])('%j', (source, place, sentence) => {
    expect(refused(filterExpression, source)).toEqual([place, sentence]);
  });
});

describe('arguments of functions', () => {
  test('a value without operator is one', () => {
    expect(parsed(filterOrArgument, 'val')).toBeNull();
    expect(parsed(filterOrArgument, 'eqx.1')).toBeNull();
    expect(parsed(filterOrArgument, '')).toBeNull();
  });

  test('an operator makes a filter, also where its value is wrong', () => {
    expect(parsed(filterOrArgument, 'eq.1')).toEqual({ negated: false, operation: quant('eq', '1') });
    expect(refused(filterOrArgument, 'is.x')[0]).toBe('(line 1, column 4)');
    expect(refused(filterOrArgument, 'not.x')[0]).toBe('(line 1, column 5)');
  });
});
