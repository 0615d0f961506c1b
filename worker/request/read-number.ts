/** Numbers as PostgREST reads them from parameters and headers: Haskell's `read`. */

import { strip } from './text.ts';

const INTEGER = /^(?:0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+|[0-9]+)$/;

/** An integer of any size, in white space or parentheses, perhaps negative or in another base; null for all else. */
export function readInteger(text: string): bigint | null {
  let rest = strip(text);
  while (rest.startsWith('(') && rest.endsWith(')')) rest = strip(rest.slice(1, -1));
  const isNegative = rest.startsWith('-');
  if (isNegative) rest = strip(rest.slice(1));
  if (!INTEGER.test(rest)) return null;
  const value = BigInt(rest);
  return isNegative ? -value : value;
}

const DECIMAL = /^-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?/;

/** The number that a text begins with; null where it begins with none. */
export function readDecimalPrefix(text: string): number | null {
  const [digits] = DECIMAL.exec(text) ?? [];
  return digits === undefined ? null : Number(digits);
}
