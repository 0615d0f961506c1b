/** SIGTERM and SIGINT: the first ends what was started, in order; a later one ends the process at once. */
import { constants } from 'node:os';
import type { Observe } from '../observation.ts';

type Signal = 'SIGTERM' | 'SIGINT';
const SIGNALS: readonly Signal[] = ['SIGTERM', 'SIGINT'];

/** npm passes a terminal's Ctrl-C on although we got it too: signals this close together (milliseconds) are one. */
const SAME_SIGNAL = 1000;

/** Milliseconds for requests under way to be answered. Orchestrators kill after 30 seconds. */
export const DRAIN_TIMEOUT = 25_000;

export interface Shutdown {
  /** Adds a step that runs when the process is told to stop: what was started last ends first. */
  add(step: () => Promise<void>): void;
  /** Ends everything that was added and then the process, with this exit code. */
  end(code: number): void;
}

/** Takes over the signals. */
export function onShutdown(observe: Observe): Shutdown {
  const steps: (() => Promise<void>)[] = [];
  let since: number | null = null;

  const run = async (code: number): Promise<void> => {
    for (const step of steps.reverse()) {
      await step().catch((error: unknown) => {
        observe({ kind: 'fault', error });
      });
    }
    process.exit(code);
  };
  const end = (code: number): void => {
    if (since !== null) return;
    since = performance.now();
    void run(code);
  };
  const signalled = (signal: Signal): void => {
    if (since === null) {
      observe({ kind: 'stopping', signal });
      end(0);
    } else if (performance.now() - since > SAME_SIGNAL) process.exit(128 + constants.signals[signal]);
  };
  for (const signal of SIGNALS) process.on(signal, () => signalled(signal));
  return { add: (step) => steps.push(step), end };
}
