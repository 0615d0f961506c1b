/** Orders of names and rows as PostgREST has them: by code points, lists element by element. */

/** Compares by code points: UTF-16 units differ from them only where one of the two is a surrogate. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    const xHigh = x >= 0xd800 && x <= 0xdfff;
    const yHigh = y >= 0xd800 && y <= 0xdfff;
    return xHigh === yHigh ? x - y : xHigh ? 1 : -1;
  }
  return a.length - b.length;
}

export const compareBoolean = (a: boolean, b: boolean): number => Number(a) - Number(b);

/** A missing value sorts first. */
export const compareNullable = (a: string | null, b: string | null): number =>
  a === null || b === null ? compareBoolean(a !== null, b !== null) : compareText(a, b);

/** Element by element, the shorter list first where it is the beginning of the other. */
export function compareLists<T>(a: readonly T[], b: readonly T[], compare: (x: T, y: T) => number): number {
  for (const [i, x] of a.entries()) {
    const y = b[i];
    if (y === undefined) return 1;
    const order = compare(x, y);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}
