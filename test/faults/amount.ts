/** How many requests the fault tests make, and of which seed; and how far they are. */
import { TestRunner } from 'vitest';
import { wholeNumber } from '../variable.ts';

declare module 'vitest' {
  interface TaskMeta {
    /** Requests that the test has made, for the table of the long form. */
    requests?: number;
  }
}

/** Requests of all fault tests together: each makes a share of them. */
const REQUESTS = wholeNumber('EDGEREST_FAULTS_REQUESTS', 10_000);

/** Whether there is time for what takes long to come to an end. */
export const IS_LONG: boolean = REQUESTS >= 100_000;

/** With the same seed the same faults come after the same number of bytes, and the same requests are made. */
export const SEED = wholeNumber('EDGEREST_FAULTS_SEED', 1);

/** How many requests a share of all of them is, and never less than so many: a few find nothing. */
export const share = (of: number, least = 1): number => Math.max(least, Math.round(REQUESTS * of));

/** Milliseconds that a test of so many requests may take. */
export const patience = (requests: number): number => 60_000 + requests * 60;

/** Milliseconds between two lines about a test. */
const SAY_EVERY = 20_000;

/** Counts the requests of a test and says now and then how far it is. */
export class Progress {
  readonly #what: string;
  readonly #planned: number;
  readonly #test = TestRunner.getCurrentTest();
  #made = 0;
  #said = performance.now();

  constructor(what: string, planned: number) {
    this.#what = what;
    this.#planned = planned;
  }

  /** One more was made. */
  count(): void {
    this.#made++;
    if (this.#test !== undefined) this.#test.meta.requests = (this.#test.meta.requests ?? 0) + 1;
    const now = performance.now();
    if (now - this.#said < SAY_EVERY) return;
    this.#said = now;
    console.log(`${this.#made} of ${this.#planned} ${this.#what}`);
  }
}
