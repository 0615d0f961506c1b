import { once } from 'node:events';
import { connect } from 'node:net';
import fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { encodeRequest } from '../../shared/hop/codec.ts';
import {
  CLOSE,
  decodeFrame,
  encodeCredit,
  encodeFrame,
  encodeHello,
  FRAME_SIZE,
  type Frame,
  SOCKET_PROTOCOL,
  WINDOW,
} from '../../shared/hop/frames.ts';
import { transactionRequest } from '../../shared/hop/request.fixture.ts';
import type {
  Hop,
  TransactionOutcome,
  TransactionPayload,
  TransactionRequest,
  TransactionResult,
} from '../../shared/hop/types.ts';
import { emptySnapshot } from '../../shared/snapshot/snapshot.fixture.ts';
import { selfSigned } from '../../test/certificate.ts';
import { FaultProxy } from '../../test/faults/proxy.ts';
import { Random } from '../../test/faults/random.ts';
import { listening } from '../../test/listening.ts';
import { SocketHop, type SocketHopOptions } from '../../worker/hop/socket.ts';
import { SOCKET_TIMES } from '../../worker/hop/socket-connection.ts';
import { Memory } from '../memory.ts';
import { HopServer, type HopServerOptions } from './server.ts';

const secret = 's'.repeat(32);
const write = transactionRequest({ access: 'read write' });
const read = transactionRequest();

const result = (body: TransactionResult['body'], length: number): TransactionOutcome => ({
  ok: true,
  snapshot: '1-v',
  statements: [{ rows: 1, columns: ['ü', null] }],
  body,
  length,
});
const done = result(null, 0);

interface Running {
  readonly server: HopServer;
  readonly port: number;
  readonly seen: readonly TransactionRequest[];
  readonly refused: readonly string[];
  hop(options?: Partial<SocketHopOptions>): SocketHop;
}

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A server whose transactions are answered by `answer`. */
async function start(
  answer: Hop['transaction'] = async () => done,
  options: Partial<HopServerOptions> = {},
): Promise<Running> {
  const seen: TransactionRequest[] = [];
  const refused: string[] = [];
  const loaded = { snapshot: emptySnapshot(), keys: null };
  const server = new HopServer({
    hop: {
      transaction: (request, payload, signal) => {
        seen.push(request);
        return answer(request, payload, signal);
      },
    },
    secrets: [secret],
    limits: { head: 100_000, payload: 10_000_000 },
    memory: new Memory(1024 ** 3),
    judge: async () => null,
    source: { current: () => loaded, fresh: async () => loaded, withKey: async () => loaded },
    tls: null,
    onError: () => undefined,
    onRefused: ({ reason }) => refused.push(reason),
    ...options,
  });
  const port = await listening(server.server);
  cleanups.push(() => server.close(500));
  return {
    server,
    port,
    seen,
    refused,
    hop: (more) => new SocketHop({ url: `ws://127.0.0.1:${port}`, secret, ...more }),
  };
}

const bytesOf = async (body: TransactionResult['body']): Promise<Buffer> => {
  if (body === null || body instanceof Uint8Array) return Buffer.from(body ?? []);
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
};

async function bodyOf(outcome: TransactionOutcome | Promise<TransactionOutcome>): Promise<Buffer> {
  const known = await outcome;
  if (!known.ok) throw new Error(known.failure.kind);
  return await bytesOf(known.body);
}

const payloadOf = async (payload: TransactionPayload | null): Promise<Buffer<ArrayBuffer>> => {
  if (!Array.isArray(payload)) throw new Error('no pieces');
  return Buffer.concat(payload);
};

/** Text that differs everywhere. */
const longText = (length: number): Buffer<ArrayBuffer> => {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at + 4 <= length; at += 4) bytes.writeUInt32BE(at * 2654435761 > 0 ? (at * 40503) >>> 0 : 0, at);
  return bytes;
};

/** A body that comes when it is asked for, and how much of it was. */
function slowBody(bytes: Buffer, chunk = 40_000) {
  const state = { taken: 0, cancelled: false };
  const body = new ReadableStream<Uint8Array>(
    {
      pull: (controller) => {
        if (state.taken >= bytes.length) controller.close();
        else controller.enqueue(bytes.subarray(state.taken, state.taken + chunk));
        state.taken += chunk;
      },
      cancel: () => {
        state.cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  return { state, body };
}

async function* arriving(...pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array, void, undefined> {
  for (const piece of pieces) {
    await new Promise((resolve) => setImmediate(resolve));
    yield piece;
  }
}

const kindOf = async (outcome: Promise<TransactionOutcome>): Promise<string> => {
  const known = await outcome;
  if (known.ok) return 'ok';
  const { failure } = known;
  return 'reason' in failure ? `${failure.kind} ${failure.reason}` : failure.kind;
};

/** A socket without manners. */
async function raw(port: number, ...frames: readonly Uint8Array[]): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/socket`, SOCKET_PROTOCOL);
  cleanups.push(async () => socket.terminate());
  await once(socket, 'open');
  for (const frame of frames) socket.send(frame);
  return socket;
}

/** The frames that come until one of a kind does. */
function framesUntil(socket: WebSocket, kind: Frame['kind']): Promise<readonly Frame[]> {
  const frames: Frame[] = [];
  return new Promise((resolve) => {
    socket.on('message', (data) => {
      const frame = data instanceof Uint8Array ? decodeFrame(data) : null;
      if (frame === null) return;
      frames.push(frame);
      if (frame.kind === kind) resolve(frames);
    });
  });
}

describe('a transaction', () => {
  test('goes through with its payload, and the answer comes back', async () => {
    const body = Buffer.from('[{"ü":1}]');
    let got = Buffer.alloc(0);
    const { hop, seen } = await start(async (_request, payload) => {
      got = await payloadOf(payload);
      return result(body, body.length);
    });
    const payload = new Uint8Array([0, 1, 2, 255]);
    const outcome = await hop().transaction(write, payload, null);
    expect(outcome).toEqual(result(new Uint8Array(body), body.length));
    expect([...got]).toEqual([...payload]);
    expect(seen).toEqual([write]);
  });

  test.each([
    ['nothing', null, 0],
    ['an empty body', new Uint8Array(0), 0],
  ])('may give %s', async (_what, body, length) => {
    const { hop } = await start(async () => result(body, length));
    expect(await hop().transaction(read, null, null)).toEqual(result(body, length));
  });

  test('may be large in both directions, whole or as it comes', async () => {
    const large = longText(3_000_001);
    const { hop } = await start(async (request, payload) => {
      const got = await payloadOf(payload);
      return request.path === '/whole' ? result(got, got.length) : result(slowBody(got).body, got.length);
    });
    const one = hop();
    for (const path of ['/whole', '/streamed']) {
      for (const payload of [
        large,
        [large.subarray(0, 100), large.subarray(100)],
        arriving(large.subarray(0, 70_000), large.subarray(70_000)),
      ]) {
        const outcome = await one.transaction({ ...write, path }, payload, null);
        expect((await bodyOf(outcome)).equals(large)).toBe(true);
      }
    }
  });

  test('has its answer when all bytes of it are there, though the last frame never comes', async () => {
    const bytes = longText(100_000);
    const body = new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(bytes) });
    const { hop } = await start(async () => result(body, bytes.length));
    expect((await bodyOf(hop().transaction(read, null, null))).equals(bytes)).toBe(true);
  });

  test('that fails is told as it is', async () => {
    const failure = {
      kind: 'database',
      code: '23505',
      message: 'ü'.repeat(10_000),
      detail: null,
      hint: null,
      statement: 0,
    } as const;
    const { hop } = await start(async () => ({ ok: false, snapshot: '1-v', failure }));
    expect(await hop().transaction(write, null, null)).toEqual({ ok: false, snapshot: '1-v', failure });
  });

  test('that is refused before its end has come is not sent to its end', async () => {
    const { hop, seen, refused } = await start(undefined, { limits: { head: 100_000, payload: 100_000 } });
    let taken = 0;
    const endless = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
      for (; taken < 10_000; taken++) yield new Uint8Array(50_000);
    };
    expect(await kindOf(hop().transaction(write, endless(), null))).toBe('refused size');
    expect(taken).toBeLessThan(100);
    expect([seen.length, refused]).toEqual([0, ['size']]);
  });

  test('whose payload cannot be read has not run, and says why', async () => {
    const { hop, seen } = await start();
    const broken = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
      yield new Uint8Array(200_000);
      throw new Error('no JSON');
    };
    const one = hop();
    await expect(one.transaction(write, broken(), null)).rejects.toThrow('no JSON');
    expect(await one.transaction(read, null, null)).toEqual(done);
    expect(seen).toEqual([read]);
  });
});

test('a thousand at a time share one socket, each with its own answer, in whatever order they are done', async () => {
  const random = new Random(1);
  const { hop, server } = await start(async (request, payload) => {
    const got = payload === null ? Buffer.alloc(0) : await payloadOf(payload);
    await new Promise((resolve) => setTimeout(resolve, random.below(50)));
    const body = Buffer.concat([Buffer.from(request.path), got]);
    return random.chance(0.5)
      ? result(body, body.length)
      : result(slowBody(body, 5000 + random.below(50_000)).body, body.length);
  });
  let sockets = 0;
  server.server.on('connection', () => sockets++);
  const one = hop();
  const order: number[] = [];
  const answers = Array.from({ length: 1000 }, async (_, n) => {
    const payload = n % 3 === 0 ? longText(random.below(n % 30 === 0 ? 400_000 : 2000)) : null;
    const body = await bodyOf(one.transaction({ ...write, path: `/${n}/` }, payload, null));
    order.push(n);
    expect(body.equals(Buffer.concat([Buffer.from(`/${n}/`), payload ?? Buffer.alloc(0)]))).toBe(true);
  });
  await Promise.all(answers);
  expect(sockets).toBe(1);
  expect(order).not.toEqual([...order].sort((a, b) => a - b));
});

describe('a reader that is slow', () => {
  const large = longText(50_000_000);

  test('holds what it is owed, a window of it, and nobody else', async () => {
    const slow = slowBody(large);
    const { hop } = await start(async ({ path }) =>
      path === '/slow' ? result(slow.body, large.length) : result(large.subarray(0, 1_000_000), 1_000_000),
    );
    const one = hop();
    const outcome = await one.transaction({ ...read, path: '/slow' }, null, null);
    // Others go on, with large bodies of their own.
    for (let n = 0; n < 5; n++) expect((await bodyOf(one.transaction(read, null, null))).length).toBe(1_000_000);
    expect(slow.state.taken).toBeLessThan(WINDOW + 100_000);
    const before = slow.state.taken;
    expect((await bodyOf(outcome)).equals(large)).toBe(true);
    expect(slow.state.taken).toBeGreaterThan(before);
  });

  test('on a socket that nobody reads holds little of each of its streams', async () => {
    const bodies: ReturnType<typeof slowBody>[] = [];
    const { port } = await start(async () => {
      const body = slowBody(large);
      bodies.push(body);
      return result(body.body, large.length);
    });
    const socket = await raw(port, encodeHello(secret));
    await framesUntil(socket, 'welcome');
    socket.pause();
    for (let id = 1; id <= 200; id++) socket.send(encodeFrame('message', id, encodeRequest(read, null), true));
    const taken = (): number => bodies.reduce((sum, { state }) => sum + state.taken, 0);
    // Until nothing more is taken.
    for (let before = -1; bodies.length < 200 || taken() !== before; ) {
      before = taken();
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    // Their windows together are twice as much and more.
    expect(taken()).toBeLessThan(25_000_000);
    expect(200 * WINDOW).toBeGreaterThan(50_000_000);
  });

  test('that goes away ends the statement', async () => {
    const slow = slowBody(large);
    const { hop } = await start(async () => result(slow.body, large.length));
    const outcome = await hop().transaction(read, null, null);
    if (!outcome.ok || !(outcome.body instanceof ReadableStream)) throw new Error('no stream');
    await outcome.body.cancel();
    await vi.waitFor(() => expect(slow.state.cancelled).toBe(true));
  });
});

describe('a body that breaks off', () => {
  test('is an error for who reads it, and no other stream’s', async () => {
    const { hop } = await start(async ({ path }) => {
      if (path === '/') return done;
      let n = 0;
      const body = new ReadableStream<Uint8Array>({
        pull: (controller) => {
          if (n++ < 3) controller.enqueue(new Uint8Array(10_000));
          else controller.error(new Error('of our own'));
        },
      });
      return result(body, 100_000);
    });
    const one = hop();
    await expect(bodyOf(one.transaction({ ...read, path: '/broken' }, null, null))).rejects.toThrow(/broke off/);
    expect(await one.transaction(read, null, null)).toEqual(done);
  });
});

describe('a caller that goes away', () => {
  test.each([
    ['while its message is sent', true],
    ['while it waits', false],
  ])('%s cancels', async (_what, sending) => {
    const came = Promise.withResolvers<void>();
    const heard = Promise.withResolvers<void>();
    const { hop, seen } = await start((request, _payload, signal) => {
      if (request.path === '/') return Promise.resolve(done);
      came.resolve();
      signal?.addEventListener('abort', () => heard.resolve());
      return new Promise(() => undefined);
    });
    const gone = new AbortController();
    const stuck = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
      yield new Uint8Array(200_000);
      came.resolve();
      await new Promise(() => undefined);
    };
    const one = hop();
    const outcome = one.transaction({ ...write, path: '/long' }, sending ? stuck() : null, gone.signal);
    await came.promise;
    gone.abort();
    expect(await kindOf(outcome)).toBe('cancelled');
    if (!sending) await heard.promise;
    expect(await one.transaction(read, null, null)).toEqual(done);
    expect(seen.map(({ path }) => path)).toEqual(sending ? ['/'] : ['/long', '/']);
  });

  test('before it has begun sends nothing', async () => {
    const { hop, seen } = await start();
    expect(await kindOf(hop().transaction(write, null, AbortSignal.abort()))).toBe('cancelled');
    expect(seen).toEqual([]);
  });
});

test('what has no answer a second after its deadline is given up, and cancelled', async () => {
  const heard = Promise.withResolvers<void>();
  const { hop } = await start((_request, _payload, signal) => {
    signal?.addEventListener('abort', () => heard.resolve());
    return new Promise(() => undefined);
  });
  const one = hop();
  const outcomes = [write, read].map((request) => kindOf(one.transaction({ ...request, deadline: 50 }, null, null)));
  expect(await Promise.all(outcomes)).toEqual(['unknown outcome', 'unavailable lost']);
  await heard.promise;
});

describe('a socket that is lost', () => {
  test('leaves writes that were sent unknown, and nothing else', async () => {
    const came = Promise.withResolvers<void>();
    const { hop, port } = await start(() => {
      came.resolve();
      return new Promise(() => undefined);
    });
    const proxy = new FaultProxy(port);
    const one = hop({ url: `ws://127.0.0.1:${await proxy.listen()}` });
    const stuck = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
      yield new Uint8Array(100_000);
      await new Promise(() => undefined);
    };
    const outcomes = [
      one.transaction(write, stuck(), null),
      one.transaction(write, null, null),
      one.transaction(read, null, null),
    ].map(kindOf);
    await came.promise;
    await proxy.close();
    expect(await Promise.all(outcomes)).toEqual(['unavailable connect', 'unknown outcome', 'unavailable lost']);
  });

  test('is opened again by the next request; while there is no pooler, requests fail at once', async () => {
    const first = await start();
    const one = first.hop();
    expect(await one.transaction(write, null, null)).toEqual(done);
    await first.server.close(100);
    for (let n = 0; n < 20; n++) expect(await kindOf(one.transaction(write, null, null))).toBe('unavailable connect');
    const again = new HopServer({
      hop: { transaction: async () => done },
      secrets: [secret],
      limits: { head: 1000, payload: 1000 },
      memory: new Memory(1024 ** 3),
      judge: async () => null,
      source: { current: () => null, fresh: async () => null, withKey: async () => null },
      tls: null,
      onError: () => undefined,
    });
    again.server.listen(first.port, '127.0.0.1');
    cleanups.push(() => again.close(100));
    await vi.waitFor(async () => expect(await one.transaction(write, null, null)).toEqual(done), 5000);
  });

  test('without a word is found out: by those who wait, and before anything is sent', async () => {
    const came = Promise.withResolvers<void>();
    const { hop, port, seen } = await start(({ path }) => {
      if (path === '/') return Promise.resolve(done);
      came.resolve();
      return new Promise(() => undefined);
    });
    const proxy = new FaultProxy(port);
    cleanups.push(() => proxy.close());
    const times = { ...SOCKET_TIMES, silence: 200, pong: 200 };
    const one = hop({ url: `ws://127.0.0.1:${await proxy.listen()}`, times });
    expect(await one.transaction(read, null, null)).toEqual(done);
    const freeze = (): void => {
      for (const link of proxy.links) link.frozen = true;
    };

    const waiting = kindOf(one.transaction({ ...write, path: '/long' }, null, null));
    await came.promise;
    freeze();
    expect(await waiting).toBe('unknown outcome');

    expect(await one.transaction(read, null, null)).toEqual(done);
    freeze();
    await new Promise((resolve) => setTimeout(resolve, 250));
    // It takes another socket, of which there is an answer.
    expect(await one.transaction(write, null, null)).toEqual(done);
    expect(seen.map(({ path }) => path)).toEqual(['/', '/long', '/', '/']);
  });

  test('is closed when it is not used', async () => {
    const { hop, server } = await start();
    const closed = new Promise((resolve) => {
      server.server.once('connection', (socket) => socket.once('close', resolve));
    });
    const one = hop({ times: { ...SOCKET_TIMES, silence: 20, idle: 50 } });
    expect(await one.transaction(read, null, null)).toEqual(done);
    await closed;
    expect(await one.transaction(read, null, null)).toEqual(done);
  });
});

test('a payload for which there is no room beside the others is refused, until there is', async () => {
  const go = Promise.withResolvers<void>();
  const { hop, seen } = await start(() => go.promise.then(() => done), { memory: new Memory(1_000_000) });
  const worker = hop();
  const payload = new Uint8Array(600_000);
  const first = worker.transaction(write, payload, null);
  await vi.waitFor(() => expect(seen).toHaveLength(1));
  expect(await worker.transaction(write, payload, null)).toMatchObject({ failure: { reason: 'memory' } });
  go.resolve();
  expect(await first).toEqual(done);
  expect(await worker.transaction(write, payload, null)).toEqual(done);
});

describe('a server that stops', () => {
  test('says so, serves who knows no other until nothing comes, and answers what it has accepted', async () => {
    const came = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    const large = longText(1_000_000);
    const { hop, port, server, seen } = await start(async ({ path }) => {
      if (path === '/') return done;
      came.resolve();
      await go.promise;
      return result(slowBody(large).body, large.length);
    });
    const loyal = hop();
    const other = hop({ alternatives: true });
    const stubborn = await raw(port, encodeHello(secret));
    const frames = framesUntil(stubborn, 'going away');
    const code = once(stubborn, 'close');
    expect(await other.transaction(write, null, null)).toEqual(done);
    const outcome = other.transaction({ ...write, path: '/long' }, null, null);
    await came.promise;
    const closed = server.close(10_000);
    await frames;
    expect(await loyal.transaction(write, null, null)).toEqual(done);
    // One that knows another does not come again: its first socket is left, and a second one is told at once.
    expect(await kindOf(other.transaction(write, null, null))).toBe('unavailable connect');

    // Nothing has come for a while. What comes now has not run.
    await vi.waitFor(() => expect(server.server.listening).toBe(false), 5000);
    for (let n = 0; n < 3; n++) {
      expect(await kindOf(loyal.transaction(write, null, null))).toMatch(/^(unavailable connect|refused stopping)$/);
    }
    expect((await code)[0]).toBe(CLOSE.ended);
    expect(seen).toHaveLength(3);
    go.resolve();
    expect((await bodyOf(outcome)).equals(large)).toBe(true);
    await closed;
  });

  test('ends at once what is opened when it has closed already', async () => {
    const { port, server } = await start();
    const connection = connect(port, '127.0.0.1');
    await once(connection, 'connect');
    const closed = server.close(10_000);
    await vi.waitFor(() => expect(server.server.listening).toBe(false), 5000);
    const late = new WebSocket(`ws://127.0.0.1:${port}/v1/socket`, SOCKET_PROTOCOL, {
      createConnection: () => connection,
    });
    late.on('open', () => late.send(encodeHello(secret)));
    expect((await once(late, 'close'))[0]).toBe(CLOSE.ended);
    await closed;
  });

  test('cuts what does not end in time', async () => {
    const came = Promise.withResolvers<void>();
    const { hop, server } = await start(() => {
      came.resolve();
      return new Promise(() => undefined);
    });
    const outcome = kindOf(hop().transaction(write, null, null));
    await came.promise;
    await server.close(700);
    expect(await outcome).toBe('unknown outcome');
  });
});

describe('is refused:', () => {
  test('a secret that is wrong, which is told to every request and tried at most once in a while', async () => {
    const { hop, refused, seen } = await start();
    const one = hop({ secret: 'w'.repeat(32) });
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => kindOf(one.transaction(write, null, null))));
    expect(new Set(outcomes)).toEqual(new Set(['refused secret']));
    expect([refused, seen]).toEqual([['secret'], []]);
  });

  const message = (...bytes: readonly number[]): Uint8Array => Uint8Array.from(bytes);
  const hello = encodeHello(secret);
  const whole = encodeRequest(write, null);
  test.each([
    ['a message before the secret', [encodeFrame('message', 1, whole, true), hello], CLOSE.secret],
    ['no secret', [encodeHello('')], CLOSE.secret],
    ['another version', [encodeFrame('hello', 0, message(9, 1, 2))], CLOSE.version],
    ['no frame', [hello, message(1, 2, 3)], CLOSE.malformed],
    ['an unknown kind', [hello, message(77, 0, 0, 0, 1)], CLOSE.malformed],
    ['a second hello', [hello, hello], CLOSE.malformed],
    ['a frame of the pooler’s', [hello, encodeFrame('body', 1)], CLOSE.malformed],
    ['credit that is no number', [hello, encodeFrame('credit', 1, message(1))], CLOSE.malformed],
    ['more than a frame', [hello, new Uint8Array(FRAME_SIZE + 6)], 1009],
  ])('%s', async (_what, frames, code) => {
    const { port, seen, hop } = await start();
    const socket = await raw(port, ...frames);
    const [closed] = await once(socket, 'close');
    expect(closed).toBe(code);
    expect(seen).toEqual([]);
    expect(await hop().transaction(read, null, null)).toEqual(done);
  });

  test('text, another endpoint, and going on after the end', async () => {
    const go = Promise.withResolvers<TransactionOutcome>();
    const { port } = await start(() => go.promise);
    const text = await raw(port, hello);
    text.send('hello');
    expect((await once(text, 'close'))[0]).toBe(CLOSE.malformed);
    const over = await raw(port, hello, encodeFrame('message', 1, whole, true), encodeFrame('message', 1, whole, true));
    expect((await once(over, 'close'))[0]).toBe(CLOSE.malformed);
    const elsewhere = new WebSocket(`ws://127.0.0.1:${port}/v1/transaction`);
    const [error] = await once(elsewhere, 'error');
    expect(String(error)).toContain('404');
    go.resolve(done);
  });

  test('credit beyond the window', async () => {
    const { port } = await start(() => new Promise(() => undefined));
    const socket = await raw(port, hello, encodeFrame('message', 1, whole, true), encodeCredit(1, 1));
    expect((await once(socket, 'close'))[0]).toBe(CLOSE.malformed);
  });
});

test('frames for streams that are over, or never were, are ignored', async () => {
  const { port, seen } = await start();
  const whole = encodeRequest(write, null);
  const socket = await raw(port, encodeHello(secret), encodeFrame('message', 5, whole, true));
  await framesUntil(socket, 'answer');
  for (const stream of [5, 3, 9]) {
    socket.send(encodeFrame('cancel', stream));
    socket.send(encodeCredit(stream, 100_000));
  }
  socket.send(encodeFrame('message', 5, whole, true));
  socket.send(encodeFrame('message', 4, whole, true));
  socket.send(encodeFrame('message', 6, whole, true));
  const frames = await framesUntil(socket, 'answer');
  expect(frames.map(({ kind, stream }) => [kind, stream])).toEqual([['answer', 6]]);
  expect(seen).toHaveLength(2);
});

test('whatever a socket sends, only whole messages run, and others are served', async () => {
  const { port, hop, seen } = await start();
  const one = hop();
  const good = encodeRequest({ ...write, path: '/good' }, new Uint8Array([1, 2, 3]));
  const frame = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    // A message with something wrong at one place, in one frame.
    fc
      .tuple(fc.nat({ max: good.length - 1 }), fc.integer({ min: 1, max: 255 }), fc.nat({ max: 3 }))
      .map(([at, flip, id]) => {
        const bytes = Uint8Array.from(good);
        bytes[at] = (bytes[at] ?? 0) ^ flip;
        return encodeFrame('message', id, bytes, true);
      }),
    fc
      .tuple(fc.nat({ max: 9 }), fc.nat({ max: good.length }))
      .map(([id, end]) => encodeFrame('message', id, good.subarray(0, end))),
    fc
      .tuple(fc.constantFrom<Frame['kind']>('cancel', 'credit', 'ping', 'pong', 'answer'), fc.nat({ max: 9 }))
      .map(([kind, id]) => encodeFrame(kind, id)),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(frame, { maxLength: 8 }), async (frames) => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/socket`, SOCKET_PROTOCOL).on('error', () => undefined);
      await once(socket, 'open');
      for (const each of [encodeHello(secret), ...frames]) if (socket.readyState === WebSocket.OPEN) socket.send(each);
      expect(await one.transaction(read, null, null)).toEqual(done);
      socket.terminate();
    }),
    { numRuns: Number(process.env.EDGEREST_SOCKET_RUNS ?? 100) },
  );
  // A byte that was flipped within a text leaves a message whole.
  for (const request of seen) expect(Object.keys(request)).toEqual(Object.keys(write));
});

test('with a certificate it is wss, on the same port', async () => {
  const { certificate, key } = selfSigned('localhost');
  const { port } = await start(undefined, { tls: { cert: certificate, key } });
  const socket = new WebSocket(`wss://localhost:${port}/v1/socket`, SOCKET_PROTOCOL, { ca: certificate });
  cleanups.push(async () => socket.terminate());
  await once(socket, 'open');
  const frames = framesUntil(socket, 'welcome');
  socket.send(encodeHello(secret));
  expect((await frames).map(({ kind }) => kind)).toEqual(['welcome']);
});
