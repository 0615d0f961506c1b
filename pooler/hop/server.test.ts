import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { VerificationKey } from '../../shared/config/keys.ts';
import type { CancelSignal } from '../../shared/hop/cancellation.ts';
import { encodeRequest, REQUEST_TYPE, refuse } from '../../shared/hop/codec.ts';
import { transactionRequest } from '../../shared/hop/request.fixture.ts';
import type {
  Hop,
  TransactionFailure,
  TransactionOutcome,
  TransactionPayload,
  TransactionRequest,
} from '../../shared/hop/types.ts';
import { plainSettings } from '../../shared/snapshot/settings.fixture.ts';
import { emptySnapshot } from '../../shared/snapshot/snapshot.fixture.ts';
import { listening } from '../../test/listening.ts';
import { ApiError } from '../../worker/error.ts';
import { HttpHop } from '../../worker/hop/http.ts';
import { writeRefusal } from '../../worker/hop/judgement.ts';
import { Memory } from '../memory.ts';
import { HopServer, type HopServerOptions, type SnapshotAnswers } from './server.ts';

const secret = 's'.repeat(32);
const previous = 'p'.repeat(32);

const request = transactionRequest({
  method: 'POST',
  access: 'read write',
  statements: [{ text: 'select 1', parameters: [], result: { kind: 'none' } }],
});

const done: TransactionOutcome = { ok: true, snapshot: 'v1', statements: [], body: null, length: 0 };

const snapshot = emptySnapshot({
  version: 'abc-1',
  loadedAt: 1,
  settings: { ...plainSettings, dbAnonRole: null, openapiMode: 'disabled', jwtCacheMaxEntries: 10 },
});

interface Seen {
  readonly request: TransactionRequest;
  readonly payload: TransactionPayload | null;
  readonly signal: CancelSignal | null;
}

interface Running {
  readonly server: HopServer;
  readonly url: string;
  readonly port: number;
  readonly hop: HttpHop;
  /** What reached the transactions. */
  readonly seen: readonly Seen[];
  readonly errors: readonly string[];
}

const running: Running[] = [];
afterEach(async () => {
  await Promise.all(
    running.splice(0).map(({ server }) => {
      server.server.closeAllConnections();
      return server.close(1000);
    }),
  );
});

const sourceOf = (loaded: ReturnType<SnapshotAnswers['current']>): SnapshotAnswers => ({
  current: () => loaded,
  fresh: async () => loaded,
  withKey: async () => loaded,
});

/** A server whose transactions are answered by `answer`. */
async function start(
  answer: Hop['transaction'] = async () => done,
  options: Partial<HopServerOptions> = {},
): Promise<Running> {
  const seen: Seen[] = [];
  const errors: string[] = [];
  const server = new HopServer({
    hop: {
      transaction: (asked, payload, signal) => {
        seen.push({ request: asked, payload, signal });
        return answer(asked, payload, signal);
      },
    },
    secrets: [secret, previous],
    limits: { head: 10_000, payload: 100_000 },
    memory: new Memory(1024 ** 3),
    source: sourceOf({ snapshot, keys: { keys: [{ kty: 'oct', k: 'c2VjcmV0' }] } }),
    judge: async () => 'null',
    tls: null,
    onError: (message) => errors.push(message),
    ...options,
  });
  const port = await listening(server.server);
  const url = `http://127.0.0.1:${port}`;
  const result = { server, url, port, hop: new HttpHop({ url, secret }), seen, errors };
  running.push(result);
  return result;
}

const streamOf = (...chunks: readonly Uint8Array[]): ReadableStream<Uint8Array> =>
  new ReadableStream({
    start: (controller) => {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });

function post(
  url: string,
  body: Uint8Array | ReadableStream<Uint8Array>,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  // Half duplex is what a body that streams needs; the type does not know it.
  const init = {
    method: 'POST',
    body: body instanceof Uint8Array ? new Uint8Array(body) : body,
    headers: { authorization: `Bearer ${secret}`, 'content-type': REQUEST_TYPE, ...headers },
    duplex: 'half',
  };
  return fetch(`${url}/v1/transaction`, init);
}

const refusal = async (response: Response): Promise<{ status: number; reason: unknown; body: string }> => {
  const header: { failure?: { reason?: unknown } } = JSON.parse(response.headers.get('edgerest-failure') ?? '{}');
  return { status: response.status, reason: header.failure?.reason, body: await response.text() };
};

async function text(outcome: TransactionOutcome): Promise<string> {
  if (!outcome.ok || outcome.body === null) throw new Error('no body');
  if (outcome.body instanceof Uint8Array) return new TextDecoder().decode(outcome.body);
  let all = '';
  const decoder = new TextDecoder();
  for await (const chunk of outcome.body) all += decoder.decode(chunk, { stream: true });
  return all;
}

/** A socket that has sent these bytes. */
async function raw(port: number, ...chunks: readonly (string | Uint8Array)[]): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  for (const chunk of chunks) socket.write(chunk);
  return socket;
}

async function received(socket: Socket): Promise<string> {
  let all = '';
  for await (const chunk of socket) all += String(chunk);
  return all;
}

const headOf = (length: number, token = secret): string =>
  `POST /v1/transaction HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n` +
  `Content-Type: ${REQUEST_TYPE}\r\nContent-Length: ${length}\r\n\r\n`;

describe('a transaction', () => {
  test('goes through with its payload, and the answer comes back', async () => {
    const body = new TextEncoder().encode('[{"ü":1}]');
    const { hop, seen } = await start(async () => ({
      ok: true,
      snapshot: 'v2',
      statements: [{ rows: 1, columns: ['1', null, 'ünï'] }],
      body,
      length: body.length,
    }));
    const payload = new Uint8Array([0, 1, 2, 255]);
    const outcome = await hop.transaction(request, payload, null);
    expect(outcome).toMatchObject({
      ok: true,
      snapshot: 'v2',
      statements: [{ rows: 1, columns: ['1', null, 'ünï'] }],
      length: body.length,
    });
    expect(await text(outcome)).toBe('[{"ü":1}]');
    expect(seen).toHaveLength(1);
    expect(seen[0]?.request).toEqual(request);
    const pieces = seen[0]?.payload;
    expect(Array.isArray(pieces) && Buffer.concat(pieces)).toEqual(Buffer.from(payload));
  });

  test.each([null, new Uint8Array(0)])('keeps a body of %s as it is', async (body) => {
    const { hop } = await start(async () => ({ ...done, body, length: 0 }));
    expect(await hop.transaction(request, null, null)).toEqual({ ...done, body, length: 0 });
  });

  test('with facts too long for a header has them in the body, in front of a body that streams', async () => {
    const columns = ['ü'.repeat(20_000)];
    const chunks = ['first ', 'second ', 'third'];
    const { hop, url } = await start(async () => ({
      ok: true,
      snapshot: 'v',
      statements: [{ rows: 1, columns }],
      body: streamOf(...chunks.map((chunk) => new TextEncoder().encode(chunk))),
      length: chunks.join('').length,
    }));
    const outcome = await hop.transaction(request, null, null);
    expect(outcome).toMatchObject({ ok: true, length: 18, statements: [{ columns }] });
    expect(await text(outcome)).toBe('first second third');

    const answer = await post(url, encodeRequest(request, null));
    expect(answer.headers.get('edgerest-result')).toBe('preamble');
    expect(answer.headers.get('content-length')).toBe(String((await answer.arrayBuffer()).byteLength));
  });

  test.each<[number, TransactionFailure]>([
    [200, { kind: 'database', code: '23505', message: 'é', detail: null, hint: null, statement: 0 }],
    [200, { kind: 'admission', reason: 'full', message: 'm' }],
    [200, { kind: 'unknown outcome', message: 'm' }],
    [403, { kind: 'refused', reason: 'role', message: 'm', status: 403 }],
  ])('that fails is answered %i with what failed', async (status, failure) => {
    const { hop, url } = await start(async () => ({ ok: false, snapshot: 'v', failure }));
    expect(await hop.transaction(request, null, null)).toEqual({ ok: false, snapshot: 'v', failure });
    expect((await post(url, encodeRequest(request, null))).status).toBe(status);
  });

  test('with a long failure keeps every word of it', async () => {
    const failure = {
      kind: 'database',
      code: 'P0001',
      message: 'm'.repeat(20_000),
      detail: null,
      hint: null,
      statement: 0,
    } as const;
    const { hop } = await start(async () => ({ ok: false, snapshot: 'v', failure }));
    expect(await hop.transaction(request, null, null)).toEqual({ ok: false, snapshot: 'v', failure });
  });

  test('whose stream breaks breaks the answer off', async () => {
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new Uint8Array(10)),
      pull: (controller) => controller.error(new Error('lost')),
    });
    const { hop } = await start(async () => ({ ...done, body, length: 100 }));
    const outcome = await hop.transaction(request, null, null);
    await expect(text(outcome)).rejects.toThrow();
  });

  test('that throws is answered with nothing at all: its outcome is unknown', async () => {
    const { hop, errors } = await start(async () => {
      throw new Error('a mistake');
    });
    expect(await hop.transaction(request, null, null)).toMatchObject({
      ok: false,
      failure: { kind: 'unknown outcome' },
    });
    expect(errors).toEqual(['a mistake']);
  });
});

describe('a message that is not accepted runs nothing:', () => {
  test.each([
    ['without a secret', { authorization: '' }],
    ['with a wrong secret', { authorization: `Bearer ${'x'.repeat(32)}` }],
    ['with a longer secret', { authorization: `Bearer ${secret}s` }],
    ['with the secret as a basic password', { authorization: `Basic ${btoa(`x:${secret}`)}` }],
  ])('%s', async (_, headers) => {
    const { url, seen } = await start();
    expect(await refusal(await post(url, encodeRequest(request, null), headers))).toEqual({
      status: 401,
      reason: 'secret',
      body: '',
    });
    expect(seen).toEqual([]);
  });

  test.each([
    ['nothing', 'malformed', new Uint8Array(0)],
    ['JSON', 'malformed', new TextEncoder().encode(JSON.stringify(request))],
    ['no end marker', 'malformed', encodeRequest(request, null).subarray(0, -4)],
    ['something after the end marker', 'malformed', new Uint8Array([...encodeRequest(request, null), 0])],
    ['another version', 'version', encodeRequest(request, null).with(2, 2)],
  ])('%s', async (_, reason, message) => {
    const { url, seen } = await start();
    expect(await refusal(await post(url, message))).toEqual({ status: 400, reason, body: '' });
    expect(seen).toEqual([]);
  });

  test('another content type', async () => {
    const { url, seen } = await start();
    const answer = await post(url, encodeRequest(request, null), { 'content-type': 'application/json' });
    expect(await refusal(answer)).toEqual({ status: 400, reason: 'malformed', body: '' });
    expect(seen).toEqual([]);
  });

  test('a payload over the limit, in one piece or without a length', async () => {
    const { url, seen } = await start();
    const message = encodeRequest(request, new Uint8Array(200_000));
    expect(await refusal(await post(url, message))).toEqual({ status: 413, reason: 'size', body: '' });
    const endless = streamOf(message.subarray(0, 100_000), message.subarray(100_000));
    expect(await refusal(await post(url, endless))).toEqual({ status: 413, reason: 'size', body: '' });
    const within = encodeRequest(request, new Uint8Array(100_001));
    expect(await refusal(await post(url, within))).toEqual({ status: 413, reason: 'size', body: '' });
    expect(seen).toEqual([]);
  });

  test('a payload for which there is no room beside the others, until there is', async () => {
    const go = Promise.withResolvers<void>();
    const { url, seen } = await start(() => go.promise.then(() => done), {
      limits: { head: 10_000, payload: 1_000_000 },
      memory: new Memory(1_000_000),
    });
    const message = encodeRequest(request, new Uint8Array(600_000));
    const first = post(url, message);
    await vi.waitFor(() => expect(seen).toHaveLength(1));
    expect(await refusal(await post(url, message))).toEqual({ status: 503, reason: 'memory', body: '' });
    go.resolve();
    expect((await first).status).toBe(200);
    await vi.waitFor(async () => expect((await post(url, message)).status).toBe(200));
  });

  test('a message that breaks off, wherever', async () => {
    const { port, url, seen, errors } = await start();
    const message = encodeRequest(request, new Uint8Array(1000));
    for (const end of [0, 3, 7, 200, message.length - 500, message.length - 4, message.length - 1]) {
      const socket = await raw(port, headOf(message.length), message.subarray(0, end));
      await new Promise<void>((sent) => socket.end(() => sent()));
      expect(await received(socket)).not.toContain('edgerest-result');
    }
    await post(url, encodeRequest(request, null));
    expect(seen).toHaveLength(1);
    expect(errors).toEqual([]);
  });

  test('something that is not HTTP', async () => {
    const { port } = await start();
    const answer = await received(await raw(port, 'EHLO pooler\r\n\r\n'));
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('"reason":"malformed"');
    expect(answer).not.toMatch(/Error|at /);
  });
});

test('both secrets are accepted while one is being changed', async () => {
  const { url } = await start();
  const other = new HttpHop({ url, secret: previous });
  expect(await other.transaction(request, null, null)).toEqual(done);
});

test('a caller that goes away is heard of', async () => {
  const heard = Promise.withResolvers<void>();
  const came = Promise.withResolvers<void>();
  const { hop } = await start((_request, _payload, signal) => {
    signal?.addEventListener('abort', () => heard.resolve());
    came.resolve();
    return new Promise(() => undefined);
  });
  const gone = new AbortController();
  const outcome = hop.transaction(request, null, gone.signal);
  await came.promise;
  gone.abort();
  await heard.promise;
  expect(await outcome).toMatchObject({ ok: false, failure: { kind: 'cancelled' } });
});

test('a server that stops answers what it has accepted, sends away who knows another, and serves who does not until it closes', async () => {
  const came = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const { hop, server, url, seen } = await start(async () => {
    came.resolve();
    await go.promise;
    return done;
  });
  const outcome = hop.transaction(request, null, null);
  await came.promise;
  const closed = server.close(10_000);
  const choosy = new HttpHop({ url, secret, alternatives: true });
  const { status } = await fetch(`${url}/v1/live`);
  expect(status).toBe(503);
  expect(await choosy.transaction(request, null, null)).toMatchObject({
    failure: { kind: 'refused', reason: 'stopping', status: 503 },
  });
  const large = streamOf(new Uint8Array(50_000), new Uint8Array(50_000));
  const refused = await post(url, large, { 'edgerest-alternatives': '1' });
  expect(await refusal(refused)).toMatchObject({ status: 503, reason: 'stopping' });
  expect(seen).toHaveLength(1);
  const last = hop.transaction(request, null, null);
  await vi.waitFor(() => expect(seen).toHaveLength(2));
  // Nobody has asked for a while: then the door is closed.
  await vi.waitFor(() => expect(server.server.listening).toBe(false), 5000);
  await expect(fetch(`${url}/v1/live`)).rejects.toThrow();
  go.resolve();
  expect(await Promise.all([outcome, last])).toEqual([done, done]);
  await closed;
});

describe('the snapshot', () => {
  const get = (url: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> =>
    fetch(`${url}/v1/snapshot`, { headers: { authorization: `Bearer ${secret}`, ...headers } });

  test('is JSON with its content as the tag, compressed where that is accepted', async () => {
    const { url, port } = await start();
    const answer = await get(url);
    expect(answer.headers.get('etag')).toBe('W/"1"');
    expect(await answer.json()).toEqual(snapshot);
    const ask = `GET /v1/snapshot HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${secret}\r\nConnection: close\r\n`;
    expect(await received(await raw(port, `${ask}\r\n`))).not.toContain('Content-Encoding');
    const socket = await raw(port, `${ask}Accept-Encoding: br, gzip;q=0.5\r\n\r\n`);
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(Buffer.from(chunk));
    const bytes = Buffer.concat(chunks);
    const body = bytes.subarray(bytes.indexOf('\r\n\r\n') + 4);
    expect(JSON.parse(gunzipSync(body).toString())).toEqual(snapshot);
  });

  test('is not sent again to one who has it, after looking for a newer one', async () => {
    let newest = snapshot;
    const source = { ...sourceOf({ snapshot, keys: null }), fresh: async () => ({ snapshot: newest, keys: null }) };
    const { hop } = await start(undefined, { source });
    expect(await hop.fetchSnapshot(['9-1'], null)).toEqual({ kind: 'same', version: 'abc-1' });
    newest = { ...snapshot, version: 'abc-2' };
    expect(await hop.fetchSnapshot(['9-1'], null)).toEqual({ kind: 'new', snapshot: newest });
    expect(await hop.fetchSnapshot(['abc-0'], null)).toEqual({ kind: 'new', snapshot: newest });
    expect(await hop.fetchSnapshot([], null)).toEqual({ kind: 'new', snapshot });
  });

  test('that has never been loaded is a 503', async () => {
    const { url, hop } = await start(undefined, { source: sourceOf(null) });
    expect((await get(url)).status).toBe(503);
    expect(await hop.fetchSnapshot([], null)).toEqual({ kind: 'none' });
    expect(await hop.fetchKeys(null)).toMatchObject({
      kind: 'failed',
      message: expect.stringMatching(/not been loaded/),
    });
  });
});

test('keys are never stored, and only those are given that cannot sign', async () => {
  const other = { kty: 'OKP', crv: 'Ed25519', x: 'public' };
  const of = (...keys: readonly VerificationKey[]) =>
    start(undefined, { source: sourceOf({ snapshot, keys: { keys } }) });
  const withheldOf = async (k: string): Promise<string | undefined> => {
    const { hop } = await of({ kty: 'oct', k }, other);
    const answer = await hop.fetchKeys(null);
    const withheld = 'keys' in answer ? answer.keys?.withheld : undefined;
    expect(answer).toEqual({ kind: 'keys', keys: { keys: [other], withheld }, snapshot: snapshot.version });
    return withheld;
  };
  const [one, another] = [await withheldOf('c2VjcmV0'), await withheldOf('c2VjcmV1')];
  expect(one).toMatch(/^[\w-]{43}$/);
  expect(one).not.toBe(another);
  expect(await withheldOf('c2VjcmV0')).toBe(one);
  const { url, hop } = await of(other);
  expect(await hop.fetchKeys(null)).toEqual({ kind: 'keys', keys: { keys: [other] }, snapshot: snapshot.version });
  const answer = await fetch(`${url}/v1/keys`, { headers: { authorization: `Bearer ${secret}` } });
  expect(answer.headers.get('cache-control')).toBe('no-store');
  const none = await start(undefined, { source: sourceOf({ snapshot, keys: null }) });
  expect(await none.hop.fetchKeys(null)).toMatchObject({ kind: 'keys', keys: null });
});

test('a key that is not known is looked for, whatever its name is', async () => {
  const looked: (string | null)[] = [];
  const keys = { keys: [{ kty: 'OKP', crv: 'Ed25519', x: 'new' }], remote: 'fetched' } as const;
  const withKey = async (kid: string | null) => {
    looked.push(kid);
    return { snapshot: { ...snapshot, version: 'abc-2' }, keys };
  };
  const { hop } = await start(undefined, { source: { ...sourceOf({ snapshot, keys: null }), withKey } });
  for (const name of ['a/b?c&unknown=d#é', '']) {
    expect(await hop.fetchKeys(null, name)).toEqual({ kind: 'keys', keys, snapshot: 'abc-2' });
  }
  expect(await hop.fetchKeys(null)).toMatchObject({ keys: null });
  expect(looked).toEqual(['a/b?c&unknown=d#é', null]);
});

describe('what is said of a token', () => {
  const error = new ApiError(401, { code: 'PGRST301', message: 'ö', details: null }, { headers: [['a', 'b']] });

  test('is nothing, or the error that it is answered with', async () => {
    const judged: string[] = [];
    const { hop } = await start(undefined, {
      judge: async (token) => {
        judged.push(token);
        return token === 'good' ? 'null' : writeRefusal(error);
      },
    });
    expect(await hop.judge('good', null)).toEqual({ kind: 'accepted' });
    expect(await hop.judge('bad é', null)).toEqual({ kind: 'refused', error });
    expect(judged).toEqual(['good', 'bad é']);
  });

  test('is not said before there is a configuration, to a stranger, or of what is too long', async () => {
    const answers = new Map<string, string | ReturnType<typeof refuse> | null>([
      ['keys', refuse(503, 'keys', 'm')],
      ['none', null],
    ]);
    const { hop, url } = await start(undefined, {
      judge: async (token) => (answers.has(token) ? (answers.get(token) ?? null) : 'null'),
    });
    expect(await hop.judge('keys', null)).toMatchObject({ kind: 'failed', refusal: 'keys' });
    expect(await hop.judge('none', null)).toMatchObject({ kind: 'failed', refusal: null });
    expect(await hop.judge('x'.repeat(128 * 1024), null)).toEqual({ kind: 'accepted' });
    expect(await hop.judge('x'.repeat(128 * 1024 + 1), null)).toMatchObject({ kind: 'failed', refusal: 'size' });
    expect(await new HttpHop({ url, secret: 'w'.repeat(32) }).judge('good', null)).toMatchObject({ refusal: 'secret' });
    const stranger = await fetch(`${url}/v1/token`, { method: 'POST', body: 'good' });
    expect(await refusal(stranger)).toMatchObject({ status: 401, reason: 'secret' });
  });

  test('is not waited for once the time is up', async () => {
    const { hop } = await start(undefined, { judge: () => new Promise(() => undefined) });
    expect(await hop.judge('any', AbortSignal.timeout(50))).toMatchObject({ kind: 'failed' });
  });

  test.each(['{}', '1', 'nothing', '{"status":200,"code":"c","message":"m","details":null,"headers":[]}'])(
    'is not %s',
    async (json) => {
      const { hop } = await start(undefined, { judge: async () => json });
      expect(await hop.judge('any', null)).toMatchObject({ kind: 'failed' });
    },
  );
});

test('snapshot and keys want the secret too', async () => {
  const { url } = await start();
  for (const path of ['/v1/snapshot', '/v1/keys', '/v1/nothing', '/']) {
    expect(await refusal(await fetch(url + path))).toMatchObject({ status: 401, reason: 'secret' });
  }
  const wrong = new HttpHop({ url, secret: 'w'.repeat(32) });
  expect(await wrong.fetchSnapshot([], null)).toMatchObject({ kind: 'failed' });
  expect(await wrong.fetchKeys(null)).toMatchObject({ kind: 'failed' });
});

test('other endpoints and methods are refused', async () => {
  const { url } = await start();
  const headers = { authorization: `Bearer ${secret}` };
  expect(await refusal(await fetch(`${url}/v2/transaction`, { headers }))).toMatchObject({ status: 404 });
  expect(await refusal(await fetch(`${url}/v1/transaction`, { headers }))).toMatchObject({ status: 405 });
  expect(await refusal(await fetch(`${url}/v1/keys`, { method: 'POST', headers }))).toMatchObject({ status: 405 });
  expect((await fetch(`${url}/v1/live`)).status).toBe(200);
});
