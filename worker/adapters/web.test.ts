/** Run in Node here and in workerd by web.workerd.test.ts: what both must do alike. */
import { describe, expect, test } from 'vitest';
import { ApiError } from '../error.ts';
import { LargeBody } from '../request/body.ts';
import type { RawRequest } from '../request/types.ts';
import type { RawResponse } from '../response/types.ts';
import { toRawRequest, toResponse } from './web.ts';

const utf8 = (text: string): string => String.fromCharCode(...new TextEncoder().encode(text));

const post = (body: BodyInit, headers: Record<string, string> = {}): Request =>
  new Request('http://localhost/item', { method: 'POST', body, headers });

/** A body whose length nobody knows. The word is Node's to insist on. */
function streamed(body: ReadableStream<Uint8Array>): Request {
  const init = { method: 'POST', body, duplex: 'half' } as const;
  return new Request('http://localhost/item', init);
}

async function bytesOf({ body }: RawRequest): Promise<Uint8Array> {
  return body instanceof LargeBody ? await body.whole() : body;
}

const answer = (more: Partial<RawResponse> = {}): RawResponse => ({
  status: 200,
  statusText: null,
  headers: [],
  body: null,
  ...more,
});

describe('a request', () => {
  test.each([
    ['http://localhost', '/'],
    ['http://localhost/', '/'],
    ['http://localhost:8787/item?id=eq.1&select=*', '/item?id=eq.1&select=*'],
    ['https://api.example.com/rest/v1/item', '/rest/v1/item'],
    ['http://localhost/a%2Fb/%C3%A9?x=%20+%2B', '/a%2Fb/%C3%A9?x=%20+%2B'],
    ['http://localhost//item/', '//item/'],
    ['http://localhost/item?a=b?c=d', '/item?a=b?c=d'],
    ['http://localhost/item?select="a"#fragment', '/item?select=%22a%22'],
  ])('%s asks for %s', async (url, target) => {
    const raw = await toRawRequest(new Request(url));
    expect(raw.target.replaceAll('"', '%22')).toBe(target);
  });

  test('has its method, its headers with names in lower case, and no body', async () => {
    const headers = { 'X-Test': 'Value', Prefer: 'count=exact' };
    const raw = await toRawRequest(new Request('http://localhost/item', { method: 'DELETE', headers }));
    expect(raw).toMatchObject({ method: 'DELETE', body: new Uint8Array(0) });
    expect(raw.headers).toContainEqual(['x-test', 'Value']);
    expect(raw.headers).toContainEqual(['prefer', 'count=exact']);
  });

  test('has its body byte for byte', async () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    expect(await bytesOf(await toRawRequest(post(bytes)))).toEqual(bytes);
    expect(await bytesOf(await toRawRequest(post('größe')))).toEqual(new TextEncoder().encode('größe'));
    expect(await bytesOf(await toRawRequest(post('')))).toEqual(new Uint8Array(0));
  });

  test('has a body that comes in pieces', async () => {
    const pieces = ['{"a":', '1', '}'].map((piece) => new TextEncoder().encode(piece));
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        const piece = pieces.shift();
        if (piece === undefined) controller.close();
        else controller.enqueue(piece);
      },
    });
    expect(new TextDecoder().decode(await bytesOf(await toRawRequest(streamed(body))))).toBe('{"a":1}');
  });

  test('with a large body is not read to its end', async () => {
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent++;
        controller.enqueue(new Uint8Array(100_000).fill(sent));
        if (sent === 100) controller.close();
      },
    });
    const raw = await toRawRequest(streamed(body));
    expect(sent).toBeLessThan(50);
    const bytes = await bytesOf(raw);
    expect([bytes.length, bytes.at(0), bytes.at(-1)]).toEqual([10_000_000, 1, 100]);
  });

  test('whose body breaks off is an error of ours, one whose body is gone is its caller’s', async () => {
    const broken = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new Uint8Array(10)),
      pull: (controller) => controller.error(new Error('gone')),
    });
    await expect(toRawRequest(streamed(broken))).rejects.toBeInstanceOf(ApiError);
    const read = post('{}');
    await read.text();
    await expect(toRawRequest(read)).rejects.toBeInstanceOf(TypeError);
  });
});

describe('a response', () => {
  test('has the status, the headers in their number, and the bytes', async () => {
    const body = Uint8Array.from([0, 255, 10, 13]);
    const headers = [
      ['Content-Type', 'application/octet-stream'],
      ['Set-Cookie', 'a=1'],
      ['Set-Cookie', 'b=2'],
    ] as const;
    const response = toResponse(answer({ status: 201, headers, body }));
    expect(response.status).toBe(201);
    expect(response.headers.get('content-type')).toBe('application/octet-stream');
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(body);
  });

  test('has a stream handed on as it is', async () => {
    const body = new Response('streamed').body;
    expect(toResponse(answer({ body })).body).toBe(body);
  });

  test('of a part of some memory has that part alone', async () => {
    const memory = new TextEncoder().encode('before[]after');
    expect(await toResponse(answer({ body: memory.subarray(6, 8) })).text()).toBe('[]');
  });

  test.each([204, 205, 304])('with the status %i has neither body nor length', async (status) => {
    const headers = [['Content-Length', '1']] as const;
    const response = toResponse(answer({ status, headers, body: new Uint8Array(1) }));
    expect([response.status, response.body, response.headers.get('content-length')]).toEqual([status, null, null]);
  });

  test('to HEAD has the headers of the body that it has not', () => {
    const headers = [['Content-Length', '2']] as const;
    const response = toResponse(answer({ headers, body: new Uint8Array(2) }), 'HEAD');
    expect([response.body, response.headers.get('content-length')]).toEqual([null, '2']);
  });

  test.each(['GET', 'HEAD'])('to %s without a body and a length is an empty stream', async (method) => {
    const response = toResponse(answer(), method);
    expect(response.body).not.toBeNull();
    expect(await response.text()).toBe('');
    expect(toResponse(answer({ headers: [['Content-Length', '0']] })).body).toBeNull();
  });

  test.each([100, 101, 199, 600, 999])('with the status %i, which no Response has, is a 500', (status) => {
    expect(toResponse(answer({ status, body: new Uint8Array(1) })).status).toBe(500);
  });

  test('has a reason phrase', () => {
    expect(toResponse(answer({ status: 402, statusText: 'Pay first' })).statusText).toBe('Pay first');
  });
});

test.each(['plain', utf8('größe'), utf8('東京 🚀'), utf8('é')])(
  'the header value %j comes as it goes',
  async (value) => {
    const response = toResponse(answer({ status: 402, statusText: value, headers: [['X-Test', value]] }));
    const raw = await toRawRequest(new Request('http://localhost/', { headers: response.headers }));
    expect(raw.headers).toContainEqual(['x-test', value]);
  },
);
