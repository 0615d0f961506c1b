/** The request step: a raw request becomes an ApiRequest, or the first of its errors in PostgREST's order. */

import type { WorkerSettings } from '../../shared/snapshot/types.ts';
import { qualified } from '../../shared/sql/identifiers.ts';
import { parseAccept } from './accept.ts';
import { methodError, rpcMethodError, schemaError } from './errors.ts';
import { headerValue, parseCookies } from './headers.ts';
import { JSON_TYPE, parseMediaType } from './media-type.ts';
import { type Resource, resourceOf, splitTarget } from './path.ts';
import { type ParsedPayload, parseLargePayload, parsePayload } from './payload.ts';
import { parsePreferences } from './preferences.ts';
import { parseQuery } from './query.ts';
import { levelRanges, topLevelRange, withTopLevel } from './range.ts';
import { decodeByteString } from './text.ts';
import type { Action, ApiRequest, RawRequest } from './types.ts';

/** The schema that the profile header names, or the default one. Throws PGRST106 for one that is not exposed. */
function negotiateSchema(
  { method, headers }: RawRequest,
  exposed: readonly string[],
): Pick<ApiRequest, 'schema' | 'negotiatedByProfile'> {
  const isWrite = method === 'POST' || method === 'PATCH' || method === 'PUT' || method === 'DELETE';
  const header = headerValue(headers, isWrite ? 'content-profile' : 'accept-profile');
  // With several schemas the answer names the default one too.
  if (header === null) return { schema: exposed[0] ?? '', negotiatedByProfile: exposed.length !== 1 };
  const schema = decodeByteString(header);
  if (!exposed.includes(schema)) throw schemaError(schema, exposed);
  return { schema, negotiatedByProfile: true };
}

/** What a method does with a resource. Throws PGRST101 and PGRST117. */
function actionOf(resource: Resource, schema: string, method: string): Action {
  switch (resource.kind) {
    case 'routine': {
      const target = qualified(schema, resource.name);
      if (method === 'GET') return { kind: 'call', target, invocation: 'read' };
      if (method === 'HEAD') return { kind: 'call', target, invocation: 'head' };
      if (method === 'POST') return { kind: 'call', target, invocation: 'call' };
      if (method === 'OPTIONS') return { kind: 'routine-info', target };
      throw rpcMethodError(decodeByteString(method));
    }
    case 'relation': {
      const target = qualified(schema, resource.name);
      if (method === 'GET') return { kind: 'read', target, headersOnly: false };
      if (method === 'HEAD') return { kind: 'read', target, headersOnly: true };
      if (method === 'POST') return { kind: 'mutate', target, mutation: 'create' };
      if (method === 'PUT') return { kind: 'mutate', target, mutation: 'single-upsert' };
      if (method === 'PATCH') return { kind: 'mutate', target, mutation: 'update' };
      if (method === 'DELETE') return { kind: 'mutate', target, mutation: 'delete' };
      if (method === 'OPTIONS') return { kind: 'relation-info', target };
      break;
    }
    case 'schema':
      if (method === 'GET') return { kind: 'inspect', schema, headersOnly: false };
      if (method === 'HEAD') return { kind: 'inspect', schema, headersOnly: true };
      if (method === 'OPTIONS') return { kind: 'schema-info' };
  }
  throw methodError(decodeByteString(method));
}

/**
 * Parses a request. Throws ApiError, nothing else: PGRST125/126 for the path, 106 for the schema, 101/117 for the method,
 * 100 for the query, 103/114 for the range, 102 for the body, in this order. Of a large body the beginning decides; its pieces
 * throw PGRST102 later.
 */
export function parseRequest(raw: RawRequest & { readonly body: Uint8Array }, settings: WorkerSettings): ApiRequest;
export function parseRequest(raw: RawRequest, settings: WorkerSettings): ApiRequest | Promise<ApiRequest>;
export function parseRequest(raw: RawRequest, settings: WorkerSettings): ApiRequest | Promise<ApiRequest> {
  const { method, headers } = raw;
  const { path, query: queryString } = splitTarget(raw.target);
  const resource = resourceOf(path, settings);
  const { schema, negotiatedByProfile } = negotiateSchema(raw, settings.dbSchemas);
  const action = actionOf(resource, schema, method);
  const { params, limits } = parseQuery(queryString, action.kind === 'call' && action.invocation !== 'call');
  const top = topLevelRange(method, limits, headers);
  const contentTypeValue = headerValue(headers, 'content-type');
  const contentType = contentTypeValue === null ? JSON_TYPE : parseMediaType(contentTypeValue);
  // Writes have no use for ranges, not even for malformed ones.
  const usesRanges = action.kind === 'read' || action.kind === 'call' || action.kind === 'routine-info';
  const ranges = usesRanges ? levelRanges(limits) : [];
  const cookie = headerValue(headers, 'cookie');
  const complete = ({ payload, columns }: ParsedPayload): ApiRequest => ({
    action,
    method,
    path,
    schema,
    negotiatedByProfile,
    query: { ...params, ranges },
    topLevelRange: top,
    ranges: withTopLevel(ranges, top),
    payload,
    columns,
    preferences: parsePreferences(headers, settings.dbTxAllowOverride),
    headers: cookie === null ? headers : headers.filter(([name]) => name !== 'cookie'),
    cookies: cookie === null ? [] : parseCookies(cookie),
    accept: parseAccept(headerValue(headers, 'accept')),
    contentType,
  });
  return raw.body instanceof Uint8Array
    ? complete(parsePayload(raw.body, contentType, action, params.columns))
    : parseLargePayload(raw.body, contentType, action, params.columns).then(complete);
}
