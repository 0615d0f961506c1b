import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { listening } from '../../test/listening.ts';
import { LargeBody } from '../request/body.ts';
import type { RawRequest } from '../request/types.ts';
import type { RawResponse } from '../response/types.ts';
import { type Handler, nodeListener } from './node.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** The port of a server that answers so. Bodies of up to 4 MB are taken. */
async function serve(handle: Handler, behindProxy = false): Promise<number> {
  const server = createServer(nodeListener(handle, { bodyLimit: 4_000_000, server: 'test', behindProxy }));
  servers.push(server);
  return await listening(server);
}

async function send(port: number, text: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.write(text, 'latin1');
  return socket;
}

/** Everything that comes until the connection ends, as a byte string. */
async function received(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('latin1');
}

const head = (line: string, ...headers: readonly string[]): string =>
  `${[`${line} HTTP/1.1`, 'Host: x', 'Connection: close', ...headers].join('\r\n')}\r\n\r\n`;

const answer = (more: Partial<RawResponse> = {}): RawResponse => ({
  status: 200,
  statusText: null,
  headers: [['Content-Length', '0']],
  body: null,
  ...more,
});

async function bytesOf({ body }: RawRequest): Promise<Uint8Array> {
  return body instanceof LargeBody ? await body.whole() : body;
}

describe('a request', () => {
  test('comes as it was sent: target, method, header bytes', async () => {
    const seen: RawRequest[] = [];
    const port = await serve(async (raw) => {
      seen.push(raw);
      return answer();
    });
    const asked = head('PROPFIND /%2e%2e//a?x=%20#y', 'X-Bytes: caf\xe9 \xc3\xa9', 'X-Twice: 1', 'X-Twice: 2');
    await received(await send(port, asked));
    expect(seen).toMatchObject([{ method: 'PROPFIND', target: '/%2e%2e//a?x=%20#y', body: new Uint8Array(0) }]);
    expect(seen[0]?.headers).toEqual([
      ['host', 'x'],
      ['connection', 'close'],
      ['x-bytes', 'caf\xe9 \xc3\xa9'],
      ['x-twice', '1'],
      ['x-twice', '2'],
    ]);
  });

  test.each([
    ['with a length', head('POST /', 'Content-Length: 4'), '\x00\xff\r\n'],
    ['in chunks', head('POST /', 'Transfer-Encoding: chunked'), '1\r\n\x00\r\n3\r\n\xff\r\n\r\n0\r\n\r\n'],
  ])('has its body, sent %s', async (_how, start, body) => {
    const bodies: number[][] = [];
    const port = await serve(async (raw) => {
      bodies.push([...(await bytesOf(raw))]);
      return answer();
    });
    expect(await received(await send(port, start + body))).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(bodies).toEqual([[0, 255, 13, 10]]);
  });

  test.each([
    ['says so', head('POST /', 'Content-Length: 5000000')],
    ['does not say so', `${head('POST /', 'Transfer-Encoding: chunked')}4c4b40\r\n`],
  ])('that is too large and %s is answered 413', async (_how, start) => {
    const port = await serve(async (raw) => {
      await bytesOf(raw);
      return answer();
    });
    const socket = await send(port, start);
    socket.write(Buffer.alloc(5_000_000));
    socket.write(start.includes('chunked') ? '\r\n0\r\n\r\n' : '');
    const text = await received(socket);
    expect(text).toMatch(/^HTTP\/1\.1 413 /);
    expect(text).toContain('"code":"EDGE005"');
  });

  test('has the address of its connection, or the one that the proxy in front noted', async () => {
    const seen: (string | null | undefined)[] = [];
    const note: Handler = async ({ address }) => {
      seen.push(address);
      return answer();
    };
    const forged = head('GET /', 'X-Forwarded-For: 203.0.113.9', 'X-Forwarded-For: 198.51.100.1, 192.0.2.7');
    const direct = await serve(note);
    await received(await send(direct, forged));
    const behind = await serve(note, true);
    await received(await send(behind, forged));
    await received(await send(behind, head('GET /')));
    await received(await send(behind, head('GET /', 'X-Forwarded-For: 203.0.113.9,')));
    expect(seen).toEqual(['127.0.0.1', '192.0.2.7', '127.0.0.1', '127.0.0.1']);
  });

  test('that breaks off reaches nobody', async () => {
    const asked: string[] = [];
    const port = await serve(async (raw) => {
      asked.push(raw.target);
      return answer();
    });
    const broken = await send(port, `${head('POST /broken', 'Content-Length: 10')}half`);
    broken.destroy();
    await received(await send(port, head('GET /whole')));
    expect(asked).toEqual(['/whole']);
  });
});

describe('an answer', () => {
  test('goes as it is: status, reason phrase, headers in their number, bytes', async () => {
    const body = Uint8Array.from([0, 255, 10]);
    const headers = [
      ['Content-Length', '3'],
      ['Set-Cookie', 'a=1'],
      ['Set-Cookie', 'b=2'],
      ['X-Bytes', '\xc3\xa9'],
    ] as const;
    const port = await serve(async () => answer({ status: 799, statusText: 'Caf\xc3\xa9', headers, body }));
    const text = await received(await send(port, head('GET /')));
    expect(text).toMatch(/^HTTP\/1\.1 799 Caf\xc3\xa9\r\nServer: test\r\n/);
    expect(text).toContain('\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Bytes: \xc3\xa9\r\n');
    expect(text.endsWith('\r\n\r\n\x00\xff\n')).toBe(true);
  });

  test('of a large body, and of a stream', async () => {
    const bytes = new Uint8Array(1_000_000).map((_, n) => n % 251);
    const stream = (): ReadableStream<Uint8Array> => new Blob([bytes]).stream();
    const headers = [['Content-Length', '1000000']] as const;
    const port = await serve(async ({ target }) => answer({ headers, body: target === '/s' ? stream() : bytes }));
    for (const target of ['/', '/s']) {
      const text = await received(await send(port, head(`GET ${target}`)));
      expect(Buffer.from(text.slice(text.indexOf('\r\n\r\n') + 4), 'latin1').equals(bytes)).toBe(true);
    }
  });

  test('to HEAD has no body', async () => {
    const headers = [['Content-Length', '3']] as const;
    const port = await serve(async () => answer({ headers, body: new Uint8Array(3) }));
    expect(await received(await send(port, head('HEAD /')))).toMatch(/Content-Length: 3\r\n[\s\S]*\r\n\r\n$/);
  });

  test('whose stream breaks is broken off', async () => {
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new Uint8Array(10)),
      pull: (controller) => controller.error(new Error('lost')),
    });
    const port = await serve(async () => answer({ headers: [['Content-Length', '100']], body }));
    const text = await received(await send(port, head('GET /'))).catch(() => 'reset');
    expect(text.length).toBeLessThan(200);
    expect(text).not.toContain('lost');
  });
});

describe('a client that goes away', () => {
  test('is told of by the signal', async () => {
    const came = Promise.withResolvers<void>();
    const left = Promise.withResolvers<void>();
    const port = await serve(async (_raw, signal) => {
      signal.addEventListener('abort', () => left.resolve());
      came.resolve();
      await left.promise;
      return answer();
    });
    const socket = await send(port, head('GET /'));
    await came.promise;
    socket.destroy();
    await left.promise;
  });

  test('while a stream comes ends the stream', async () => {
    const ended = Promise.withResolvers<void>();
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array(100_000)),
      cancel: () => ended.resolve(),
    });
    const port = await serve(async () => answer({ headers: [['Content-Length', '1000000000']], body }));
    const socket = await send(port, head('GET /'));
    await once(socket, 'data');
    socket.destroy();
    await ended.promise;
  });
});
