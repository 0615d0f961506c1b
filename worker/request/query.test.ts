import { describe, expect, test } from 'vitest';
import { percentDecode } from '../../shared/percent.ts';
import { parseQuery } from './query.ts';
import { canonicalQuery, parseQueryString } from './query-string.ts';
import { refusal } from './request.fixture.ts';

describe('splitting', () => {
  test('pairs end at ampersands and semicolons; the first equals sign divides', () => {
    expect(parseQueryString('?a=1&b=x=y;c&&d=')).toEqual([
      ['a', '1'],
      ['b', 'x=y'],
      ['c', null],
      ['', null],
      ['d', ''],
    ]);
    expect(parseQueryString('?')).toEqual([]);
    expect(parseQueryString('??a=1')).toEqual([['?a', '1']]);
  });

  test('percent signs that are no escape stay', () => {
    expect(percentDecode('a%20b+c%Q%4', true)).toBe('a b c%Q%4');
    expect(percentDecode('a+b%2B', false)).toBe('a+b+');
    expect(percentDecode('%c3%A9', true)).toBe('\u00c3\u00a9');
  });
});

describe('the canonical query', () => {
  test.each([
    ['?a=1&c=3&b=2&d', 'a=1&b=2&c=3&d='],
    ['?b=2&a=x&a=y', 'a=x,y&b=2'],
    ['?select=id,name&id=eq.a%20b+c', 'id=eq.a%20b%20c&select=id%2Cname'],
    ['?a=-_.~', 'a=-_.~'],
    // Bytes beyond ASCII are encoded twice, as PostgREST does.
    ['?a=%C3%A9', 'a=%C3%83%C2%A9'],
    ['', ''],
  ])('%s', (query, canonical) => {
    expect(canonicalQuery(parseQueryString(query))).toBe(canonical);
  });
});

describe('parameters', () => {
  const read = (query: string) => parseQuery(query, false).params;

  test('each goes where it belongs', () => {
    const { params } = parseQuery(
      '?select=id&order=id&a.order=b&and=(x.eq.1)&c.not.or=(y.eq.2)&columns=b,a,b&on_conflict=z,y&id=eq.1&a.b=is.null',
      false,
    );
    expect(params.select).toHaveLength(1);
    expect(params.order.map(({ path }) => path)).toEqual([[], ['a']]);
    expect(params.logic.map(({ path, tree }) => [path, tree.kind === 'expression' && tree.negated])).toEqual([
      [[], false],
      [['c'], true],
    ]);
    expect(params.columns).toEqual(['a', 'b']);
    expect(params.onConflict).toEqual(['z', 'y']);
    expect(params.filters.map(({ path, filter }) => [path, filter.field.name])).toEqual([
      [[], 'id'],
      [['a'], 'b'],
    ]);
    expect(params.filterFields).toEqual(['a.b', 'id']);
  });

  test('without select it is all columns, also when the first select has no value', () => {
    const all = read('').select;
    expect(all).toMatchObject([{ kind: 'field', field: { name: '*' } }]);
    expect(read('?select&select=id').select).toEqual(all);
    expect(read('?select=id&select=').select).toMatchObject([{ field: { name: 'id' } }]);
    expect(read('?select=').select).toEqual([]);
  });

  test('a parameter without value is none', () => {
    expect(read('?id&order&and').filters).toEqual([]);
  });

  test('values are UTF-8; what is not is replaced', () => {
    expect(read('?caf%C3%A9=eq.%F0%9F%98%80').filters).toMatchObject([
      { filter: { field: { name: 'café' }, expression: { operation: { value: '😀' } } } },
    ]);
    expect(read('?a=eq.\u00c3\u00a9').filters).toMatchObject([
      { filter: { expression: { operation: { value: 'é' } } } },
    ]);
    expect(read('?a=eq.%FF').filters).toMatchObject([{ filter: { expression: { operation: { value: '\ufffd' } } } }]);
  });

  test('arguments of a function, in order and repeated', () => {
    const { params } = parseQuery('?b=1&a=x&a=y&c=eq.3', true);
    expect(params.params).toEqual([
      ['b', '1'],
      ['a', 'x'],
      ['a', 'y'],
    ]);
    expect(params.filters).toHaveLength(1);
  });

  test('the first error of PostgREST wins: order, logic, columns, select, filters, on_conflict', () => {
    const parts = ['on_conflict=:', 'id=x', 'select=a(', 'columns=:', 'or=x', 'order=:'];
    const names = ['on_conflict parameter', 'filter', 'select parameter', 'columns parameter', 'logic tree', 'order'];
    for (let count = 1; count <= parts.length; count++) {
      const { message } = refusal(() => read(`?${parts.slice(0, count).join('&')}`));
      expect(message).toMatch(new RegExp(`^"failed to parse ${names[count - 1]} \\(`));
    }
  });

  test('a key that is no path', () => {
    const error = refusal(() => read('?:=eq.1'));
    expect(error).toMatchObject({
      status: 400,
      code: 'PGRST100',
      message: '"failed to parse tree path (:)" (line 1, column 1)',
      details: 'unexpected ":" expecting field name (* or [a..z0..9_$])',
      hint: null,
    });
    expect(refusal(() => read('?:.or=(a.eq.1)')).message).toBe(
      '"failed to parse logic path (:.or)" (line 1, column 1)',
    );
  });

  test('lines and tabs count in places', () => {
    const error = refusal(() => read('?select=a%0A%09%3A'));
    expect(error.message.endsWith('(line 1, column 2)')).toBe(true);
    expect(refusal(() => read('?select=%22%0A%22%09:')).message.endsWith('(line 2, column 9)')).toBe(true);
  });
});
