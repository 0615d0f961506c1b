/** The request's body: what it is for the action, and which columns or arguments it names. */

import { readCsv } from './csv.ts';
import { bodyError } from './errors.ts';
import { jsonShape, looksLikeObject } from './json-keys.ts';
import { mediaTypeName } from './media-type.ts';
import { parseQueryString } from './query-string.ts';
import { byteStringOfBytes, decodeByteString, encodeText, sortedSet } from './text.ts';
import type { Action, ApiRequest, MediaType, Payload } from './types.ts';

type KeyedPayload = Payload & { readonly kind: 'json' | 'urlencoded' };
type Pairs = readonly (readonly [string, string])[];

const NO_COLUMNS: readonly string[] = [];
const NO_PAYLOAD = { payload: null, columns: NO_COLUMNS };

/** A document of our own making: no column is filled from it. */
const emptyArray = (): KeyedPayload => ({ kind: 'json', body: encodeText('[]'), keys: NO_COLUMNS, isObject: false });

/** The client's own bytes, looked into. Throws PGRST102. */
function jsonPayload(body: Uint8Array, isCall: boolean): KeyedPayload {
  // A function may be called without any body; its bytes stay empty then.
  if (isCall && body.length === 0) return { kind: 'json', body, keys: NO_COLUMNS, isObject: false };
  const shape = jsonShape(body);
  switch (shape.kind) {
    case 'invalid':
      throw bodyError('Empty or invalid json');
    case 'mixed':
      throw bodyError('All object keys must match');
    case 'empty':
      return emptyArray();
    case 'object':
    case 'objects':
      return { kind: 'json', body, keys: shape.keys, isObject: shape.kind === 'object' };
  }
}

const isSameSet = (a: ReadonlyMap<string, unknown>, b: ReadonlyMap<string, unknown>): boolean =>
  a.size === b.size && [...a.keys()].every((name) => b.has(name));

/** CSV as an array of JSON objects. Throws PGRST102. */
function csvPayload(body: Uint8Array): KeyedPayload {
  const csv = readCsv(body);
  if (csv.kind === 'error') throw bodyError(csv.message);
  const [first] = csv.rows;
  if (first === undefined) return emptyArray();
  if (!csv.rows.every((row) => isSameSet(row, first))) throw bodyError('All lines must have same number of fields');
  const objects = csv.rows.map((row) => Object.fromEntries(row));
  return {
    kind: 'json',
    body: encodeText(JSON.stringify(objects)),
    keys: sortedSet([...first.keys()]),
    isObject: false,
  };
}

/** A form's fields. */
const formPairs = (body: Uint8Array): Pairs =>
  parseQueryString(byteStringOfBytes(body)).map(([key, value]): [string, string] => [
    decodeByteString(key),
    decodeByteString(value ?? ''),
  ]);

/** A form as one JSON object of strings; of equal names the last counts. */
function formObject(pairs: Pairs): KeyedPayload {
  const object = Object.fromEntries(pairs);
  return {
    kind: 'json',
    body: encodeText(JSON.stringify(object)),
    keys: sortedSet(Object.keys(object)),
    isObject: true,
  };
}

/**
 * The payload of a write or a POST call, null for other actions, and its columns: a sorted set, those of `columns` where
 * that is given with JSON (which is not looked into then). Throws PGRST102.
 */
export function parsePayload(
  body: Uint8Array,
  contentType: MediaType,
  action: Action,
  columns: readonly string[] | null,
): Pick<ApiRequest, 'payload' | 'columns'> {
  const isCall = action.kind === 'call' && action.invocation === 'call';
  if (!isCall && (action.kind !== 'mutate' || action.mutation === 'delete')) return NO_PAYLOAD;
  switch (contentType.kind) {
    case 'json': {
      const isUpsert = action.kind === 'mutate' && action.mutation === 'single-upsert';
      if (columns !== null && !isUpsert) {
        return { payload: { kind: 'raw-json', body, isObject: looksLikeObject(body) }, columns };
      }
      return withKeys(jsonPayload(body, isCall));
    }
    case 'csv':
      return withKeys(csvPayload(body));
    case 'urlencoded': {
      const pairs = formPairs(body);
      if (!isCall) return withKeys(formObject(pairs));
      return withKeys({ kind: 'urlencoded', pairs, keys: sortedSet(pairs.map(([key]) => key)) });
    }
    case 'text':
    case 'xml':
    case 'octet-stream':
      if (isCall) return { payload: { kind: 'raw', body }, columns: NO_COLUMNS };
      break;
  }
  throw bodyError(`Content-Type not acceptable: ${mediaTypeName(contentType)}`);
}

const withKeys = (payload: KeyedPayload): Pick<ApiRequest, 'payload' | 'columns'> => ({
  payload,
  columns: payload.keys,
});
