import { describe, expect, test } from 'vitest';
import { parsed, refused } from './request.fixture.ts';
import { fieldItem, relationItem, selectItems, spreadItem } from './select.ts';
import type { SelectItem } from './types.ts';

type FieldItem = SelectItem & { readonly kind: 'field' };
type Nested = SelectItem & { readonly kind: 'relation' | 'spread' };

const field = (name: string, more: Partial<FieldItem> = {}): FieldItem => ({
  kind: 'field',
  field: { name, path: [] },
  aggregate: null,
  aggregateCast: null,
  cast: null,
  alias: null,
  ...more,
});
const embed = (relation: string, children: readonly SelectItem[], more: Partial<Nested> = {}): Nested => ({
  kind: 'relation',
  relation,
  alias: null,
  hint: null,
  joinType: null,
  children,
  ...more,
});
const data = (value: string): FieldItem['field'] => ({
  name: 'name',
  path: [{ operator: '->', operand: { kind: 'key', value } }],
});

describe('lists', () => {
  test.each<[string, readonly SelectItem[]]>([
    ['', []],
    ['id', [field('id')]],
    ['id,name', [field('id'), field('name')]],
    [' id , name ', [field('id'), field('name')]],
    ['client(id)', [embed('client', [field('id')])]],
    ['*,client(*,nested(*))', [field('*'), embed('client', [field('*'), embed('nested', [field('*')])])]],
    ['*,...client(*),other()', [field('*'), embed('client', [field('*')], { kind: 'spread' }), embed('other', [])]],
    ['al:client!fk!inner(id)', [embed('client', [field('id')], { alias: 'al', hint: 'fk', joinType: 'inner' })]],
  ])('%j', (source, items) => {
    expect(parsed(selectItems, source)).toEqual(items);
  });

  test('an index is a key where a parenthesis closes behind it, as PostgREST has it', () => {
    expect(parsed(selectItems, 'a(b->0),c->0')).toMatchObject([
      { children: [{ field: { path: [{ operand: { kind: 'key', value: '0' } }] } }] },
      { field: { path: [{ operand: { kind: 'index', value: '0' } }] } },
    ]);
  });

  test('what follows the list is left', () => {
    expect(parsed(selectItems, 'id)x')).toEqual([field('id')]);
  });

  test.each([
    [
      'id,clients(name[])',
      '(line 1, column 16)',
      `unexpected '[' expecting letter, digit, "-", "->>", "->", "::", ".", ")", "," or end of input`,
    ],
    ['data->>-78xy', '(line 1, column 11)', `unexpected 'x' expecting digit, "->", "::", ".", "," or end of input`],
    ['client(id', '(line 1, column 10)', 'unexpected end of input'],
  ])('%j is refused', (source, place, sentence) => {
    const [where, why] = refused(selectItems, source);
    expect(where).toBe(place);
    expect(why.startsWith(sentence)).toBe(true);
  });

  test('nesting has a bound', () => {
    const nest = (levels: number): string => `${'a('.repeat(levels)}${')'.repeat(levels)}`;
    expect(parsed(selectItems, nest(400))).toHaveLength(1);
    expect(refused(selectItems, nest(10_000))[1]).toBe('more than 500 levels');
  });
});

describe('fields', () => {
  test.each<[string, FieldItem]>([
    ['name', field('name')],
    ['name->jsonpath', field('name', { field: data('jsonpath') })],
    ['name::cast', field('name', { cast: 'cast' })],
    ['name::double precision', field('name', { cast: 'double precision' })],
    ['alias:name', field('name', { alias: 'alias' })],
    ['alias:name->jsonpath::cast', field('name', { field: data('jsonpath'), cast: 'cast', alias: 'alias' })],
    ['alias:name->!@#$%^&*_a::cast', field('name', { field: data('!@#$%^&*_a'), cast: 'cast', alias: 'alias' })],
    ['*', field('*')],
    ['count()', field('*', { aggregate: 'count' })],
    ['n:count()::text', field('*', { aggregate: 'count', aggregateCast: 'text', alias: 'n' })],
    ['count', field('count')],
    ['price.sum()', field('price', { aggregate: 'sum' })],
    ['a:price::int.avg()::text', field('price', { aggregate: 'avg', aggregateCast: 'text', cast: 'int', alias: 'a' })],
    ['x.max()', field('x', { aggregate: 'max' })],
    ['x.min()', field('x', { aggregate: 'min' })],
  ])('%j', (source, item) => {
    expect(parsed(fieldItem, source)).toEqual(item);
  });

  test.each([
    [
      'name!hint',
      '(line 1, column 5)',
      `unexpected '!' expecting letter, digit, "-", "->>", "->", "::", ".", ")", "," or end of input`,
    ],
    ['*!hint', '(line 1, column 2)', `unexpected '!' expecting ")", "," or end of input`],
    ['name::', '(line 1, column 7)', 'unexpected end of input expecting letter or digit'],
  ])('%j is refused', (source, place, sentence) => {
    expect(refused(fieldItem, source)).toEqual([place, sentence]);
  });
});

describe('relations', () => {
  const head = (relation: string, more = {}) => ({ relation, alias: null, hint: null, joinType: null, ...more });

  test.each([
    ['rel(*)', head('rel')],
    ['alias:rel(*)', head('rel', { alias: 'alias' })],
    ['rel!hint(*)', head('rel', { hint: 'hint' })],
    ['rel!inner(*)', head('rel', { joinType: 'inner' })],
    ['rel!hint!inner(*)', head('rel', { hint: 'hint', joinType: 'inner' })],
    ['alias:rel!inner!hint(*)', head('rel', { alias: 'alias', hint: 'hint', joinType: 'inner' })],
    ['rel!left!inner(*)', head('rel', { joinType: 'left' })],
  ])('%j', (source, found) => {
    expect(parsed(relationItem, source)).toEqual(found);
  });

  test.each([
    ['rel->jsonpath(*)', '(line 1, column 6)', `unexpected '>'`],
    ['rel->jsonpath!hint(*)', '(line 1, column 6)', `unexpected '>'`],
  ])('%j is refused', (source, place, sentence) => {
    expect(refused(relationItem, source)).toEqual([place, sentence]);
  });

  test('count() is never a relation', () => {
    expect(parsed(selectItems, 'count()')).toEqual([field('*', { aggregate: 'count' })]);
  });

  test.each([
    ['...rel(*)', head('rel')],
    ['...rel!hint!inner(*)', head('rel', { hint: 'hint', joinType: 'inner' })],
  ])('spread %j', (source, found) => {
    expect(parsed(spreadItem, source)).toEqual(found);
  });

  test.each([
    ['rel(*)', '(line 1, column 1)', 'unexpected "r" expecting "..."'],
    ['alias:...rel(*)', '(line 1, column 1)', 'unexpected "a" expecting "..."'],
    ['...rel->jsonpath(*)', '(line 1, column 9)', `unexpected '>'`],
  ])('spread %j is refused', (source, place, sentence) => {
    expect(refused(spreadItem, source)).toEqual([place, sentence]);
  });
});
