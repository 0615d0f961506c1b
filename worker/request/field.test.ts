import { describe, expect, test } from 'vitest';
import { fieldName, jsonPath, treePath } from './field.ts';
import { parsed, refused } from './request.fixture.ts';

describe('names', () => {
  test.each([
    ['identifier', 'identifier'],
    ['identifier with spaces', 'identifier with spaces'],
    ['identifier-with-dashes', 'identifier-with-dashes'],
    ['dashes - with - spaces', 'dashes-with-spaces'],
    ['123', '123'],
    ['_', '_'],
    ['$', '$'],
    ['":"', ':'],
    ['" leading and trailing spaces "', ' leading and trailing spaces '],
    [' no leading or trailing spaces ', 'no leading or trailing spaces'],
    [String.raw`"a\"b\\c\d"`, 'a"b\\cd'],
    ['""', ''],
    ['été', 'été'],
    ['中文', '中文'],
    ['𐐀x', '𐐀x'],
    ['"😀"', '😀'],
  ])('%j', (source, name) => {
    expect(parsed(fieldName, source)).toBe(name);
  });

  test('what cannot begin a name', () => {
    expect(refused(fieldName, ':')).toEqual([
      '(line 1, column 1)',
      'unexpected ":" expecting field name (* or [a..z0..9_$])',
    ]);
    expect(refused(fieldName, '😀')[1]).toMatch(/^unexpected "\\128512" expecting/);
  });

  test('a quote must be closed', () => {
    expect(refused(fieldName, '"abc')).toEqual([
      '(line 1, column 5)',
      String.raw`unexpected end of input expecting "\\" or "\""`,
    ]);
  });
});

describe('JSON paths', () => {
  const key = (operator: '->' | '->>', value: string) => ({ operator, operand: { kind: 'key', value } });
  const index = (operator: '->' | '->>', value: string) => ({ operator, operand: { kind: 'index', value } });

  test.each([
    ['', []],
    ['->text', [key('->', 'text')]],
    ['->!@#$%^&*_a', [key('->', '!@#$%^&*_a')]],
    ['->1', [index('->', '1')]],
    ['->>text', [key('->>', 'text')]],
    ['->>1', [index('->>', '1')]],
    ['->-1', [index('->', '-1')]],
    ['->0,other', [index('->', '0')]],
    ['->0.desc', [index('->', '0')]],
    ['->1x', [key('->', '1x')]],
    ['->a-b->>"c.d"', [key('->', 'a-b'), key('->>', 'c.d')]],
    ['-> key ', [key('->', 'key')]],
  ])('%j', (source, path) => {
    expect(parsed(jsonPath, source)).toEqual(path);
  });

  test.each([
    ['->>-78xy', '(line 1, column 7)', `unexpected 'x' expecting digit, "->", "::", ".", "," or end of input`],
    ['->>--34', '(line 1, column 5)', 'unexpected "-" expecting digit'],
    ['->>-xy-4', '(line 1, column 5)', 'unexpected "x" expecting digit'],
    [
      '->(a',
      '(line 1, column 3)',
      'unexpected "(" expecting "-", digit or any non reserved character different from: .,>()',
    ],
  ])('%j is refused', (source, place, sentence) => {
    expect(refused(jsonPath, source)).toEqual([place, sentence]);
  });
});

test('a filter key is the embedded levels and a field', () => {
  expect(parsed(treePath, 'clients.projects.data->a->>0')).toEqual({
    path: ['clients', 'projects'],
    field: {
      name: 'data',
      path: [
        { operator: '->', operand: { kind: 'key', value: 'a' } },
        { operator: '->>', operand: { kind: 'index', value: '0' } },
      ],
    },
  });
  expect(parsed(treePath, '"a.b".c')).toEqual({ path: ['a.b'], field: { name: 'c', path: [] } });
});
