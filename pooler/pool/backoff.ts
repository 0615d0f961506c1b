/**
 * How long to wait before the next attempt to connect, in milliseconds: doubling from 50 up to 800, less up to a quarter, so that several
 * poolers do not come back in step. The limit keeps the recovery within a second.
 */
export function backoff(failures: number, random: () => number = Math.random): number {
  const full = Math.min(50 * 2 ** Math.max(0, failures - 1), 800);
  return Math.round(full * (1 - random() / 4));
}

/** A time limit less up to a tenth, so that connections opened together do not end together. */
export function jittered(limit: number, random: () => number = Math.random): number {
  return limit * (1 - random() / 10);
}
