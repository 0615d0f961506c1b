import { expect, test } from 'vitest';
import { eventLine } from './event.ts';

test('fields follow the sentence', () => {
  expect(eventLine('It broke.', 'broken', { key: 'alice', took_ms: 12.345, role: null })).toBe(
    'It broke. event=broken key=alice took_ms=12.3',
  );
});

test('a value cannot look like another field, nor like another line', () => {
  expect(eventLine('It broke.', 'broken', { key: 'a b=c "d"\n=' })).toBe(
    String.raw`It broke. event=broken key="a b=c \"d\"\n="`,
  );
  expect(eventLine('It broke.', 'broken', { key: '' })).toBe('It broke. event=broken key=""');
});
