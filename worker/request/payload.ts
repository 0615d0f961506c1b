/** The request's body: what it is for the action, and which columns or arguments it names. */

import type { LargeBody } from './body.ts';
import { readCsv } from './csv.ts';
import { bodyError } from './errors.ts';
import { JsonRows, type JsonShape, jsonShape, looksLikeObject } from './json-keys.ts';
import { mediaTypeName } from './media-type.ts';
import { parseQueryString } from './query-string.ts';
import { byteStringOfBytes, bytesOfByteString, decodeExactly, encodeText, sortedSet } from './text.ts';
import type { Action, ApiRequest, MediaType, Payload } from './types.ts';

type KeyedPayload = Payload & { readonly kind: 'json' | 'urlencoded' };
type Pairs = readonly (readonly [string, string])[];

/** The parts of an ApiRequest that come from its body. */
export type ParsedPayload = Pick<ApiRequest, 'payload' | 'columns'>;

const NO_COLUMNS: readonly string[] = [];
const NO_PAYLOAD = { payload: null, columns: NO_COLUMNS };

/** A document of our own making: no column is filled from it. */
const emptyArray = (): KeyedPayload => ({ kind: 'json', body: encodeText('[]'), keys: NO_COLUMNS, isObject: false });

type GoodShape = Exclude<JsonShape, { readonly kind: 'invalid' | 'mixed' }>;

/** The shape of a document that can be a payload. Throws PGRST102. */
function checkedShape(shape: JsonShape): GoodShape {
  if (shape.kind === 'invalid') throw bodyError('Empty or invalid json');
  if (shape.kind === 'mixed') throw bodyError('All object keys must match');
  return shape;
}

/** The client's own bytes, looked into. Throws PGRST102. */
function jsonPayload(body: Uint8Array, isCall: boolean): KeyedPayload {
  // A function may be called without any body; its bytes stay empty then.
  if (isCall && body.length === 0) return { kind: 'json', body, keys: NO_COLUMNS, isObject: false };
  const shape = checkedShape(jsonShape(body));
  switch (shape.kind) {
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
  checkedText(body);
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

/** A form's fields. Throws PGRST102. */
const formPairs = (body: Uint8Array): Pairs =>
  parseQueryString(byteStringOfBytes(body)).map(([key, value]): [string, string] => [
    checkedText(bytesOfByteString(key)),
    checkedText(bytesOfByteString(value ?? '')),
  ]);

/** What is not UTF-8 is refused: written as something else it would be lost. PostgREST fails with it. Throws PGRST102. */
function checkedText(bytes: Uint8Array): string {
  const text = decodeExactly(bytes);
  if (text === null) throw bodyError('Invalid UTF-8');
  return text;
}

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
): ParsedPayload {
  const isCall = isPostCall(action);
  if (!hasPayload(action)) return NO_PAYLOAD;
  switch (contentType.kind) {
    case 'json': {
      if (columns !== null && !isPut(action)) {
        return { payload: { kind: 'raw-json', body, isObject: looksLikeObject([body]) }, columns };
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

/**
 * The same for a body that is still arriving. It goes on as it comes where it is handed to the database as it is: then the keys
 * of the first row decide, and what is wrong with the rest is thrown while it is read.
 */
export async function parseLargePayload(
  body: LargeBody,
  contentType: MediaType,
  action: Action,
  columns: readonly string[] | null,
): Promise<ParsedPayload> {
  if (!hasPayload(action)) return NO_PAYLOAD;
  switch (contentType.kind) {
    case 'json':
      if (columns === null || isPut(action)) return await largeJson(body, contentType, action);
      return {
        payload: { kind: 'raw-json', body: body.take(), isObject: looksLikeObject(body.beginning) },
        columns,
      };
    case 'text':
    case 'xml':
    case 'octet-stream':
      if (isPostCall(action)) return { payload: { kind: 'raw', body: body.take() }, columns: NO_COLUMNS };
  }
  return parsePayload(await body.whole(), contentType, action, columns);
}

async function largeJson(body: LargeBody, contentType: MediaType, action: Action): Promise<ParsedPayload> {
  const rows = new JsonRows();
  for (const piece of body.beginning) rows.push(piece);
  let hasEnded = false;
  while (rows.keys === null && !rows.isRefused && !hasEnded) {
    const piece = await body.next();
    if (piece === null) hasEnded = true;
    else rows.push(piece);
  }
  const { keys, isObject } = rows;
  if (keys === null) return parsePayload(await body.whole(), contentType, action, null);
  return withKeys({ kind: 'json', body: checkedPieces(body, rows, body.beginning.length), keys, isObject });
}

/** The body's pieces, of which some have been scanned. After a mistake no more are given out, and its kind is known at the end. */
async function* checkedPieces(body: LargeBody, rows: JsonRows, scanned: number): AsyncGenerator<Uint8Array> {
  let index = 0;
  for await (const piece of body.take()) {
    if (index++ >= scanned) rows.push(piece);
    if (!rows.isRefused) yield piece;
  }
  checkedShape(rows.end());
}

/** Whether it is a function's call by POST. */
const isPostCall = (action: Action): boolean => action.kind === 'call' && action.invocation === 'call';
const isPut = (action: Action): boolean => action.kind === 'mutate' && action.mutation === 'single-upsert';
const hasPayload = (action: Action): boolean =>
  isPostCall(action) || (action.kind === 'mutate' && action.mutation !== 'delete');

const withKeys = (payload: KeyedPayload): ParsedPayload => ({
  payload,
  columns: payload.keys,
});
