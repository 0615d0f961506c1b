import { describe, expect, test } from 'vitest';
import type { RawRequest } from '../request/types.ts';
import { corsHeaders, preflight } from './cors.ts';
import { plain } from './testing/requests.ts';

const ANY = { serverCorsAllowedOrigins: null };
const SOME = { serverCorsAllowedOrigins: ['http://example.com', 'http://example2.com'] };

const ask = (method: string, headers: Record<string, string>): RawRequest => ({
  method,
  target: '/items',
  headers: Object.entries(headers),
  body: new Uint8Array(0),
});

const exposed =
  'Content-Encoding, Content-Location, Content-Range, Content-Type, Date, Location, Server, Transfer-Encoding, Range-Unit';

describe('a preflight', () => {
  const origin = 'http://example.com';

  test('is allowed from anywhere, with the headers that it asks for', () => {
    const asked = ask('OPTIONS', {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'Foo,Bar, authorization, accept',
    });
    const response = preflight(asked, ANY);
    expect(response && plain(response)).toEqual({
      status: 200,
      statusText: null,
      headers: {
        'Access-Control-Allow-Origin': '*',
        'Access-Control-Allow-Methods': 'GET, POST, PATCH, PUT, DELETE, OPTIONS, HEAD',
        'Access-Control-Allow-Headers':
          'Authorization, Foo, Bar, authorization, accept, Accept-Language, Content-Language',
        'Access-Control-Max-Age': '86400',
      },
      body: null,
    });
  });

  test('is allowed with credentials from listed origins, and from no others', () => {
    const asked = ask('OPTIONS', { origin, 'access-control-request-method': 'PATCH' });
    expect(preflight(asked, SOME)?.headers).toEqual([
      ['Access-Control-Allow-Origin', origin],
      ['Access-Control-Allow-Credentials', 'true'],
      ['Access-Control-Allow-Methods', 'GET, POST, PATCH, PUT, DELETE, OPTIONS, HEAD'],
      ['Access-Control-Max-Age', '86400'],
    ]);
    expect(
      preflight(ask('OPTIONS', { origin: 'http://evil.com', 'access-control-request-method': 'GET' }), SOME),
    ).toBeNull();
  });

  test.each([
    ask('GET', { origin, 'access-control-request-method': 'GET' }),
    ask('OPTIONS', { origin }),
    ask('OPTIONS', { 'access-control-request-method': 'GET' }),
    ask('OPTIONS', { origin, 'access-control-request-method': 'TRACE' }),
    ask('OPTIONS', { origin, 'access-control-request-method': 'GET', 'access-control-request-headers': 'a b\r\nx' }),
  ])('is not what %o is', (request) => {
    expect(preflight(request, ANY)).toBeNull();
  });
});

describe('an actual request', () => {
  test('gets headers when it is cross-origin', () => {
    expect(corsHeaders(ask('GET', { origin: 'http://a.b' }), ANY)).toEqual([
      ['Access-Control-Allow-Origin', '*'],
      ['Access-Control-Expose-Headers', exposed],
    ]);
    expect(corsHeaders(ask('GET', { origin: 'http://example2.com' }), SOME)).toEqual([
      ['Access-Control-Allow-Origin', 'http://example2.com'],
      ['Access-Control-Allow-Credentials', 'true'],
      ['Access-Control-Expose-Headers', exposed],
    ]);
  });

  test('gets none otherwise', () => {
    expect(corsHeaders(ask('GET', {}), ANY)).toEqual([]);
    expect(corsHeaders(ask('GET', { origin: 'http://evil.com' }), SOME)).toEqual([]);
    expect(corsHeaders(ask('OPTIONS', { origin: 'http://a.b' }), ANY)).toEqual([]);
  });
});
