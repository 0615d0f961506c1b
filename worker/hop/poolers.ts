/** The poolers that a worker knows, and what it has learnt of each: finished values that any number of requests may share. */
import { Pending } from './pending.ts';
import type { PoolerClient } from './pooler-client.ts';

/** Milliseconds until one that failed is looked at again; each failure after the first doubles them. */
const FIRST_DOUBT = 500;
const LONGEST_DOUBT = 10_000;
/** How long such a look may take, in milliseconds. */
const PROBE_PATIENCE = 3000;

/** One pooler. */
export class Pooler {
  readonly client: PoolerClient;
  readonly pending = new Pending();
  /** How often in a row it has failed: while it has, others are preferred, until a probe finds it well. */
  #failures = 0;
  /** When it may be probed. */
  #probeAt = 0;

  constructor(client: PoolerClient) {
    this.client = client;
  }

  get isSuspect(): boolean {
    return this.#failures > 0;
  }

  /** It could not be reached, or says that it can do nothing now. */
  suspect(now: number): void {
    this.#probeAt = now + Math.min(FIRST_DOUBT * 2 ** this.#failures, LONGEST_DOUBT);
    this.#failures += 1;
  }

  trust(): void {
    this.#failures = 0;
  }

  /** Whether it is time to look whether it is well again. */
  isDue(now: number): boolean {
    return this.isSuspect && now >= this.#probeAt;
  }

  /** Looks. A request never does: one that writes and finds nobody could not tell whether it was heard. Never throws. */
  async probe(now: number): Promise<void> {
    // Whatever becomes of this one, the next is later.
    this.#probeAt = now + PROBE_PATIENCE;
    const gaveUp = new AbortController();
    const timer = setTimeout(() => gaveUp.abort(), PROBE_PATIENCE);
    const isLive = await this.client.isLive(gaveUp.signal);
    clearTimeout(timer);
    if (isLive) this.trust();
    else this.suspect(Date.now());
  }
}

/** Of some poolers, the one for the next request: of two picked at random, that with less under way. */
function leastPending(poolers: readonly Pooler[], now: number): Pooler | null {
  const first = Math.floor(Math.random() * poolers.length);
  const one = poolers[first] ?? null;
  if (one === null || poolers.length === 1) return one;
  // Each of the others is as likely.
  const other = poolers[(first + 1 + Math.floor(Math.random() * (poolers.length - 1))) % poolers.length] ?? one;
  return other.pending.count(now) < one.pending.count(now) ? other : one;
}

/** One that was not tried yet, a trusted one where there is one; null when all have been. */
export function choose(poolers: readonly Pooler[], tried: readonly Pooler[], now: number): Pooler | null {
  if (poolers.length === 1 && tried.length === 0) return poolers[0] ?? null;
  const left = poolers.filter((pooler) => !tried.includes(pooler));
  const trusted = left.filter(({ isSuspect }) => !isSuspect);
  return leastPending(trusted.length > 0 ? trusted : left, now);
}
