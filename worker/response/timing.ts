/** Server-Timing (W3C): how long the steps of a request took, as PostgREST names them. */
import type { Header } from './types.ts';

const STEPS = ['jwt', 'parse', 'plan', 'transaction', 'response'] as const;

/** Takes the time at the end of each step, in their order. */
export class ServerTiming {
  readonly #durations: number[] = [];
  #last = performance.now();

  /** Ends a step, and begins the next. */
  lap(): void {
    const now = performance.now();
    this.#durations.push(now - this.#last);
    this.#last = now;
  }

  /** Milliseconds with one decimal. */
  header(): Header {
    const metrics = this.#durations.map((duration, i) => `${STEPS[i] ?? ''};dur=${duration.toFixed(1)}`);
    return ['Server-Timing', metrics.join(', ')];
  }
}
