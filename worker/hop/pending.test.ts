import { expect, test } from 'vitest';
import { Pending } from './pending.ts';

const minute = 60_000;

test('what has begun and not ended is counted', () => {
  const pending = new Pending();
  const [one, two] = [pending.begin(minute), pending.begin(minute + 1)];
  expect(pending.count(minute + 2)).toBe(2);
  pending.end(one);
  expect(pending.count(minute + 3)).toBe(1);
  // It ends in the next window.
  expect(pending.count(minute + 30_000)).toBe(1);
  pending.begin(minute + 30_000);
  pending.end(two);
  expect(pending.count(minute + 30_001)).toBe(1);
});

test('what never ends is forgotten, and its late end takes nothing from others', () => {
  const pending = new Pending();
  const lost = pending.begin(minute);
  expect(pending.count(minute + 59_999)).toBe(1);
  expect(pending.count(minute + 60_000)).toBe(0);
  pending.begin(minute + 60_000);
  pending.end(lost);
  expect(pending.count(minute + 60_000)).toBe(1);
});

test('a clock that was set back forgets, and counts on', () => {
  const pending = new Pending();
  const before = pending.begin(10 * minute);
  expect(pending.count(minute)).toBe(0);
  pending.begin(minute);
  pending.end(before);
  expect(pending.count(minute)).toBe(1);
});
