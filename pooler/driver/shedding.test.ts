import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Keeper, shed } from './shedding.ts';

function left(keepers: readonly (readonly [user: string, kept: number])[], limit: number): string {
  const cut = new Set<Keeper>();
  const all = keepers.map(([user, kept]) => {
    const keeper: Keeper = { user, kept, cut: () => void cut.add(keeper) };
    return keeper;
  });
  shed(all, limit);
  return all.flatMap((keeper) => (cut.has(keeper) ? [] : [`${keeper.user}${keeper.kept}`])).join(' ');
}

test('nobody is cut while there is room', () => {
  expect(
    left(
      [
        ['a', 6],
        ['b', 4],
      ],
      10,
    ),
  ).toBe('a6 b4');
});

test('who keeps most pays first, with the largest', () => {
  const everybody = [
    ['a', 3],
    ['a', 5],
    ['a', 4],
    ['b', 6],
    ['c', 1],
  ] as const;
  expect(left(everybody, 14)).toBe('a3 a4 b6 c1');
  expect(left(everybody, 9)).toBe('a3 c1');
  expect(
    left(
      [
        ['a', 3],
        ['b', 6],
      ],
      0,
    ),
  ).toBe('');
});

test('what is left is always within the limit', () => {
  const someone = fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.nat(20));
  fc.assert(
    fc.property(fc.array(someone), fc.nat(100), (keepers, limit) => {
      const kept = left(keepers, limit)
        .split(' ')
        .filter(Boolean)
        .map((text) => Number(text.slice(1)));
      expect(kept.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThanOrEqual(limit);
    }),
  );
});
