import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Pieces } from './pieces.ts';

const KB = 1024;
const filled = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);

test('pieces of any size keep their bytes and their order', () => {
  const size = fc.oneof(fc.nat(50), fc.nat(100 * KB));
  fc.assert(
    fc.property(fc.array(size, { maxLength: 30 }), (sizes) => {
      const pieces = new Pieces();
      const parts = sizes.map((length, index) => filled(length, index));
      for (const part of parts) pieces.push(part);
      expect(Buffer.concat(pieces.end()).equals(Buffer.concat(parts))).toBe(true);
    }),
  );
});

test('a single one is referred to, many are gathered in blocks', () => {
  const single = new Pieces();
  const large = filled(300 * KB, 1);
  single.push(large);
  const [only] = single.end();
  expect(only?.buffer).toBe(large.buffer);
  const many = new Pieces();
  for (let i = 0; i < 1025; i++) many.push(filled(KB, 2));
  expect(many.end().map(({ length }) => length / KB)).toEqual([1, 256, 256, 256, 256]);
});
