import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Durations } from './durations.ts';
import { Ranking } from './ranking.ts';

const counted = (capacity: number) => new Ranking(capacity, () => ({ count: 0 }));

test('as long as there is room it is exact', () => {
  const ranking = counted(3);
  for (const [name, weight] of [
    ['a', 1],
    ['b', 5],
    ['a', 2],
    ['c', 4],
  ] as const) {
    ranking.weigh(name, '', weight).count++;
  }
  expect(ranking.heaviest(2)).toMatchObject([
    { one: 'b', weight: 5, inherited: 0, item: { count: 1 } },
    { one: 'c', weight: 4 },
  ]);
  expect(ranking.heaviest(9)).toMatchObject([{ one: 'b' }, { one: 'c' }, { one: 'a', weight: 3, item: { count: 2 } }]);
});

test('both names count', () => {
  const ranking = counted(9);
  ranking.weigh('a', 'x', 1);
  ranking.weigh('a', 'y', 2);
  ranking.weigh('b', 'x', 3);
  expect(ranking.heaviest(9).map(({ one, other }) => one + other)).toEqual(['bx', 'ay', 'ax']);
});

test('nothing is missed that weighs more than its share, and no weight is too small', () => {
  const weighed = fc.array(fc.tuple(fc.integer({ min: 0, max: 30 }), fc.integer({ min: 0, max: 9 })), {
    maxLength: 300,
  });
  fc.assert(
    fc.property(weighed, fc.integer({ min: 1, max: 12 }), (events, capacity) => {
      const ranking = counted(capacity);
      const exact = new Map<string, number>();
      for (const [name, weight] of events) {
        ranking.weigh(String(name), '', weight);
        exact.set(String(name), (exact.get(String(name)) ?? 0) + weight);
      }
      const kept = ranking.heaviest(99);
      expect(kept.length).toBe(Math.min(capacity, exact.size));
      const total = [...exact.values()].reduce((a, b) => a + b, 0);
      for (const { one, weight, inherited } of kept) {
        expect(weight).toBeGreaterThanOrEqual(exact.get(one) ?? 0);
        expect(weight - inherited).toBeLessThanOrEqual(exact.get(one) ?? 0);
      }
      const names = new Set(kept.map(({ one }) => one));
      for (const [name, weight] of exact) if (weight > total / capacity) expect(names).toContain(name);
    }),
  );
});

test('durations are summed up', () => {
  const durations = new Durations();
  expect(durations.summary()).toEqual({ total: 0, mean: 0, p99: 0, max: 0 });
  for (let i = 0; i < 990; i++) durations.add(1);
  for (let i = 0; i < 10; i++) durations.add(1000);
  const { total, mean, p99, max } = durations.summary();
  expect([total, mean, max]).toEqual([10_990, 10.99, 1000]);
  expect(p99).toBeGreaterThanOrEqual(1);
  expect(p99).toBeLessThanOrEqual(1.5);
  durations.add(1000);
  expect(durations.summary().p99).toBe(1000);
});

test('durations of any length find a bucket', () => {
  const durations = new Durations();
  for (const time of [0, 1e-9, 1e9]) durations.add(time);
  expect(durations.summary().p99).toBe(1e9);
});
