/** Error bodies, byte for byte as PostgREST's JSON encoder writes them. */
import type { ApiError, Json } from '../error.ts';
import { utf8 } from './bytes.ts';

// It has no short escapes for backspace and form feed.
const text = (value: string): string => JSON.stringify(value).replace(/\\[\\bf]/g, (e) => ESCAPES[e] ?? e);
const ESCAPES: Readonly<Record<string, string>> = { '\\b': '\\u0008', '\\f': '\\u000c' };

/** JSON without blanks, the keys of objects in order. */
export function encodeJson(value: Json): string {
  if (typeof value === 'string') return text(value);
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (isList(value)) return `[${value.map(encodeJson).join(',')}]`;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, v]) => `${text(key)}:${encodeJson(v)}`).join(',')}}`;
}

const isList = (value: Json): value is readonly Json[] => Array.isArray(value);

/** `{code, details, hint, message}`; with minimal verbosity code and message alone. */
export function errorBody(error: ApiError, verbosity: 'verbose' | 'minimal'): Uint8Array {
  const { code, message, details, hint } = error;
  return utf8(encodeJson(verbosity === 'minimal' ? { code, message } : { code, message, details, hint }));
}
