/**
 * The core behind node:http, without Web objects: they drop fragments, collapse `%2e%2e`, refuse some methods and
 * statuses, and cost half of the throughput.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { finished } from 'node:stream/promises';
import { ApiError } from '../error.ts';
import type { RawRequest } from '../request/types.ts';
import { respondError } from '../response/errors.ts';
import type { RawResponse } from '../response/types.ts';

/** Answers a request; the signal aborts when the client has gone. Never rejects. */
export type Handler = (request: RawRequest, signal: AbortSignal) => Promise<RawResponse>;

export interface NodeOptions {
  /** Bytes; a larger body is answered 413. */
  readonly bodyLimit: number;
  /** The Server header. */
  readonly server: string;
}

const NO_BODY = new Uint8Array(0);

/** node:http's raw headers as pairs; names in lower case, values as byte strings. */
function headerPairs(raw: readonly string[]): (readonly [string, string])[] {
  const pairs: (readonly [string, string])[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) pairs.push([(raw[i] ?? '').toLowerCase(), raw[i + 1] ?? '']);
  return pairs;
}

const hasBody = (headers: IncomingMessage['headers']): boolean =>
  headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';

/**
 * Bytes beyond the limit that are read and thrown away. A client that is still sending when the connection closes gets a reset
 * in place of the answer.
 */
const DISCARD_LIMIT = 64 * 1024 * 1024;

/** The whole body; null where it is larger than the limit. Rejects where the client goes away in the middle. */
function readBody(request: IncomingMessage, limit: number): Promise<Uint8Array | null> {
  const most = limit + DISCARD_LIMIT;
  if (Number(request.headers['content-length'] ?? 0) > most) return Promise.resolve(null);
  return new Promise((resolve, reject) => {
    let chunks: Uint8Array[] = [];
    let length = 0;
    request.on('data', (chunk: Uint8Array) => {
      length += chunk.length;
      if (length <= limit) chunks.push(chunk);
      else chunks = [];
      if (length <= most) return;
      request.pause();
      resolve(null);
    });
    request.once('end', () => {
      const [only] = chunks;
      if (length > limit) resolve(null);
      else resolve(chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks, length));
    });
    request.once('error', reject);
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

async function write(response: ServerResponse, answer: RawResponse, server: string): Promise<void> {
  const headers: string[] = ['Server', server];
  for (const [name, value] of answer.headers) headers.push(name, value);
  if (answer.statusText === null) response.writeHead(answer.status, headers);
  else response.writeHead(answer.status, answer.statusText, headers);
  if (answer.body === null || answer.body instanceof Uint8Array) {
    response.end(answer.body ?? undefined);
    return;
  }
  for await (const chunk of answer.body) {
    if (!response.write(chunk)) await drained(response);
    if (response.destroyed) return;
  }
  response.end();
}

const tooLarge = (limit: number): ApiError =>
  new ApiError(413, {
    code: 'EDGE005',
    message: 'The request body is too large',
    details: `Bodies of up to ${limit} bytes are accepted.`,
  });

/** A listener for http.createServer. */
export function nodeListener(handle: Handler, options: NodeOptions) {
  return (request: IncomingMessage, response: ServerResponse): void => {
    const gone = new AbortController();
    response.once('close', () => {
      if (!response.writableFinished) gone.abort();
    });
    const answer = async (): Promise<void> => {
      const body = hasBody(request.headers) ? await readBody(request, options.bodyLimit) : NO_BODY;
      if (body === null) {
        // Of a body that is far too large the rest is not read: the connection cannot carry another request.
        const refusal = respondError(tooLarge(options.bodyLimit), 'verbose');
        await write(response, { ...refusal, headers: [...refusal.headers, ['Connection', 'close']] }, options.server);
        return;
      }
      const raw: RawRequest = {
        method: request.method ?? 'GET',
        target: request.url ?? '/',
        headers: headerPairs(request.rawHeaders),
        body,
      };
      await write(response, await handle(raw, gone.signal), options.server);
    };
    // What fails here is the client's connection (handle does not reject): there is nobody left to tell.
    answer().catch(() => response.destroy());
  };
}

/** Waits until a response has been handed to the socket or its client has gone. */
export const responded = (response: ServerResponse): Promise<void> => finished(response).catch(() => undefined);
