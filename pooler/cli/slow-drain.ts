/** Says what keeps a program that has been told to end. */
import type { Observe } from '../observation.ts';
import type { Pooler } from '../start.ts';

/** Milliseconds between two lines. */
const INTERVAL = 5000;

/** Begins to watch; it goes on until the process ends. */
export function watchDrain(
  pooler: () => Pick<Pooler, 'pool'> | null,
  observe: Observe,
  interval: number = INTERVAL,
): void {
  const began = performance.now();
  setInterval(() => {
    const { busy = 0, waiting = 0 } = pooler()?.pool.metrics() ?? {};
    observe({ kind: 'draining', seconds: (performance.now() - began) / 1000, busy, waiting });
  }, interval).unref();
}
