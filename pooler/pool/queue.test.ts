import fc from 'fast-check';
import { expect, test } from 'vitest';
import { backoff, jittered } from './backoff.ts';
import { FifoQueue } from './queue.ts';

test('who comes first is served first, whoever leaves in between', () => {
  const steps = fc.array(
    fc.oneof({ weight: 5, arbitrary: fc.constant(-1) }, { weight: 2, arbitrary: fc.constant(-2) }, fc.nat(3000)),
    {
      maxLength: 6000,
      size: 'max',
    },
  );
  fc.assert(
    fc.property(steps, (all) => {
      const queue = new FifoQueue<{ key: string; place: number; lane: number; number: number }>();
      const expected: { key: string; place: number; lane: number; number: number }[] = [];
      for (const [number, step] of all.entries()) {
        if (step === -1) {
          const waiter = { key: '', place: -1, lane: -1, number };
          queue.push(waiter);
          expected.push(waiter);
        } else if (step === -2) expect(queue.shift()).toBe(expected.shift());
        else {
          const [gone] = expected.splice(step, 1);
          if (gone) queue.remove(gone);
          queue.remove({ key: '', place: number, lane: -1, number });
          if (gone) queue.remove(gone);
        }
        expect(queue.length).toBe(expected.length);
      }
      expect([...queue.waiting()]).toEqual(expected);
      for (const waiter of expected) expect(queue.shift()).toBe(waiter);
      expect(queue.shift()).toBeUndefined();
    }),
    { numRuns: 30 },
  );
});

test('attempts to connect come less and less often, but within a second', () => {
  expect([1, 2, 3, 4, 5, 50].map((failures) => backoff(failures, () => 0))).toEqual([50, 100, 200, 400, 800, 800]);
  expect(backoff(5, () => 1)).toBe(600);
  expect([jittered(1000, () => 0), jittered(1000, () => 1)]).toEqual([1000, 900]);
});
