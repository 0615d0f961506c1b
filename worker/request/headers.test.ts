import { describe, expect, test } from 'vitest';
import { parseAccept } from './accept.ts';
import { bearerToken, parseCookies } from './headers.ts';
import { mediaTypeName } from './media-type.ts';
import { parsePreferences } from './preferences.ts';
import { request } from './request.fixture.ts';

test.each([
  ['Bearer abc', 'abc'],
  ['bEaReR \t abc def', 'abc def'],
  ['Bearer', ''],
  ['Bearer ', ''],
  ['Bearerabc', null],
  ['Basic abc', null],
  ['', null],
])('Authorization: %j', (value, token) => {
  expect(bearerToken([['authorization', value]])).toBe(token);
});

test('no Authorization, no token; of several the first counts', () => {
  expect(bearerToken([['host', 'x']])).toBeNull();
  expect(
    bearerToken([
      ['authorization', 'Basic x'],
      ['authorization', 'Bearer y'],
    ]),
  ).toBeNull();
});

test.each([
  [
    'a=1; b=2',
    [
      ['a', '1'],
      ['b', '2'],
    ],
  ],
  ['a', [['a', '']]],
  [
    'a="x y";b="',
    [
      ['a', 'x y'],
      ['b', '"'],
    ],
  ],
  ['a=b=c;', [['a', 'b=c']]],
  [
    'a=1;;b= 2 ',
    [
      ['a', '1'],
      ['', ''],
      ['b', ' 2 '],
    ],
  ],
  ['', []],
])('Cookie: %j', (header, cookies) => {
  expect(parseCookies(header)).toEqual(cookies);
});

test('cookies leave the other headers', () => {
  const { headers, cookies } = request('GET', '/t', {
    headers: [
      ['a', '1'],
      ['cookie', 'x=y'],
      ['cookie', 'z=w'],
    ],
  });
  expect(headers).toEqual([['a', '1']]);
  expect(cookies).toEqual([['x', 'y']]);
});

describe('Prefer', () => {
  const prefer = (...values: readonly string[]) =>
    parsePreferences(
      values.map((value) => ['prefer', value]),
      true,
    );
  const none = parsePreferences([], true);

  test('one header with many', () => {
    expect(prefer('resolution=ignore-duplicates, count=exact, timezone=America/Los_Angeles, max-affected=100')).toEqual(
      {
        ...none,
        resolution: 'ignore-duplicates',
        count: 'exact',
        timezone: 'America/Los_Angeles',
        maxAffected: 100n,
      },
    );
  });

  test('many headers', () => {
    expect(
      prefer(
        'resolution=ignore-duplicates',
        'count=exact',
        'missing=null',
        'handling=lenient',
        'invalid',
        'max-affected=5999',
      ),
    ).toEqual({
      ...none,
      resolution: 'ignore-duplicates',
      count: 'exact',
      missing: 'null',
      handling: 'lenient',
      maxAffected: 5999n,
      invalid: ['invalid'],
    });
  });

  test('the first of equal ones counts, in one header and over several', () => {
    expect(prefer('tx=commit, tx=rollback').transaction).toBe('commit');
    expect(prefer('resolution=ignore-duplicates', 'resolution=merge-duplicates').resolution).toBe('ignore-duplicates');
    expect(prefer('timezone=a,timezone=b').timezone).toBe('a');
    expect(prefer('max-affected=x,max-affected=1').maxAffected).toBeNull();
  });

  test('any blanks between', () => {
    expect(
      prefer('count=exact,    tx=commit   ,return=representation , missing=default, handling=strict, anything'),
    ).toEqual({
      ...none,
      representation: 'representation',
      count: 'exact',
      transaction: 'commit',
      missing: 'default',
      handling: 'strict',
      invalid: ['anything'],
    });
  });

  test('the end of the transaction is not the client’s where it is not allowed', () => {
    expect(parsePreferences([['prefer', 'tx=rollback']], false)).toEqual(none);
  });

  test('empty and case-different ones are unknown', () => {
    expect(prefer('return=minimal,').invalid).toEqual(['']);
    expect(prefer('Return=minimal').invalid).toEqual(['Return=minimal']);
    expect(prefer('')).toEqual(none);
  });

  test('max-affected wraps as 64 bits do', () => {
    expect(prefer('max-affected=9223372036854775808').maxAffected).toBe(-9223372036854775808n);
  });
});

describe('Accept', () => {
  const names = (header: string | null) => parseAccept(header).map(mediaTypeName);

  test.each([
    [null, ['*/*']],
    ['', []],
    ['text/csv', ['text/csv']],
    ['text/csv;q=0.8, application/json', ['application/json', 'text/csv']],
    ['text/csv, application/json', ['text/csv', 'application/json']],
    ['*/*, text/csv', ['text/csv', '*/*']],
    [
      'text/*;q=0.3, text/html;q=0.7, text/html;level=1, */*;q=0.5',
      ['text/html;level=1', 'text/html', '*/*', 'text/*'],
    ],
    ['text/csv;q=x, text/xml;q=2', ['text/xml', 'text/csv']],
    ['text/csv; q = 0.1, text/xml ; q=0.2', ['text/xml', 'text/csv']],
  ])('%j', (header, sorted) => {
    expect(names(header)).toEqual(sorted);
  });
});
