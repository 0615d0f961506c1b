import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeFailure,
  decodeRequest,
  decodeResult,
  encodeFailure,
  encodeHead,
  encodeLength,
  encodePieces,
  encodeRequest,
  encodeResult,
  HEADER_LIMIT,
  PREAMBLE,
  RequestDecoder,
} from './codec.ts';
import { HOP_VERSION, type TransactionFailure, type TransactionRequest } from './types.ts';

const limits = { head: 100_000, payload: 1000 };
const bytes = (...parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));

const request: TransactionRequest = {
  version: HOP_VERSION,
  snapshot: 'lx3-abc',
  token: 'a.b.c',
  role: 'alice "the" ünï',
  claims: '{"role":"alice"}',
  schema: 'api',
  method: 'POST',
  path: '/user',
  headers: '{"accept":"*/*"}',
  cookies: '{}',
  address: '192.0.2.7',
  timezone: null,
  isolation: 'repeatable read',
  access: 'read write',
  settings: [['statement_timeout', '5s']],
  statements: [
    { text: 'select $1', parameters: ['x', null, { payload: 'text' }], result: { kind: 'row', body: 2 } },
    { text: 'select 1', parameters: [{ payload: 'binary' }], result: { kind: 'none' } },
    { text: 'explain select 1', parameters: [], result: { kind: 'lines' } },
    { text: 'select 2', parameters: [], result: { kind: 'row', body: 0, stream: true } },
  ],
  end: null,
  deadline: 5000,
};

const failureOf = (message: Uint8Array): { reason: string; status: number } | null => {
  const decoded = decodeRequest(message, limits);
  return decoded.ok ? null : { reason: decoded.failure.reason, status: decoded.failure.status };
};

describe('a request', () => {
  test('survives the wire', () => {
    const payload = new Uint8Array([0, 1, 255, 0x45, 0x52]);
    expect(decodeRequest(encodeRequest(request, payload), limits)).toEqual({ ok: true, request, payload: [payload] });
  });

  test('keeps an empty payload apart from none', () => {
    expect(decodeRequest(encodeRequest(request, new Uint8Array(0)), limits)).toMatchObject({
      payload: [],
    });
    expect(decodeRequest(encodeRequest(request, null), limits)).toMatchObject({ payload: null });
  });

  test('may come in a payload of many chunks', () => {
    const chunks = [1, 2, 3].flatMap((n) => [encodeLength(n), new Uint8Array(n).fill(n)]);
    const message = bytes(encodeHead(request, true), ...chunks, encodeLength(0));
    expect(decodeRequest(message, limits)).toMatchObject({
      ok: true,
      payload: [new Uint8Array([1]), new Uint8Array([2, 2, 3, 3, 3])],
    });
  });

  test('is encoded in pieces as it is whole, and read in whatever pieces it comes', async () => {
    const pieces = [new Uint8Array([1]), new Uint8Array(0), new Uint8Array([2, 3])];
    const message: Uint8Array[] = [];
    for await (const piece of encodePieces(request, pieces)) message.push(piece);
    expect(decodeRequest(bytes(...message), limits)).toMatchObject({ ok: true, request });
    const whole = bytes(encodeHead(request, true), encodeLength(1), bytes(new Uint8Array([1]), encodeLength(2)));
    const sent = bytes(whole, new Uint8Array([2, 3]), encodeLength(0));
    expect(bytes(...message)).toEqual(sent);
    for (let size = 1; size < 40; size++) {
      const decoder = new RequestDecoder(limits);
      for (let at = 0; at < sent.length; at += size) expect(decoder.push(sent.subarray(at, at + size))).toBe(true);
      const decoded = decoder.end();
      expect(decoded).toMatchObject({ ok: true, request });
      expect(decoded.ok && Buffer.concat(decoded.payload ?? [])).toEqual(Buffer.of(1, 2, 3));
    }
  });

  test('what its payload throws is thrown on', async () => {
    async function* broken() {
      yield new Uint8Array([1]);
      throw new Error('no more');
    }
    const reading = async () => {
      for await (const _ of encodePieces(request, broken()));
    };
    await expect(reading()).rejects.toThrow('no more');
  });

  test('is read where it lies within a larger buffer', () => {
    const message = encodeRequest(request, new Uint8Array([7]));
    const padded = bytes(new Uint8Array(13), message, new Uint8Array(5));
    expect(decodeRequest(padded.subarray(13, 13 + message.length), limits)).toMatchObject({ ok: true });
  });

  test('cut anywhere is refused', () => {
    const message = encodeRequest(request, new Uint8Array([1, 2, 3]));
    for (let end = 0; end < message.length; end++) {
      expect(failureOf(message.subarray(0, end))).toEqual({ reason: 'malformed', status: 400 });
    }
  });

  test('that goes on after its end is refused', () => {
    expect(failureOf(bytes(encodeRequest(request, null), new Uint8Array(1)))).toEqual({
      reason: 'malformed',
      status: 400,
    });
  });

  test('of another version names the version spoken', () => {
    const message = encodeRequest(request, null);
    message[2] = 9;
    expect(decodeRequest(message, limits)).toMatchObject({
      ok: false,
      failure: { kind: 'refused', reason: 'version', status: 400, message: expect.stringMatching(/version 1 .* 9/) },
    });
  });

  test('with a head or a payload over the limit is refused by its length alone', () => {
    const head = encodeHead(request, true);
    new DataView(head.buffer).setUint32(4, limits.head + 1);
    expect(failureOf(head)).toEqual({ reason: 'size', status: 413 });
    expect(failureOf(bytes(encodeHead(request, true), encodeLength(limits.payload + 1)))).toEqual({
      reason: 'size',
      status: 413,
    });
    const half = [encodeLength(600), new Uint8Array(600)];
    expect(failureOf(bytes(encodeHead(request, true), ...half, ...half, encodeLength(0)))).toMatchObject({
      status: 413,
    });
  });

  test('with an unannounced payload, unknown flags or wrong magic is refused', () => {
    expect(failureOf(bytes(encodeHead(request, false), encodeLength(1), new Uint8Array(1), encodeLength(0)))).toEqual({
      reason: 'malformed',
      status: 400,
    });
    const flagged = encodeRequest(request, null);
    flagged[3] = 2;
    expect(failureOf(flagged)).toMatchObject({ status: 400 });
    expect(failureOf(new TextEncoder().encode('{"statements":[]}'))).toMatchObject({ reason: 'malformed' });
  });

  const withHead = (change: object): Uint8Array => {
    const head = new TextEncoder().encode(JSON.stringify({ ...request, ...change }));
    return bytes(encodeHead(request, false).subarray(0, 4), encodeLength(head.length), head, encodeLength(0));
  };

  test.each([
    ['role', { role: null }],
    ['statements', { statements: null }],
    ['statements[0].text', { statements: [{ text: 'select 1\0X', parameters: [], result: { kind: 'none' } }] }],
    ['statements[0].parameters[0]', { statements: [{ text: '', parameters: [1], result: { kind: 'none' } }] }],
    ['statements[0].result.kind', { statements: [{ text: '', parameters: [], result: { kind: 'rows' } }] }],
    ['statements[0].result.body', { statements: [{ text: '', parameters: [], result: { kind: 'row', body: -1 } }] }],
    ['isolation', { isolation: 'read committed; drop table x' }],
    ['access', { access: 'READ ONLY' }],
    ['settings[0]', { settings: [['a']] }],
    ['end', { end: 'maybe' }],
    ['deadline', { deadline: 1.5 }],
  ])('whose head is wrong at %s says so', (at, change) => {
    expect(decodeRequest(withHead(change), limits)).toMatchObject({
      ok: false,
      failure: { reason: 'malformed', message: `The head is wrong at ${at}.` },
    });
  });

  test('may carry a field that is not known here', () => {
    expect(decodeRequest(withHead({ later: { x: 1 } }), limits)).toEqual({ ok: true, request, payload: null });
  });

  test('with a head that is not UTF-8 is refused', () => {
    const message = encodeRequest(request, null);
    message[20] = 0xff;
    expect(failureOf(message)).toEqual({ reason: 'malformed', status: 400 });
  });

  test('made of any bytes never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
        const framed = bytes(new Uint8Array([0x45, 0x52, HOP_VERSION, 1]), noise);
        expect(failureOf(noise)).not.toBeNull();
        expect(failureOf(framed)).not.toBeNull();
      }),
    );
  });

  test('with any JSON as its head never throws', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(...Object.keys(request)), (value, key) => {
        decodeRequest(withHead({ [key]: value }), limits);
      }),
    );
  });

  test('with any byte changed is read or refused, never thrown on', () => {
    const message = encodeRequest(request, new Uint8Array([1, 2, 3, 4]));
    fc.assert(
      fc.property(fc.nat(message.length - 1), fc.nat(255), (at, value) => {
        const changed = message.slice();
        changed[at] = value;
        decodeRequest(changed, limits);
      }),
    );
  });
});

describe('an answer', () => {
  const facts = { snapshot: 'v', statements: [{ rows: 1, columns: [null, 'ü \u007f \n "q"', '😀'] }], body: 12 };

  test('has its facts in a header of printable ASCII', () => {
    const { header, preamble } = encodeResult(facts);
    expect(preamble).toBeNull();
    expect(header).toMatch(/^[\x20-\x7e]*$/);
    expect(decodeResult(header)).toEqual(facts);
  });

  test('moves long facts into a preamble', () => {
    const long = { ...facts, statements: [{ rows: 1, columns: ['ü'.repeat(HEADER_LIMIT)] }] };
    const { header, preamble } = encodeResult(long);
    expect(header).toBe(PREAMBLE);
    const body = preamble ?? new Uint8Array(0);
    expect(new DataView(body.buffer).getUint32(0)).toBe(body.length - 4);
    expect(decodeResult(new TextDecoder().decode(body.subarray(4)))).toEqual(long);
  });

  test.each<TransactionFailure>([
    { kind: 'database', code: '42501', message: 'no', detail: null, hint: 'h', statement: -1 },
    { kind: 'database', code: '23505', message: 'no', detail: 'd', hint: null, statement: null },
    { kind: 'admission', reason: 'full', message: 'm' },
    { kind: 'unavailable', reason: 'connect', message: 'm', detail: 'd' },
    { kind: 'unknown outcome', message: 'm' },
    { kind: 'cancelled', message: 'm' },
    { kind: 'refused', reason: 'role', message: 'm', status: 403 },
  ])('carries a failure of kind $kind', (failure) => {
    const error = { ok: false as const, snapshot: null, failure };
    expect(decodeFailure(encodeFailure(error).header)).toEqual(error);
  });

  test('that is anything else reads as nothing', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(decodeResult(text)).toBeNull();
        expect(decodeFailure(text)).toBeNull();
      }),
    );
  });
});
