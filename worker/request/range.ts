/** Ranges of rows: `limit` and `offset` parameters and the Range header. */

import { negativeLimitError, putRangeError, rangeBoundaryError } from './errors.ts';
import { treePath } from './field.ts';
import { headerValue } from './headers.ts';
import { parseText } from './parsec.ts';
import { readInteger } from './read-number.ts';
import type { ApiRequest, EmbedPath, RowRange } from './types.ts';

/** First and last row, both included; without a last one where `last` is null. Empty when `last < first`. */
interface Interval {
  readonly first: bigint;
  readonly last: bigint | null;
}

const ALL: Interval = { first: 0n, last: null };
const EMPTY: Interval = { first: 0n, last: -1n };

const isEmpty = ({ first, last }: Interval): boolean => last !== null && last < first;

function intersect(a: Interval, b: Interval): Interval {
  if (isEmpty(a) || isEmpty(b)) return EMPTY;
  const first = a.first > b.first ? a.first : b.first;
  if (a.last === null || b.last === null) return { first, last: a.last ?? b.last };
  return { first, last: a.last < b.last ? a.last : b.last };
}

const ALL_ROWS: RowRange = { offset: 0n, limit: null };

const rowRange = ({ first, last }: Interval): RowRange => ({
  offset: first,
  limit: last === null ? null : last - first + 1n,
});

/** `limit` and `offset` parameters by the key of their level: `limit` for the top, `a.b.limit` for an embedded one. */
export type LimitParameters = ReadonlyMap<string, Interval>;

/** Combines the `limit` and `offset` parameters; a value that is no integer counts as absent, later ones win. */
export function limitParameters(
  limits: readonly (readonly [string, string])[],
  offsets: readonly (readonly [string, string])[],
): LimitParameters {
  const combined = new Map<string, Interval>();
  for (const [key, value] of limits) {
    const limit = readInteger(value);
    combined.set(key, limit === null ? ALL : { first: 0n, last: limit - 1n });
  }
  const starts = new Map<string, bigint>();
  for (const [key, value] of offsets) {
    const limitKey = `${key.slice(0, key.length - 'offset'.length)}limit`;
    starts.set(limitKey, readInteger(value) ?? 0n);
  }
  for (const [key, first] of starts) {
    const limited = combined.get(key);
    if (limited === undefined) combined.set(key, { first, last: null });
    // An unreadable limit beside an offset is a limit of zero: PostgREST's arithmetic.
    else combined.set(key, { first, last: first + (limited.last ?? -1n) });
  }
  return combined;
}

const RANGE_HEADER = /^([0-9]+)-([0-9]*)$/;

/** The Range header's interval; anything but `first-` and `first-last` asks for all. */
function rangeHeader(value: string | null): Interval {
  if (value === null) return ALL;
  const [, first, last] = RANGE_HEADER.exec(value) ?? [];
  if (first === undefined) return ALL;
  return { first: BigInt(first), last: last === undefined || last === '' ? null : BigInt(last) };
}

type LevelRange = { readonly path: EmbedPath; readonly range: RowRange };

const ROOT: EmbedPath = [];
const NO_RANGES: readonly LevelRange[] = [];

/**
 * The top level's range. Only GET looks at the Range header (RFC 9110, 14.2).
 * Throws PGRST103 for an empty range other than `limit=0`, PGRST114 for a range with PUT.
 */
export function topLevelRange(method: string, limits: LimitParameters, headers: ApiRequest['headers']): RowRange {
  const range = method === 'GET' ? rangeHeader(headerValue(headers, 'range')) : ALL;
  const limit = limits.get('limit') ?? ALL;
  if (range === ALL && limit === ALL) return ALL_ROWS;
  const isLimitZero = limit.last === -1n;
  const rows = isLimitZero ? EMPTY : intersect(range, limit);
  if (isEmpty(rows) && !isLimitZero) throw isEmpty(range) ? rangeBoundaryError() : negativeLimitError();
  if (method === 'PUT' && !(rows.first === 0n && rows.last === null)) throw putRangeError();
  return rowRange(rows);
}

/** The ranges that the parameters give, by level. Throws PGRST100 for a malformed key. */
export function levelRanges(limits: LimitParameters): readonly LevelRange[] {
  if (limits.size === 0) return NO_RANGES;
  return Array.from(limits, ([key, interval]) => ({
    path: key === 'limit' ? ROOT : parseText(treePath, key, 'tree path').path,
    range: rowRange(interval),
  }));
}

/** All levels' ranges, with the top level's in place of its parameters. */
export const withTopLevel = (ranges: readonly LevelRange[], top: RowRange): readonly LevelRange[] =>
  ranges.length === 0 && top === ALL_ROWS
    ? ALL_LEVELS
    : [{ path: ROOT, range: top }, ...ranges.filter(({ path }) => path.length > 0)];

const ALL_LEVELS: readonly LevelRange[] = [{ path: ROOT, range: ALL_ROWS }];
