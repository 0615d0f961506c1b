import { expect, test, vi } from 'vitest';
import { Crowds } from './crowds.ts';

test('the first is told at once, the others together, until there are none', () => {
  vi.useFakeTimers();
  try {
    const told: unknown[] = [];
    const crowds = new Crowds((...event) => told.push(event), 1000);
    crowds.add('full', 'a');
    crowds.add('full', 'b');
    crowds.add('late', 'c');
    crowds.add('full', 'd');
    expect(told).toEqual([
      ['full', 'a', 1],
      ['late', 'c', 1],
    ]);
    vi.advanceTimersByTime(1000);
    expect(told.slice(2)).toEqual([['full', 'd', 2]]);
    crowds.add('full', 'e');
    vi.advanceTimersByTime(1000);
    expect(told.slice(3)).toEqual([['full', 'e', 1]]);
    vi.advanceTimersByTime(10_000);
    crowds.add('full', 'f');
    expect(told.slice(4)).toEqual([['full', 'f', 1]]);
  } finally {
    vi.useRealTimers();
  }
});
