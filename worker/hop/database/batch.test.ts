import { expect, test } from 'vitest';
import { byteaText, bytesOf, textOf } from './batch.ts';

const BYTEA = 17;
const JSONB = 3802;
const TEXT = 25;
const all = Uint8Array.from({ length: 256 }, (_, byte) => byte);

test('a bytea is its bytes, in either of its text formats', () => {
  expect(byteaText(Uint8Array.of(0, 255, 16))).toBe('\\x00ff10');
  expect(bytesOf(byteaText(all), BYTEA, true)).toEqual(all);
  expect(bytesOf(new TextEncoder().encode(byteaText(all)), BYTEA, true)).toEqual(all);
  // PostgreSQL docs, 8.4.2: backslashes doubled, what cannot be printed in three octal digits.
  expect(bytesOf('a\\\\b\\000\\377', BYTEA, true)).toEqual(Uint8Array.of(97, 92, 98, 0, 255));
});

test('other types are as they came, but for the version that jsonb has in binary', () => {
  expect(textOf(bytesOf('{"a": 1}', JSONB, true))).toBe('\u0001{"a": 1}');
  expect(textOf(bytesOf('{"a": 1}', JSONB, false))).toBe('{"a": 1}');
  expect(textOf(bytesOf('é', TEXT, true))).toBe('é');
  expect(textOf(bytesOf('\\x00', BYTEA, false))).toBe('\\x00');
  expect(bytesOf(null, BYTEA, true)).toBeNull();
  expect(bytesOf(undefined, undefined, false)).toBeNull();
});
