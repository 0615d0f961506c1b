/** Query strings and form bodies: pairs of byte strings, and the canonical form of a query. */

import { percentDecode } from '../../shared/percent.ts';

/** A key, and its value where the pair has an equals sign; both percent-decoded byte strings. */
export type QueryPair = readonly [key: string, value: string | null];

/** Splits a query (with or without its question mark) or a form body. Pairs end at `&` and, as PostgREST has it, `;`. */
export function parseQueryString(text: string): readonly QueryPair[] {
  const pairs: QueryPair[] = [];
  let start = text.startsWith('?') ? 1 : 0;
  while (start < text.length) {
    let end = start;
    let equals = -1;
    for (; end < text.length; end++) {
      const unit = text.charCodeAt(end);
      if (unit === 0x26 || unit === 0x3b) break;
      if (unit === 0x3d && equals < 0) equals = end;
    }
    pairs.push(
      equals < 0
        ? [percentDecode(text.slice(start, end), true), null]
        : [percentDecode(text.slice(start, equals), true), percentDecode(text.slice(equals + 1, end), true)],
    );
    start = end + 1;
  }
  return pairs;
}

const HEX = '0123456789ABCDEF';
const escapeByte = (byte: number): string => `%${HEX.charAt(byte >> 4)}${HEX.charAt(byte & 15)}`;

/** Percent-encodes all but letters, digits and `-_.~`. A byte beyond ASCII is taken for a character, as PostgREST does. */
function percentEncode(text: string): string {
  let encoded = '';
  let plain = 0;
  for (let at = 0; at < text.length; at++) {
    const byte = text.charCodeAt(at);
    const lower = byte | 0x20;
    const isPlain =
      (lower >= 0x61 && lower <= 0x7a) ||
      (byte >= 0x30 && byte <= 0x39) ||
      byte === 0x2d ||
      byte === 0x2e ||
      byte === 0x5f ||
      byte === 0x7e;
    if (isPlain) continue;
    encoded += text.slice(plain, at);
    encoded += byte < 0x80 ? escapeByte(byte) : escapeByte(0xc0 | (byte >> 6)) + escapeByte(0x80 | (byte & 0x3f));
    plain = at + 1;
  }
  return plain === 0 ? text : encoded + text.slice(plain);
}

function isSorted(pairs: readonly QueryPair[]): boolean {
  let previous = '';
  for (const [key] of pairs) {
    if (key < previous) return false;
    previous = key;
  }
  return true;
}

/** The pairs sorted by key and encoded again; values of equal keys are joined by commas. */
export function canonicalQuery(pairs: readonly QueryPair[]): string {
  const sorted = isSorted(pairs) ? pairs : pairs.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  let query = '';
  let previous: string | null = null;
  for (const [key, value] of sorted) {
    if (key === previous) query += ',';
    else query += `${previous === null ? '' : '&'}${percentEncode(key)}=`;
    query += percentEncode(value ?? '');
    previous = key;
  }
  return query;
}
