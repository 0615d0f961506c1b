import { describe, expect, test } from 'vitest';
import { bytes, refusal, request, text } from './request.fixture.ts';
import type { Payload } from './types.ts';

const json = 'application/json';
const post = (target: string, body: string | Uint8Array, type = json, method = 'POST') =>
  request(method, target, { headers: [['content-type', type]], body });

/** The payload with its body as text. */
const shown = (payload: Payload | null) =>
  payload !== null && 'body' in payload && payload.body instanceof Uint8Array
    ? { ...payload, body: text(payload.body) }
    : payload;

const message = (body: string | Uint8Array, type = json, target = '/t'): string => {
  const error = refusal(() => post(target, body, type));
  expect(error).toMatchObject({ status: 400, code: 'PGRST102', details: null, hint: null });
  return error.message;
};

describe('JSON', () => {
  test('the very bytes go on', () => {
    const body = bytes(' [ {"b": 1, "a": 1e400}, {"a":"\\u0041", "b":null} ] ');
    const { payload, columns } = post('/t', body);
    expect(payload).toMatchObject({ kind: 'json', keys: ['a', 'b'], isObject: false });
    expect(payload !== null && 'body' in payload && payload.body).toBe(body);
    expect(columns).toEqual(['a', 'b']);
  });

  test.each([
    ['{"a":1,"b":{"c":[]}}', ['a', 'b'], true],
    ['{}', [], true],
    ['[{},{}]', [], false],
    ['[{"a":1},{"a":2}]', ['a'], false],
  ])('%s', (body, keys, isObject) => {
    expect(shown(post('/t', body).payload)).toEqual({ kind: 'json', body, keys, isObject });
  });

  test.each(['[]', ' [ ] ', '1', '"x"', 'null', 'true'])('%s fills nothing', (body) => {
    expect(shown(post('/t', body).payload)).toEqual({ kind: 'json', body: '[]', keys: [], isObject: false });
  });

  test.each(['', ' ', '}{ x = 2', '{"a":1', '[{"a":1},{"b":2}', '{"a":1}x', '[1,{"a":]'])('%j is none', (body) => {
    expect(message(body)).toBe('Empty or invalid json');
  });

  test.each(['[{"a":1},{"b":1}]', '[{"a":1},{"a":1,"b":2}]', '[{"a":1},{}]', '[{"a":1},123]', '[123,{"a":1}]', '[[]]'])(
    '%s has no keys in common',
    (body) => {
      expect(message(body)).toBe('All object keys must match');
    },
  );

  test('with columns it is not looked into', () => {
    const { payload, columns } = post('/t?columns=b,a', ' {nonsense');
    expect(shown(payload)).toEqual({ kind: 'raw-json', body: ' {nonsense', isObject: true });
    expect(columns).toEqual(['a', 'b']);
    expect(shown(post('/t?columns=a', '[').payload)).toMatchObject({ isObject: false });
    expect(shown(post('/t?columns=a', '{}', json, 'PATCH').payload)).toMatchObject({ kind: 'raw-json' });
    expect(shown(post('/t?columns=a', '{"b":1}', json, 'PUT').payload)).toMatchObject({ kind: 'json', keys: ['b'] });
  });

  test('a function needs no body', () => {
    expect(shown(post('/rpc/f', '').payload)).toEqual({ kind: 'json', body: '', keys: [], isObject: false });
    expect(message('sdfsdf', json, '/rpc/f')).toBe('Empty or invalid json');
  });

  test('without Content-Type it is JSON', () => {
    expect(request('POST', '/t', { body: '{"a":1}' }).columns).toEqual(['a']);
  });

  test('only writes and calls have one', () => {
    for (const [method, target] of [
      ['GET', '/t'],
      ['DELETE', '/t'],
      ['OPTIONS', '/t'],
      ['GET', '/rpc/f'],
    ] as const) {
      expect(post(target, 'x', json, method)).toMatchObject({ payload: null, columns: [] });
    }
  });
});

test.each([
  ['text/csv', [...bytes('a\n'), 0xff]],
  ['text/csv', [...bytes('\u00e9\n').slice(1)]],
  ['application/x-www-form-urlencoded', bytes('a=%ff')],
  ['application/x-www-form-urlencoded', bytes('%c3=1')],
])('%s that is not UTF-8 is not written as something else', (type, body) => {
  expect(message(Uint8Array.from(body), type)).toBe('Invalid UTF-8');
});

describe('CSV', () => {
  const csv = (body: string) => shown(post('/t', body, 'text/csv').payload);
  const rows = (body: string): unknown => {
    const payload = csv(body);
    return payload !== null && 'body' in payload ? JSON.parse(String(payload.body)) : null;
  };

  test('becomes an array of objects', () => {
    expect(csv('b,a\r\n1,NULL\n"x ""y"", z",é\n')).toEqual({
      kind: 'json',
      body: '[{"b":"1","a":null},{"b":"x \\"y\\", z","a":"é"}]',
      keys: ['a', 'b'],
      isObject: false,
    });
  });

  test.each([
    ['a\n1', [{ a: '1' }]],
    ['a\r1\r\n\r\n2\n\n', [{ a: '1' }, { a: '2' }]],
    ['a,b\n"1\n2",3,4', [{ a: '1\n2', b: '3' }]],
    ['a,a\n1,2', [{ a: '2' }]],
    ['a\n"NULL"', [{ a: null }]],
    ['a\n"open', [{ a: 'ope' }]],
    ['a\n', []],
    ['a,b\n"",', [{ a: '', b: '' }]],
    // One empty field is a blank line, quoted or not.
    ['a\n""', []],
  ])('%j', (body, objects) => {
    expect(rows(body)).toEqual(objects);
  });

  test('rows of different length', () => {
    expect(message('a,b\nfoo,bar\nbaz', 'text/csv')).toBe('All lines must have same number of fields');
  });

  test.each([
    ['', 'parse error (not enough input) at ""'],
    ['a,b', 'parse error (not enough input) at ""'],
    ['a\nx"y\u0007é', String.raw`parse error (Failed reading: satisfy) at "\"y\a\195\169"`],
    ['a\n"x"y', 'parse error (Failed reading: satisfy) at "y"'],
    ['a\n"', 'parse error (Failed reading: trailing double quote) at ""'],
    ['a\n"x""', 'parse error (Failed reading: insufficient input) at ""'],
    [`a\nx"${'y'.repeat(200)}`, `parse error (Failed reading: satisfy) at "${'y'.repeat(99)} (truncated)`],
  ])('%j is none', (body, expected) => {
    expect(message(body, 'text/csv')).toBe(expected);
  });
});

describe('other types', () => {
  const form = 'application/x-www-form-urlencoded';

  test('a form is an object for a relation, pairs for a function', () => {
    expect(shown(post('/t', 'b=1&a=x+y&a=%C3%A9&c', form).payload)).toEqual({
      kind: 'json',
      body: '{"b":"1","a":"é","c":""}',
      keys: ['a', 'b', 'c'],
      isObject: true,
    });
    expect(post('/rpc/f', 'b=1&a=x&a=y', form)).toMatchObject({
      payload: {
        kind: 'urlencoded',
        pairs: [
          ['b', '1'],
          ['a', 'x'],
          ['a', 'y'],
        ],
        keys: ['a', 'b'],
      },
      columns: ['a', 'b'],
    });
  });

  test.each(['text/plain', 'text/xml', 'application/octet-stream'])('%s is for functions', (type) => {
    expect(shown(post('/rpc/f', 'x', type).payload)).toEqual({ kind: 'raw', body: 'x' });
    expect(message('x', type)).toBe(`Content-Type not acceptable: ${type}`);
  });

  test('unknown ones', () => {
    expect(message('x', 'image/png; x=y', '/rpc/f')).toBe('Content-Type not acceptable: image/png; x=y');
    expect(message('x', 'application/vnd.pgrst.object+json')).toBe(
      'Content-Type not acceptable: application/vnd.pgrst.object+json',
    );
  });
});
