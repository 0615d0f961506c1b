import { expect, test } from 'vitest';
import { isTraceparent } from './traceparent.ts';

const trace = '0af7651916cd43dd8448eb211c80319c';
const parent = 'b7ad6b7169203331';

test.each([`00-${trace}-${parent}-01`, `cc-${trace}-${parent}-00`, `cc-${trace}-${parent}-01-what-the-future-brings`])(
  '%s is passed on',
  (value) => expect(isTraceparent(value)).toBe(true),
);

test.each([
  '',
  `ff-${trace}-${parent}-01`,
  `00-${'0'.repeat(32)}-${parent}-01`,
  `00-${trace}-${'0'.repeat(16)}-01`,
  `00-${trace.toUpperCase()}-${parent}-01`,
  `00-${trace}-${parent}-01-more`,
  `00-${trace}-${parent}`,
  `00-${trace}-${parent}-01\n`,
  `cc-${trace}-${parent}-01-${'x'.repeat(200)}`,
])('%j is not', (value) => expect(isTraceparent(value)).toBe(false));
