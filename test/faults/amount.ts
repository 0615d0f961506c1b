/** How many requests the fault tests make, and of which seed. */
import { wholeNumber } from '../variable.ts';

/** Requests of all fault tests together: each makes a share of them. */
const REQUESTS = wholeNumber('EDGEREST_FAULTS_REQUESTS', 10_000);

/** With the same seed the same faults come after the same number of bytes, and the same requests are made. */
export const SEED = wholeNumber('EDGEREST_FAULTS_SEED', 1);

/** A share of the requests, and the words with which they are counted in the output. */
export function share(of: number, what: string): number {
  const requests = Math.max(1, Math.round(REQUESTS * of));
  console.log(`${requests} ${what}: EDGEREST_FAULTS_SEED=${SEED}`);
  return requests;
}

/** Milliseconds that a test of so many requests may take. */
export const patience = (requests: number): number => 60_000 + requests * 60;
