import { expect, test } from 'vitest';
import { compareLists, compareNullable, compareText } from './order.ts';

test('text is ordered by code points, not by UTF-16 units', () => {
  const words = ['é', 'Z', 'a', 'ab', '', '😀', '\uff5e', 'a😀', 'a\uff5e'];
  expect(words.toSorted(compareText)).toEqual(['', 'Z', 'a', 'ab', 'a\uff5e', 'a😀', 'é', '\uff5e', '😀']);
});

test('a list comes before those that it begins; nothing comes before something', () => {
  expect(compareLists(['a'], ['a', 'b'], compareText)).toBeLessThan(0);
  expect(compareLists(['b'], ['a', 'b'], compareText)).toBeGreaterThan(0);
  expect(compareLists(['a'], ['a'], compareText)).toBe(0);
  expect([null, 'a', null, ''].toSorted(compareNullable)).toEqual([null, null, '', 'a']);
});
