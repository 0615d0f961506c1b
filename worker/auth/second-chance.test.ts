import { expect, test } from 'vitest';
import { SecondChance } from './second-chance.ts';

const kept = (cache: SecondChance<number>, ...keys: string[]) => keys.filter((key) => cache.get(key) !== undefined);

test('what was asked for stays, the oldest of the rest leaves', () => {
  const cache = new SecondChance<number>(3);
  expect(['a', 'b', 'c'].map((key, i) => cache.keep(key, i))).toEqual([false, false, false]);
  expect(cache.get('a')).toBe(0);
  expect(cache.keep('d', 3)).toBe(true);
  expect(kept(cache, 'a', 'b', 'c', 'd')).toEqual(['a', 'c', 'd']);
});

test('where all were asked for, the oldest leaves', () => {
  const cache = new SecondChance<number>(2);
  cache.keep('a', 0);
  cache.keep('b', 1);
  expect(kept(cache, 'a', 'b')).toEqual(['a', 'b']);
  expect(cache.keep('c', 2)).toBe(true);
  expect(kept(cache, 'a', 'b', 'c')).toEqual(['b', 'c']);
});

test('keeping a key again evicts nobody', () => {
  const cache = new SecondChance<number>(2);
  cache.keep('a', 0);
  cache.keep('b', 1);
  expect(cache.keep('a', 2)).toBe(false);
  expect([cache.get('a'), cache.get('b')]).toEqual([2, 1]);
});

test('with a limit of 0 nothing is kept', () => {
  const cache = new SecondChance<number>(0);
  expect(cache.keep('a', 0)).toBe(false);
  expect(cache.get('a')).toBeUndefined();
});
