import { describe, expect, test } from 'vitest';
import { LOG_LEVELS, type LogLevel } from '../shared/log.ts';
import { ApiError } from './error.ts';
import { accessLine, type Client, diagnostics, Exchange, isLogged } from './observe.ts';
import type { RawResponse } from './response/types.ts';

const client: Client = {
  address: '127.0.0.1',
  method: 'GET',
  target: '/clients?id=eq.1',
  protocol: 'HTTP/1.1',
  referer: undefined,
  userAgent: 'curl/7.64.0',
};
const answer = (status: number, headers: RawResponse['headers'] = []): RawResponse => ({
  status,
  statusText: null,
  headers,
  body: null,
});
const exchange = (facts: Partial<Exchange> = {}): Exchange => Object.assign(new Exchange(), facts);
const time = new Date(2026, 10, 4, 5, 6, 7);
const line = (of: Partial<Client>, response = answer(200), role: string | null = 'web_anon'): string =>
  accessLine({ ...client, ...of }, response, exchange({ role }), time);

describe('a line of the access log', () => {
  test('is PostgREST\u2019s', () => {
    expect(line({}, answer(200, [['Content-Length', '56']]))).toMatch(
      /^127\.0\.0\.1 - web_anon \[04\/Nov\/2026:05:06:07 [+-]\d{4}\] "GET \/clients\?id=eq\.1 HTTP\/1\.1" 200 56 "" "curl\/7\.64\.0"$/,
    );
  });

  test('has a dash for what is not known', () => {
    expect(line({ address: null, userAgent: undefined }, answer(204), null)).toMatch(/^- - - \[.+\] ".+" 204 - "" ""$/);
  });

  test('has the path of an absolute target', () => {
    expect(line({ target: 'http://host/clients?a=b' })).toContain('"GET /clients?a=b HTTP/1.1"');
  });

  test('cannot be forged', () => {
    const userAgent = 'x" 200 1 "" "\u001b[31m\\';
    expect(line({ userAgent }, answer(200), 'a\nb"')).toMatch(/ a\\x0ab\\" .+ "x\\" 200 1 \\"\\" \\"\\x1b\[31m\\\\"$/);
  });

  test('has bytes as the text that they are', () => {
    expect(line({ userAgent: 'caf\u00c3\u00a9' })).toMatch(/ "café"$/);
  });
});

test.each<[LogLevel, readonly number[]]>([
  ['crit', []],
  ['error', [500]],
  ['warn', [404, 500]],
  ['info', [200, 404, 500]],
  ['debug', [200, 404, 500]],
])('%s logs the statuses %j', (logLevel, statuses) => {
  expect([200, 404, 500].filter((status) => isLogged(answer(status), exchange({ logLevel })))).toEqual(statuses);
});

test('preflights are not logged', () => {
  expect(isLogged(answer(200), exchange({ logLevel: 'debug', preflight: true }))).toBe(false);
});

describe('diagnostics', () => {
  const failure = new ApiError(500, { code: '57014', message: 'cancelled' });

  test.each(LOG_LEVELS)('at %s have failures of the server unless nothing is to be logged', (logLevel) => {
    const json = '{"code":"57014","details":null,"hint":null,"message":"cancelled"}';
    expect(diagnostics(client, answer(500), exchange({ logLevel, failure }))).toEqual(
      logLevel === 'crit' ? [] : [json],
    );
  });

  test('have none that are the client\u2019s', () => {
    const mistake = new ApiError(409, { code: '23505', message: 'duplicate key' });
    expect(diagnostics(client, answer(409), exchange({ logLevel: 'debug', failure: mistake }))).toEqual([]);
  });

  test.each<[LogLevel, number, boolean]>([
    ['error', 200, false],
    ['error', 500, true],
    ['warn', 404, true],
    ['info', 200, true],
    ['crit', 500, false],
  ])('at %s have the queries of an answer with %d: %s', (logLevel, status, logged) => {
    const queries = ['select\n  1', 'select 2'];
    expect(diagnostics(client, answer(status), exchange({ logLevel, queries }))).toEqual(
      logged ? ['select 1', 'select 2'] : [],
    );
  });

  test('name what is deprecated, at any level', () => {
    const [warning, advice] = diagnostics(
      client,
      answer(200),
      exchange({ logLevel: 'crit', legacyNames: ['`clients` to `c`', '`tasks` to `t`'] }),
    );
    expect(warning).toMatch(/^WARNING: /);
    expect(advice).toBe(
      'Update filters, orders or limits that use `clients` to `c`, `tasks` to `t` in `GET /clients?id=eq.1`',
    );
  });
});
