import { describe, expect, test } from 'vitest';
import { ApiError } from '../error.ts';
import { LargeBody, readBody, WHOLE_LIMIT } from './body.ts';
import { parseRequest } from './parse-request.ts';
import { bytes, settings, text } from './request.fixture.ts';

async function* arriving(pieces: readonly (string | Uint8Array)[], failure: Error | null = null) {
  for (const piece of pieces) yield typeof piece === 'string' ? bytes(piece) : piece;
  if (failure !== null) throw failure;
}

/** A body that counts as large whatever its size. */
const large = (...pieces: readonly string[]): LargeBody => new LargeBody(arriving(pieces));

async function collected(body: Uint8Array | AsyncIterable<Uint8Array>): Promise<string> {
  if (body instanceof Uint8Array) return text(body);
  const pieces: Uint8Array[] = [];
  for await (const piece of body) pieces.push(piece);
  return text(Buffer.concat(pieces));
}

describe('reading', () => {
  test('a body is whole up to the limit and large beyond it', async () => {
    const half = new Uint8Array(WHOLE_LIMIT / 2);
    expect(await readBody(arriving([half, half]))).toHaveLength(WHOLE_LIMIT);
    const body = await readBody(arriving([half, half, new Uint8Array(1), half]));
    expect(body).toBeInstanceOf(LargeBody);
    expect(await readBody(arriving([]))).toHaveLength(0);
  });

  test('is handed out once, first what has been read', async () => {
    const body = large('a', 'b', 'c', 'd');
    expect(text((await body.next()) ?? bytes(''))).toBe('a');
    await body.next();
    expect(body.beginning).toHaveLength(2);
    const taken = body.take();
    expect(body.isTaken).toBe(false);
    expect(await collected(taken)).toBe('abcd');
    expect(body.isTaken).toBe(true);
    expect(body.beginning).toHaveLength(0);
    expect(await body.discard()).toBe(true);
  });

  test('one that breaks off is the client’s mistake', async () => {
    const body = new LargeBody(arriving(['a'], new Error('ECONNRESET')));
    await expect(body.whole()).rejects.toMatchObject({ status: 400, code: 'EDGE011' });
    const refused = new LargeBody(arriving(['a'], new ApiError(413, { code: 'EDGE005', message: '' })));
    await expect(refused.whole()).rejects.toMatchObject({ status: 413 });
    expect(await refused.discard()).toBe(true);
  });
});

describe('as a payload', () => {
  const post = (body: LargeBody, target = '/t', type = 'application/json', method = 'POST') =>
    Promise.resolve(parseRequest({ method, target, headers: [['content-type', type]], body }, settings));

  test('rows go on as they come, the first one’s keys decide', async () => {
    const { payload, columns } = await post(large(' [{"b":1,', '"a":2}', ',{"a":1,"b":', '4}]'));
    expect(columns).toEqual(['a', 'b']);
    expect(payload).toMatchObject({ kind: 'json', isObject: false, keys: ['a', 'b'] });
    expect(payload?.kind === 'json' && (await collected(payload.body))).toBe(' [{"b":1,"a":2},{"a":1,"b":4}]');
  });

  test.each([
    ['All object keys must match', ['[{"a":1}', ',{"b":1},{"a":1}]']],
    ['Empty or invalid json', ['[{"a":1}', ',{"b":1},']],
    ['Empty or invalid json', ['[{"a":1}', ',{"a":1}']],
    ['Empty or invalid json', ['[{"a":1}', ',{"a":1}] x']],
  ])('%s is told where the rest arrives', async (message, pieces) => {
    const { payload } = await post(large(...pieces));
    if (payload?.kind !== 'json') throw new Error('not JSON');
    await expect(collected(payload.body)).rejects.toMatchObject({ code: 'PGRST102', message });
  });

  test.each([
    ['All object keys must match', ['[1,', '{"a":1}]']],
    ['Empty or invalid json', ['[1,', '{"a":1}']],
    ['Empty or invalid json', ['{"a":', '']],
  ])('%s is told at once where there is no first row', async (message, pieces) => {
    await expect(post(large(...pieces))).rejects.toMatchObject({ code: 'PGRST102', message });
  });

  test('one object is known at its end', async () => {
    const { payload, columns } = await post(large('{"a":"', 'xxx', '","b":1', '} '));
    expect(columns).toEqual(['a', 'b']);
    expect(payload?.kind === 'json' && payload.isObject && (await collected(payload.body))).toBe('{"a":"xxx","b":1} ');
  });

  test('what is not looked into goes on as it is', async () => {
    const body = large('x', 'y');
    await body.next();
    expect((await post(body, '/t?columns=a')).payload).toMatchObject({ kind: 'raw-json', isObject: false });
    const raw = await post(large('{', '\u0000'), '/rpc/f', 'application/octet-stream');
    expect(raw.payload?.kind === 'raw' && (await collected(raw.payload.body))).toBe('{\u0000');
  });

  test('what has to be made into something else is read whole', async () => {
    const { payload } = await post(large('a,b\n1', ',2\n'), '/t', 'text/csv');
    expect(payload?.kind === 'json' && (await collected(payload.body))).toBe('[{"a":"1","b":"2"}]');
    expect((await post(large('a=1', '&b=2'), '/t', 'application/x-www-form-urlencoded')).columns).toEqual(['a', 'b']);
    await expect(post(large('x'), '/t', 'text/plain')).rejects.toMatchObject({ code: 'PGRST102' });
  });

  test('requests without a payload leave it where it is', async () => {
    const body = large('x');
    expect((await post(body, '/t', 'application/json', 'GET')).payload).toBeNull();
    expect(body.isTaken).toBe(false);
  });
});
