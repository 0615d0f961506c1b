/** How many requests a run makes, and of which seed. */
import { randomInt } from 'node:crypto';
import { wholeNumber } from '../variable.ts';

/** Requests that are parsed, planned and compiled; other tests make a share of them. */
const RUNS = wholeNumber('EDGEREST_HOSTILE_RUNS', 100_000);

/** A test may take as long as it was asked to; a counterexample is one, whatever the next run finds. */
export const PROPERTY = { timeout: 60_000 + RUNS * 20, retry: 0 } as const;

/** fast-check's options for a share of the runs. The seed is said: EDGEREST_HOSTILE_SEED gives the same run again. */
export function runs(what: string, share: number): { readonly numRuns: number; readonly seed: number } {
  const numRuns = Math.ceil(RUNS * share);
  const seed = wholeNumber('EDGEREST_HOSTILE_SEED', randomInt(2 ** 31));
  console.log(`${numRuns} ${what}: EDGEREST_HOSTILE_SEED=${seed}`);
  return { numRuns, seed };
}
