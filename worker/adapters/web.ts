/** Web Request and Response around the core, for Workers, Vercel Edge, Deno and Bun. */
import { brokenOff, type LargeBody, readBody, WHOLE_LIMIT } from '../request/body.ts';
import { byteStringOfBytes, decodeByteString, encodeText } from '../request/text.ts';
import type { RawRequest } from '../request/types.ts';
import type { RawResponse } from '../response/types.ts';
import { isDeno } from '../runtime.ts';

const NO_BODY = new Uint8Array(0);

/** Whether what stands in a message's head is text in UTF-8 for the runtime (workerd) instead of one character a byte (the Fetch standard). */
const HEADS_ARE_UTF8 = (() => {
  try {
    new Headers([['x-probe', '\u0100']]);
    return true;
  } catch {
    return false;
  }
})();

const BEYOND_ASCII = /[^\0-\x7f]/;

/** From the runtime's text to a byte string, and back. */
const byteString: (text: string) => string = HEADS_ARE_UTF8
  ? (text) => (BEYOND_ASCII.test(text) ? byteStringOfBytes(encodeText(text)) : text)
  : (text) => text;
const headText: (bytes: string) => string = HEADS_ARE_UTF8 ? decodeByteString : (bytes) => bytes;

/** The path and query as the runtime kept them: a URL object would parse and write them anew. */
function targetOf(url: string): string {
  const path = url.indexOf('/', url.indexOf('://') + 3);
  if (path < 0) return '/';
  const fragment = url.indexOf('#', path);
  return byteString(fragment < 0 ? url.slice(path) : url.slice(path, fragment));
}

/** Bytes to read at a time where the runtime lets us say so; workerd's own choice is 4 KiB. */
const READ_SIZE = 64 * 1024;

function chunkReader(body: ReadableStream<Uint8Array>): () => Promise<ReadableStreamReadResult<Uint8Array>> {
  try {
    const reader = body.getReader({ mode: 'byob' });
    return () => reader.read(new Uint8Array(READ_SIZE));
  } catch {
    // Not a stream of bytes.
    const reader = body.getReader();
    return () => reader.read();
  }
}

/** The body's chunks. */
async function* chunksOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const read = chunkReader(body);
  for (let next = await read(); !next.done; next = await read()) yield next.value;
}

/** The body: whole if its length says that it is small, else as far as needed to tell. Throws ApiError. */
async function bodyOf(request: Request): Promise<Uint8Array | LargeBody> {
  if (request.body === null) return NO_BODY;
  if (request.bodyUsed) throw new TypeError('The body of the request has been read before.');
  const length = request.headers.get('content-length');
  if (length !== null && Number(length) <= WHOLE_LIMIT) {
    const bytes = await request.arrayBuffer().catch(() => null);
    if (bytes === null) throw brokenOff();
    return new Uint8Array(bytes);
  }
  return await readBody(chunksOf(request.body));
}

/** Reads the body, unless it is large. */
export async function toRawRequest(request: Request): Promise<RawRequest> {
  const headers: [string, string][] = [];
  request.headers.forEach((value, name) => {
    headers.push([name, byteString(value)]);
  });
  return {
    method: request.method,
    target: targetOf(request.url),
    headers,
    body: await bodyOf(request),
  };
}

/**
 * An answer without a length that is no error is framed as PostgREST's: chunked, with nothing in it. To HEAD, Deno and Bun would
 * say that the length is 0; of a stream of bytes Bun does not know it is empty before it is read.
 */
const emptyStream = (): ReadableStream<Uint8Array> =>
  new ReadableStream({
    type: 'bytes',
    pull: (controller) => {
      controller.close();
      controller.byobRequest?.respond(0);
    },
  });

/** Statuses of which the Fetch standard allows no body. */
const BODILESS: ReadonlySet<number> = new Set([101, 103, 204, 205, 304]);

/** The bytes as a view that Response takes: it refuses shared memory. No copy is made of what is not shared. */
const plainBytes = ({ buffer, byteOffset, byteLength }: Uint8Array): Uint8Array<ArrayBuffer> =>
  buffer instanceof ArrayBuffer
    ? new Uint8Array(buffer, byteOffset, byteLength)
    : new Uint8Array(new Uint8Array(buffer, byteOffset, byteLength));

function responseBody(
  body: RawResponse['body'],
  headers: Headers,
): Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null {
  if (body instanceof Uint8Array) return plainBytes(body);
  return body ?? (headers.has('content-length') ? null : emptyStream());
}

/**
 * Fetch standard: a Response has a status from 200 to 599; what a function's response.status asks beyond is a 500. Over HTTP/1.1
 * Deno sends a 205 without the length that ends it (RFC 9112, 6.3), and its client would wait for more: 204 says the same.
 */
function statusOf({ status }: RawResponse): number {
  if (status < 200 || status > 599) return 500;
  return status === 205 && isDeno ? 204 : status;
}

/** The answer to a request of that method. */
export function toResponse(answer: RawResponse, method = 'GET'): Response {
  const status = statusOf(answer);
  const headers = new Headers();
  for (const [name, value] of answer.headers) headers.append(name, headText(value));
  const bodiless = BODILESS.has(status);
  // RFC 9110, 8.6: such a response has no length. One of a body that is not there leaves a client waiting.
  if (bodiless) headers.delete('content-length');
  const body = method === 'HEAD' ? null : answer.body;
  return new Response(bodiless ? null : responseBody(body, headers), {
    status,
    headers,
    ...(answer.statusText === null ? {} : { statusText: headText(answer.statusText) }),
  });
}
