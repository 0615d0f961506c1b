/**
 * The core behind node:http, without Web objects: they drop fragments, collapse `%2e%2e`, refuse some methods and
 * statuses, and cost half of the throughput.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Cancellation, type CancelSignal } from '../../shared/hop/cancellation.ts';
import { ApiError } from '../error.ts';
import { Exchange } from '../observe.ts';
import { LargeBody, readBody } from '../request/body.ts';
import type { RawRequest } from '../request/types.ts';
import { respondError, tooManyBodies } from '../response/errors.ts';
import type { RawResponse } from '../response/types.ts';
import { plainAddress } from './connection.ts';

/** Answers a request, noting what there is to observe of it; the signal aborts when the client has gone. Never rejects. */
export type Handler = (request: RawRequest, signal: CancelSignal, exchange: Exchange | null) => Promise<RawResponse>;

/** Told of every answer before it is sent. */
export type ObserveAnswer = (request: IncomingMessage, response: RawResponse, exchange: Exchange) => void;

/** What the body of one request may take. */
export interface Room {
  /** False where there is no room for so many bytes more. */
  take(bytes: number): boolean;
  /** The request is over. */
  end(): void;
}

export interface NodeOptions {
  /** Bytes; a larger body is answered 413. */
  readonly bodyLimit: number;
  /** The Server header. */
  readonly server: string;
  readonly observe?: ObserveAnswer;
  /** Room for the bodies of the client at an address, beside those of others; there always is by default. */
  readonly roomFor?: (address: string | null) => Room;
  /** The client's address is the one that the proxy in front noted, the last in `X-Forwarded-For`. */
  readonly behindProxy?: boolean;
}

/** Bytes up to which a body is read in as few steps as possible. */
const SMALL_BODY = 128 * 1024;

const NO_BODY = new Uint8Array(0);

/** node:http's raw headers as pairs; names in lower case, values as byte strings. */
function headerPairs(raw: readonly string[]): (readonly [string, string])[] {
  const pairs: (readonly [string, string])[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) pairs.push([(raw[i] ?? '').toLowerCase(), raw[i + 1] ?? '']);
  return pairs;
}

/** Where a request comes from; null where there is no address, as on a unix socket. Text is not checked for being an address. */
export function clientAddress(request: IncomingMessage, behindProxy: boolean): string | null {
  const forwarded = behindProxy ? request.headers['x-forwarded-for'] : undefined;
  const last = typeof forwarded === 'string' ? forwarded.slice(forwarded.lastIndexOf(',') + 1).trim() : '';
  if (last !== '') return last.slice(0, 64);
  const { remoteAddress } = request.socket;
  return remoteAddress === undefined ? null : plainAddress(remoteAddress);
}

const hasBody = (headers: IncomingMessage['headers']): boolean =>
  headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';

/** A body whose length says that it is small, in as few steps as possible. Rejects where the client goes away in the middle. */
function smallBody(request: IncomingMessage): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    request.on('data', (chunk: Uint8Array) => {
      chunks.push(chunk);
    });
    request.once('end', () => {
      const [only] = chunks;
      resolve(chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks));
    });
    request.once('error', reject);
  });
}

const tooLarge = (limit: number): ApiError =>
  new ApiError(413, {
    code: 'EDGE005',
    message: 'The request body is too large',
    details: `Bodies of up to ${limit} bytes are accepted.`,
  });

/** The body's chunks; beyond the limit, or where there is no room for it, none of it is given out. */
async function* chunksOf(
  request: IncomingMessage,
  limit: number,
  room: Room | null,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (Number(request.headers['content-length'] ?? 0) > limit) throw tooLarge(limit);
  let length = 0;
  // Leaving the loop must not destroy the request: the refusal still has to go out on its connection.
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    if (!(chunk instanceof Uint8Array)) return;
    length += chunk.length;
    if (length > limit) throw tooLarge(limit);
    if (room?.take(chunk.length) === false) throw tooManyBodies();
    yield chunk;
  }
}

/** The body: whole if it is small, else as far as needed to tell. Rejects with an ApiError where it is too large. */
function bodyOf(
  request: IncomingMessage,
  limit: number,
  room: () => Room | null,
): Promise<Uint8Array | LargeBody> | Uint8Array {
  if (!hasBody(request.headers)) return NO_BODY;
  const length = Number(request.headers['content-length'] ?? Number.POSITIVE_INFINITY);
  return length <= Math.min(SMALL_BODY, limit) ? smallBody(request) : readBody(chunksOf(request, limit, room()));
}

/** Bytes that are still read of a body nobody wants: a client that is sending when the connection closes gets a reset for an answer. */
const DISCARD_LIMIT = 64 * 1024 * 1024;

/** Reads what is left of a body and drops it. False when there is too much of it: the connection cannot carry another request. */
async function discarded(request: IncomingMessage, body: LargeBody | null): Promise<boolean> {
  if (body !== null && !(await body.discard())) return false;
  if (request.readableEnded) return true;
  if (Number(request.headers['content-length'] ?? 0) > 2 * DISCARD_LIMIT) return false;
  return await new Promise((resolve) => {
    let length = 0;
    request.on('data', (chunk: Uint8Array) => {
      length += chunk.length;
      if (length > DISCARD_LIMIT) resolve(false);
    });
    request.once('end', () => resolve(true)).once('close', () => resolve(false));
    request.resume();
  });
}

/** Until the socket takes more, or is gone. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
  });
}

/** Bytes up to which a body is copied into the write of the head: one system call in place of two, or of a slower gathering one. */
const ONE_WRITE_LIMIT = 16 * 1024;

function writeHead(response: ServerResponse, answer: RawResponse, server: string): void {
  const headers: string[] = ['Server', server];
  for (const [name, value] of answer.headers) headers.push(name, value);
  if (answer.statusText === null) response.writeHead(answer.status, headers);
  else response.writeHead(answer.status, answer.statusText, headers);
}

/** Writes an answer; one that is whole already without waiting. */
function write(response: ServerResponse, answer: RawResponse, server: string): Promise<void> | null {
  writeHead(response, answer, server);
  const { body } = answer;
  if (body === null) response.end();
  else if (!(body instanceof Uint8Array)) return writeStream(response, body);
  else if (body.length > ONE_WRITE_LIMIT) response.end(body);
  // node:http writes head and text together.
  else response.end(Buffer.from(body.buffer, body.byteOffset, body.length).toString('latin1'), 'latin1');
  return null;
}

async function writeStream(response: ServerResponse, body: ReadableStream<Uint8Array>): Promise<void> {
  for await (const chunk of body) {
    if (!response.write(chunk)) await drained(response);
    if (response.destroyed) return;
  }
  response.end();
}

/** A listener for http.createServer. */
export function nodeListener(handle: Handler, options: NodeOptions) {
  return (request: IncomingMessage, response: ServerResponse): void => {
    const gone = new Cancellation();
    response.once('close', () => {
      if (!response.writableFinished) gone.abort();
    });
    const exchange = options.observe === undefined ? null : new Exchange();
    const answer = async (): Promise<void> => {
      let large: LargeBody | null = null;
      let result: RawResponse;
      const address = clientAddress(request, options.behindProxy === true);
      const room = (): Room | null => {
        const found = options.roomFor?.(address) ?? null;
        response.once('close', () => found?.end());
        return found;
      };
      try {
        const found = bodyOf(request, options.bodyLimit, room);
        const body = found instanceof Promise ? await found : found;
        if (body instanceof LargeBody) large = body;
        const raw: RawRequest = {
          method: request.method ?? 'GET',
          target: request.url ?? '/',
          headers: headerPairs(request.rawHeaders),
          body,
          address,
        };
        result = await handle(raw, gone, exchange);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        result = respondError(error, 'verbose');
      }
      if (exchange !== null) options.observe?.(request, result, exchange);
      if (hasBody(request.headers) && !(await discarded(request, large))) {
        result = { ...result, headers: [...result.headers, ['Connection', 'close']] };
      }
      await write(response, result, options.server);
    };
    // What fails here is the client's connection (handle does not reject): there is nobody left to tell.
    answer().catch(() => response.destroy());
  };
}
