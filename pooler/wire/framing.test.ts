import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ProtocolViolation } from './messages.ts';
import { Reader } from './reader.ts';
import { RowStream } from './row-stream.ts';
import { type Sink, Writer } from './writer.ts';

type Message = { readonly type: number; readonly payload: Buffer };

const dataRow = 0x44;

function bytesOf(messages: readonly Message[]): Buffer {
  return Buffer.concat(
    messages.flatMap(({ type, payload }) => {
      const header = Buffer.alloc(5);
      header[0] = type;
      header.writeInt32BE(payload.length + 4, 1);
      return [header, payload];
    }),
  );
}

/** Feeds the bytes in pieces of the given sizes, all from one buffer that is overwritten each time. */
function feed(reader: Reader, bytes: Buffer, sizes: readonly number[]): void {
  const chunk = Buffer.alloc(Math.max(bytes.length, 1));
  let at = 0;
  for (let i = 0; at < bytes.length; i++) {
    const size = Math.min(sizes[i % sizes.length] ?? 1, bytes.length - at);
    chunk.fill(0xee);
    bytes.copy(chunk, 0, at, at + size);
    reader.push(chunk, size);
    at += size;
  }
}

test('however the stream is cut, the same messages come out', () => {
  const message = fc.record({
    type: fc.constantFrom(dataRow, 0x43, 0x5a, 0x32),
    payload: fc.uint8Array({ maxLength: 300 }),
  });
  fc.assert(
    fc.property(fc.array(message), fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1 }), (given, sizes) => {
      const sent = given.map(({ type, payload }) => ({ type, payload: Buffer.from(payload) }));
      const got: Message[] = [];
      const reader = new Reader({
        message: (type, bytes, start, end) => got.push({ type, payload: Buffer.from(bytes.subarray(start, end)) }),
        rowStream: () => null,
      });
      feed(reader, bytesOf(sent), sizes);
      expect(got).toEqual(sent);
    }),
  );
});

function row(...columns: readonly (string | null)[]): Buffer {
  const parts = columns.map((column) => {
    const value = Buffer.from(column ?? '');
    const length = Buffer.alloc(4);
    length.writeInt32BE(column === null ? -1 : value.length);
    return Buffer.concat([length, value]);
  });
  const count = Buffer.alloc(2);
  count.writeInt16BE(columns.length);
  return Buffer.concat([count, ...parts]);
}

test.each([1, 2, 3, 5, 7, 64, 65_536, 1_000_000])('a large row is streamed in pieces of %i bytes', (size) => {
  const large = 'abcdefghij'.repeat(7000);
  const seen: { head: (string | null)[]; length: number; text: string; ended: boolean; after: number } = {
    head: [],
    length: 0,
    text: '',
    ended: false,
    after: 0,
  };
  const reader = new Reader({
    message: (type) => {
      seen.after = type;
    },
    rowStream: () =>
      new RowStream(
        {
          start: (head, length) => {
            seen.head = [head.text(0), head.text(1), head.text(2)];
            seen.length = length;
          },
          chunk: (bytes) => {
            seen.text += bytes.toString();
            return true;
          },
          end: () => {
            seen.ended = true;
          },
        },
        () => undefined,
      ),
  });
  const message = { type: dataRow, payload: row('1', null, large) };
  // With the whole message in one chunk there is nothing to stream.
  feed(reader, bytesOf([message, { type: 0x5a, payload: Buffer.from('I') }]), [Math.min(size, 65_536)]);
  expect(seen).toEqual({ head: ['1', null, null], length: large.length, text: large, ended: true, after: 0x5a });
});

test.each([
  ['a length below four', [0x44, 0, 0, 0, 3]],
  ['a negative length', [0x44, 0xff, 0xff, 0xff, 0xff]],
  ['more than the server can make', [0x44, 0x40, 0, 0, 0]],
  ['a long message of a short type', [0x5a, 0, 1, 0, 0]],
])('%s is no message', (_, header) => {
  const reader = new Reader({ message: () => undefined, rowStream: () => null });
  expect(() => reader.push(Buffer.from(header), 5)).toThrow(ProtocolViolation);
  const split = new Reader({ message: () => undefined, rowStream: () => null });
  expect(() => feed(split, Buffer.from(header), [1])).toThrow(ProtocolViolation);
});

test('whatever is written comes out once and in order, large values uncopied', () => {
  const value = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 60 }),
    fc.record({ text: fc.nat({ max: 80_000 }) }),
    fc.record({ bytes: fc.nat({ max: 80_000 }) }),
  );
  fc.assert(
    fc.property(fc.array(fc.array(value, { maxLength: 5 }), { maxLength: 5 }), (messages) => {
      const written: Uint8Array[] = [];
      const sink: Sink = {
        cork: () => undefined,
        uncork: () => undefined,
        write: (bytes) => written.push(Buffer.from(bytes)) > 0,
        writableLength: 0,
      };
      const writer = new Writer();
      const expected: Message[] = [];
      for (const values of messages) {
        writer.begin(0x42);
        const parts: Buffer[] = [];
        for (const made of values) {
          const each =
            typeof made === 'string'
              ? made
              : 'text' in made
                ? 'é'.repeat(made.text)
                : Buffer.alloc(made.bytes, made.bytes);
          const bytes = Buffer.from(each);
          const length = Buffer.alloc(4);
          length.writeInt32BE(bytes.length);
          parts.push(length, bytes);
          if (typeof each === 'string') writer.sized(each);
          else {
            writer.int32(each.length);
            writer.bytes(each);
          }
        }
        writer.end();
        expected.push({ type: 0x42, payload: Buffer.concat(parts) });
      }
      writer.flush(sink);
      expect(Buffer.concat(written).equals(bytesOf(expected))).toBe(true);
    }),
    { numRuns: 50 },
  );
});

test('a zero byte cannot cut a statement short', () => {
  expect(() => new Writer().cstring('select 1\0; drop table t')).toThrow(RangeError);
});
