import { expect, test } from 'vitest';
import { orderTerms } from './order.ts';
import { parsed, refused } from './request.fixture.ts';
import type { OrderTerm } from './types.ts';

const jsonField = (value: string) => ({
  name: 'json_col',
  path: [{ operator: '->' as const, operand: { kind: 'key' as const, value } }],
});
const plain = (name: string) => ({ name, path: [] });

test.each<[string, readonly OrderTerm[]]>([
  ['name.desc.nullsfirst', [{ kind: 'field', field: plain('name'), direction: 'desc', nulls: 'nullsfirst' }]],
  ['json_col->key.asc.nullslast', [{ kind: 'field', field: jsonField('key'), direction: 'asc', nulls: 'nullslast' }]],
  [
    'json_col->!@#$%^&*_a.asc.nullslast',
    [{ kind: 'field', field: jsonField('!@#$%^&*_a'), direction: 'asc', nulls: 'nullslast' }],
  ],
  [
    'clients(json_col->key).desc.nullsfirst',
    [{ kind: 'relation', relation: 'clients', field: jsonField('key'), direction: 'desc', nulls: 'nullsfirst' }],
  ],
  [
    'name,clients(name),id.nullslast',
    [
      { kind: 'field', field: plain('name'), direction: null, nulls: null },
      { kind: 'relation', relation: 'clients', field: plain('name'), direction: null, nulls: null },
      { kind: 'field', field: plain('id'), direction: null, nulls: 'nullslast' },
    ],
  ],
])('%s', (source, terms) => {
  expect(parsed(orderTerms, source)).toEqual(terms);
});

test.each([
  [
    'clients(name,id)',
    '(line 1, column 8)',
    `unexpected '(' expecting letter, digit, "-", "->>", "->", delimiter (.), "," or end of input`,
  ],
  ['id.ac', '(line 1, column 4)', 'unexpected "c" expecting "asc", "desc", "nullsfirst" or "nullslast"'],
  ['id.descc', '(line 1, column 8)', `unexpected 'c' expecting delimiter (.), "," or end of input`],
  ['id.nulsfist', '(line 1, column 4)', 'unexpected "n" expecting "asc", "desc", "nullsfirst" or "nullslast"'],
  ['id.nullslasttt', '(line 1, column 13)', `unexpected 't' expecting "," or end of input`],
  ['id.smth34', '(line 1, column 4)', 'unexpected "s" expecting "asc", "desc", "nullsfirst" or "nullslast"'],
  ['id.asc.nlsfst', '(line 1, column 8)', 'unexpected "l" expecting "nullsfirst" or "nullslast"'],
  ['id.asc.nullslasttt', '(line 1, column 17)', `unexpected 't' expecting "," or end of input`],
  ['id.asc.smth34', '(line 1, column 8)', 'unexpected "s" expecting "nullsfirst" or "nullslast"'],
])('%s is refused', (source, place, sentence) => {
  expect(refused(orderTerms, source)).toEqual([place, sentence]);
});
