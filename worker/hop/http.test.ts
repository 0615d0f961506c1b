import { describe, expect, test } from 'vitest';
import { transactionRequest } from '../../shared/hop/request.fixture.ts';
import { HopConfigError } from './address.ts';
import { type Fetch, HttpHop } from './http.ts';

const secret = 's'.repeat(32);
const write = transactionRequest({ method: 'POST', access: 'read write' });
const read = transactionRequest();

const hopWith = (fetch: Fetch): HttpHop => new HttpHop({ url: 'http://localhost:1', secret, fetch });
const kindsOf = async (fetch: Fetch): Promise<readonly string[]> => {
  const outcomes = await Promise.all([write, read].map((request) => hopWith(fetch).transaction(request, null, null)));
  return outcomes.map((outcome) => (outcome.ok ? 'ok' : outcome.failure.kind));
};

describe('the address', () => {
  test.each([
    'https://pooler.example.com',
    'https://pooler.example.com/behind/a/path/',
    'http://localhost:3010',
    'http://127.0.0.1:3010',
    'http://127.1.2.3',
    'http://[::1]:3010',
  ])('%s is taken', (url) => {
    expect(() => new HttpHop({ url, secret })).not.toThrow();
  });

  test.each([
    'http://pooler.example.com',
    'http://127.0.0.1.example.com',
    'http://localhost.example.com',
    'http://10.0.0.1',
    'http://[::2]',
    'ftp://localhost',
    'https://user:password@pooler.example.com',
    'https://pooler.example.com?x=1',
    'wss://pooler.example.com',
    'https://one.example.com,https://two.example.com',
    'pooler',
    '',
  ])('%s is refused, without being repeated', (url) => {
    const make = (): HttpHop => new HttpHop({ url, secret });
    expect(make).toThrow(HopConfigError);
    if (url !== '') expect(make).not.toThrow(url);
  });

  test('a short secret is refused', () => {
    expect(() => new HttpHop({ url: 'http://localhost', secret: 'short' })).toThrow(HopConfigError);
  });
});

describe('an answer that is not the pooler’s', () => {
  test.each([
    ['an error page', () => new Response('<html>', { status: 502 })],
    ['a success of something else', () => new Response('{}', { status: 200 })],
    ['a redirect', () => new Response(null, { status: 302, headers: { location: 'https://elsewhere' } })],
    ['facts that are none', () => new Response(null, { headers: { 'edgerest-result': '{"snapshot":1}' } })],
    ['a preamble without a body', () => new Response(null, { headers: { 'edgerest-result': 'preamble' } })],
    [
      'a preamble cut short',
      () => new Response(new Uint8Array([0, 0, 0, 9, 1]), { headers: { 'edgerest-result': 'preamble' } }),
    ],
    [
      'a preamble too long',
      () => new Response(new Uint8Array([255, 0, 0, 0, 1]), { headers: { 'edgerest-result': 'preamble' } }),
    ],
    [
      'a result with an error’s status',
      () =>
        new Response('', {
          status: 500,
          headers: { 'edgerest-result': '{"snapshot":"v","statements":[],"body":null}' },
        }),
    ],
  ])('%s leaves a write unknown', async (_, answer) => {
    expect(await kindsOf(async () => answer())).toEqual(['unknown outcome', 'unavailable']);
  });

  test('a connection that breaks leaves a write unknown', async () => {
    const broken: Fetch = async () => {
      throw new TypeError('fetch failed', { cause: { code: 'ECONNRESET' } });
    };
    expect(await kindsOf(broken)).toEqual(['unknown outcome', 'unavailable']);
  });

  // Node, Deno, and Bun say so.
  test.each([
    new TypeError('fetch failed', { cause: { code: 'ECONNREFUSED' } }),
    new TypeError('fetch failed', {
      cause: new Error('error sending request: client error (Connect): tcp connect error'),
    }),
    Object.assign(new TypeError('Unable to connect.'), { code: 'ECONNREFUSED' }),
  ])('a connection that was never made does not: %o', async (error) => {
    const refused: Fetch = async () => {
      throw error;
    };
    expect(await kindsOf(refused)).toEqual(['unavailable', 'unavailable']);
  });
});

test('the secret goes to the pooler and nowhere else: redirects are not followed', async () => {
  const asked: RequestInit[] = [];
  await hopWith(async (_url, init) => {
    asked.push(init);
    return new Response(null, { status: 302 });
  }).transaction(write, null, null);
  expect(asked).toMatchObject([{ redirect: 'manual', headers: { authorization: `Bearer ${secret}` } }]);
});

test('the body is handed on as the stream that came', async () => {
  const body = new Response('0123456789').body;
  const headers = { 'edgerest-result': '{"snapshot":"v","statements":[],"body":10}' };
  const response = new Response(body, { headers });
  const outcome = await hopWith(async () => response).transaction(read, null, null);
  expect(outcome.ok && outcome.body).toBe(response.body);
  expect(response.bodyUsed).toBe(false);
});

test.each([
  ['not JSON', '{'],
  ['no snapshot', '{"version":1}'],
])('a snapshot that is %s is a failure', async (_, text) => {
  expect(await hopWith(async () => new Response(text)).fetchSnapshot([], null)).toMatchObject({ kind: 'failed' });
  expect(await hopWith(async () => new Response('[1]')).fetchKeys(null)).toMatchObject({ kind: 'failed' });
});
