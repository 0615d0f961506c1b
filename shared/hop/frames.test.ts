import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeFrame,
  encodeAnswer,
  encodeCredit,
  encodeFrame,
  encodeHello,
  encodeWelcome,
  type FrameKind,
  readAnswerFrame,
  readCredit,
  readHello,
  readWelcome,
} from './frames.ts';
import { OpenStreams } from './open-streams.ts';

const ofSocket: readonly FrameKind[] = ['hello', 'welcome', 'going away', 'ping', 'pong'];
const ofStream: readonly FrameKind[] = ['message', 'credit', 'cancel', 'answer', 'body', 'reset'];

const dataOf = (bytes: Uint8Array): Uint8Array => {
  const frame = decodeFrame(bytes);
  if (frame === null) throw new Error('no frame');
  return frame.data;
};

test('what was made is read again', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...ofStream),
      fc.integer({ min: 1, max: 0xffff_ffff }),
      fc.uint8Array({ maxLength: 300 }),
      fc.boolean(),
      (kind, stream, data, last) => {
        const frame = decodeFrame(encodeFrame(kind, stream, data, last));
        expect({ ...frame, data: Array.from(frame?.data ?? []) }).toEqual({
          kind,
          stream,
          last,
          data: Array.from(data),
        });
      },
    ),
  );
  fc.assert(
    fc.property(
      fc.boolean(),
      fc.json().map((text) => text.replace(/[^\x20-\x7e]/g, '?')),
      fc.uint8Array({ maxLength: 300 }),
      (ok, facts, body) => {
        const read = readAnswerFrame(dataOf(encodeAnswer(7, ok, facts, body)));
        expect({ ...read, body: Array.from(read?.body ?? []) }).toEqual({ ok, facts, body: Array.from(body) });
      },
    ),
  );
});

test('numbers and the secret are read again', () => {
  expect(readCredit(dataOf(encodeCredit(1, 0xffff_ffff)))).toBe(0xffff_ffff);
  expect(readWelcome(dataOf(encodeWelcome(4096)))).toBe(4096);
  expect(readHello(dataOf(encodeHello('a secret, with ünïcode')))).toEqual({
    version: 1,
    secret: 'a secret, with ünïcode',
  });
});

describe('what is none is null:', () => {
  test.each(ofSocket)('%s on a stream', (kind) => {
    expect(decodeFrame(encodeFrame(kind, 1))).toBeNull();
    expect(decodeFrame(encodeFrame(kind, 0))).not.toBeNull();
  });

  test.each(ofStream)('%s on the socket itself', (kind) => {
    expect(decodeFrame(encodeFrame(kind, 0))).toBeNull();
  });

  test.each([
    ['nothing', []],
    ['less than a head', [16, 0, 0, 0]],
    ['another kind', [99, 0, 0, 0, 1]],
    ['kind 0', [0, 0, 0, 0, 0]],
  ])('%s', (_what, bytes) => {
    expect(decodeFrame(Uint8Array.from(bytes))).toBeNull();
  });

  test('data of another form', () => {
    expect(readCredit(Uint8Array.of(1, 2, 3))).toBeNull();
    expect(readWelcome(Uint8Array.of(2, 0, 0, 0, 1))).toBeNull();
    expect(readHello(Uint8Array.of())).toBeNull();
    expect(readHello(Uint8Array.of(1, 0xff, 0xfe))).toBeNull();
    expect(readHello(Uint8Array.of(9, 0xff, 0xfe))).toEqual({ version: 9, secret: '' });
    expect(readAnswerFrame(Uint8Array.of(1, 0, 0, 0, 1))).toBeNull();
    expect(readAnswerFrame(Uint8Array.of(2, 0, 0, 0, 0))).toBeNull();
    expect(readAnswerFrame(Uint8Array.of(1, 0, 0, 0, 1, 0xff))).toBeNull();
  });
});

test('whatever comes is read or refused, never thrown at', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      const frame = decodeFrame(bytes);
      for (const read of [readCredit, readWelcome, readHello, readAnswerFrame]) read(frame?.data ?? bytes);
    }),
    { numRuns: 2000 },
  );
});

test('open streams are found until they are taken out, and none is taken out for another', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 20 }), { maxLength: 60 }), (moves) => {
      const streams = new OpenStreams<{ readonly id: number; place: number }>();
      const open = new Map<number, { readonly id: number; place: number }>();
      for (const id of moves) {
        const known = open.get(id);
        if (known === undefined) {
          const stream = { id, place: 0 };
          open.set(id, stream);
          streams.add(stream);
        } else {
          open.delete(id);
          streams.remove(known);
          streams.remove(known);
        }
        expect(streams.size).toBe(open.size);
        for (let n = 0; n <= 20; n++) expect(streams.find(n)).toBe(open.get(n));
      }
      expect(new Set(streams.all())).toEqual(new Set(open.values()));
    }),
  );
});
