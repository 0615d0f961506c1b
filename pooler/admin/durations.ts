/** How long something took, over many times, in constant space. */

/** Two buckets for every doubling, from 2 µs to 18 minutes. */
const BUCKETS = 60;

const bucketOf = (milliseconds: number): number =>
  Math.min(BUCKETS - 1, Math.max(0, Math.floor(2 * Math.log2(milliseconds * 1000))));

/** The longest time that is in a bucket. */
const endOf = (bucket: number): number => 2 ** ((bucket + 1) / 2) / 1000;

/** All in milliseconds. */
export interface Summary {
  readonly total: number;
  readonly mean: number;
  /** Not exact: at most half as much again. */
  readonly p99: number;
  readonly max: number;
}

export class Durations {
  count = 0;
  total = 0;
  max = 0;
  readonly #buckets = new Uint32Array(BUCKETS);

  add(milliseconds: number): void {
    this.count++;
    this.total += milliseconds;
    if (milliseconds > this.max) this.max = milliseconds;
    const bucket = bucketOf(milliseconds);
    this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + 1;
  }

  summary(): Summary {
    const { count, total, max } = this;
    return { total, mean: count === 0 ? 0 : total / count, p99: this.#percentile(0.99), max };
  }

  #percentile(share: number): number {
    let left = Math.ceil(this.count * share);
    for (const [bucket, count] of this.#buckets.entries()) {
      left -= count;
      if (left <= 0) return bucket === BUCKETS - 1 ? this.max : Math.min(endOf(bucket), this.max);
    }
    return this.max;
  }
}
