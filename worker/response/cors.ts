/** Cross-origin requests (Fetch standard, 3.2 CORS protocol). Origins that are not allowed get no headers, and no error. */
import type { RawRequest } from '../request/types.ts';
import type { Header, RawResponse } from './types.ts';

const METHODS = ['GET', 'POST', 'PATCH', 'PUT', 'DELETE', 'OPTIONS', 'HEAD'];
const ALWAYS_ALLOWED = ['Accept', 'Accept-Language', 'Content-Language'];
const EXPOSED: Header = [
  'Access-Control-Expose-Headers',
  'Content-Encoding, Content-Location, Content-Range, Content-Type, Date, Location, Server, Transfer-Encoding, Range-Unit',
];
const ANY_ORIGIN: Header = ['Access-Control-Allow-Origin', '*'];
const MAX_AGE: Header = ['Access-Control-Max-Age', '86400'];

/** `server-cors-allowed-origins`: null or an empty list allows any, without credentials. */
export interface CorsSettings {
  readonly serverCorsAllowedOrigins: readonly string[] | null;
}

const header = (request: RawRequest, name: string): string | null => {
  for (const [n, value] of request.headers) if (n === name) return value;
  return null;
};

/** What both kinds of answers carry; null when the request is not cross-origin, or not allowed to be. */
function originHeaders(request: RawRequest, settings: CorsSettings): readonly Header[] | null {
  const origin = header(request, 'origin');
  if (origin === null) return null;
  const allowed = settings.serverCorsAllowedOrigins;
  if (allowed === null || allowed.length === 0) return [ANY_ORIGIN];
  if (!allowed.includes(origin)) return null;
  return [
    ['Access-Control-Allow-Origin', origin],
    ['Access-Control-Allow-Credentials', 'true'],
  ];
}

/** The headers to add to the answer of a request that is no preflight. */
export function corsHeaders(request: RawRequest, settings: CorsSettings): readonly Header[] {
  if (request.method === 'OPTIONS') return [];
  const headers = originHeaders(request, settings);
  return headers === null ? [] : [...headers, EXPOSED];
}

/** The answer to a preflight; null when the request is none, or asks for what is not allowed: then it is answered as usual. */
export function preflight(request: RawRequest, settings: CorsSettings): RawResponse | null {
  if (request.method !== 'OPTIONS') return null;
  const method = header(request, 'access-control-request-method');
  if (method === null || !METHODS.includes(method)) return null;
  const headers = originHeaders(request, settings);
  if (headers === null) return null;
  const requested = header(request, 'access-control-request-headers');
  const names = requested === null ? null : requested.split(',').map((name) => name.trim());
  if (names?.some((name) => !/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name))) return null;
  return {
    status: 200,
    statusText: null,
    headers: [
      ...headers,
      ['Access-Control-Allow-Methods', METHODS.join(', ')],
      ...(names === null ? [] : [['Access-Control-Allow-Headers', allowedHeaders(names)] as const]),
      MAX_AGE,
    ],
    body: null,
  };
}

/** Whatever is asked for, as it is spelt there, after and before what always is. */
function allowedHeaders(requested: readonly string[]): string {
  const names = ['Authorization', ...requested];
  const known = new Set(names.map((name) => name.toLowerCase()));
  return [...names, ...ALWAYS_ALLOWED.filter((name) => !known.has(name.toLowerCase()))].join(', ');
}
