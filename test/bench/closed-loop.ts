/** Measuring: some callers, each with one operation under way at a time. */

export interface Sample {
  /** Operations per second. */
  readonly rate: number;
  /** Milliseconds that half of the operations stayed below. */
  readonly p50: number;
  /** Milliseconds that 99 of 100 stayed below. */
  readonly p99: number;
  /** Operations that were measured. */
  readonly count: number;
}

/** Lets every caller repeat its operation for so many seconds. */
export async function closedLoop(callers: readonly (() => Promise<unknown>)[], seconds: number): Promise<Sample> {
  const took: number[] = [];
  const start = performance.now();
  const end = start + seconds * 1000;
  const repeat = async (operation: () => Promise<unknown>): Promise<void> => {
    for (let now = performance.now(); now < end; ) {
      await operation();
      const done = performance.now();
      took.push(done - now);
      now = done;
    }
  };
  await Promise.all(callers.map(repeat));
  const elapsed = performance.now() - start;
  const sorted = Float64Array.from(took).sort();
  const quantile = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? 0;
  return { rate: (took.length / elapsed) * 1000, p50: quantile(0.5), p99: quantile(0.99), count: took.length };
}

/** The middle one of an odd number of values. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** The medians of several samples. */
export const medians = (samples: readonly Sample[]): Sample => ({
  rate: median(samples.map(({ rate }) => rate)),
  p50: median(samples.map(({ p50 }) => p50)),
  p99: median(samples.map(({ p99 }) => p99)),
  count: samples.reduce((sum, { count }) => sum + count, 0),
});
