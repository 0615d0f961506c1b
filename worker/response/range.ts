/** Content-Range, and the status that follows from it. */
import type { Header } from './types.ts';

/** `lower-upper/total`; `*` for what is empty or unknown. Numbers are rows, counted from 0. */
export function contentRange(lower: bigint, upper: bigint, total: bigint | null): Header {
  const range = total !== 0n && lower <= upper ? `${lower}-${upper}` : '*';
  return ['Content-Range', `${range}/${total ?? '*'}`];
}

/** 416 for a page that begins beyond the total, 206 for a part, 200 for all or an unknown total. */
export function rangeStatus(lower: bigint, page: bigint, total: bigint | null): 200 | 206 | 416 {
  if (total === null) return 200;
  if (lower > total) return 416;
  return page < total ? 206 : 200;
}
