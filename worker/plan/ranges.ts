/** Ranges of rows and the bound that the configuration puts on them. */
import type { ApiRequest, EmbedPath, RowRange } from '../request/types.ts';
import { hashText, inHashOrder } from './hash-order.ts';

export const ALL_ROWS: RowRange = { offset: 0n, limit: null };

const NO_ROWS: RowRange = { offset: 0n, limit: 0n };

/** A range with at most `maxRows` rows (`db-max-rows`; null is no bound). `limit=0` stays as it is. */
export function boundedRange(range: RowRange, maxRows: bigint | null): RowRange {
  const { offset, limit } = range;
  // PostgREST takes any range that ends before the first row for limit=0.
  if (limit !== null && offset + limit === 0n) return NO_ROWS;
  if (maxRows === null || (limit !== null && limit <= maxRows)) return range;
  return { offset, limit: maxRows };
}

type Ranges = ApiRequest['ranges'];

/** The name by which PostgREST keeps the range of a level. */
const rangeName = (path: EmbedPath): string => [...path, 'limit'].join('.');

/** The ranges in the order in which PostgREST comes to them, which is that of a hash: it orders the embeds. */
export const rangesInOrder = (ranges: Ranges): Ranges =>
  ranges.length <= 2
    ? ranges
    : inHashOrder(
        ranges,
        ({ path }) => hashText(rangeName(path)),
        ({ path }) => rangeName(path),
      );
