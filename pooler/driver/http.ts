/** How the driver's door answers over HTTP. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Claim } from '../memory.ts';
import { endUnread } from '../unread.ts';
import type { ErrorFields } from '../wire/index.ts';
import { driverError } from './errors.ts';

/** Any page may ask: what lets in is the password, and nothing that a browser adds by itself. */
export const CORS = ['Access-Control-Allow-Origin', '*'] as const;

export const PREFLIGHT = [
  'Access-Control-Allow-Methods',
  'POST, OPTIONS',
  'Access-Control-Allow-Headers',
  'Authorization, Content-Type, Neon-Connection-String, Neon-Raw-Text-Output, Neon-Array-Mode, Neon-Pool-Opt-In, ' +
    'Neon-Batch-Isolation-Level, Neon-Batch-Read-Only, Neon-Batch-Deferrable',
  'Access-Control-Max-Age',
  '86400',
] as const;

/** Milliseconds that a client may take nothing of an answer before its connection is cut. */
const STALLED = 60_000;

export type Pieces = readonly (string | Buffer)[];

const lengthOf = (pieces: Pieces): number => pieces.reduce((sum, piece) => sum + Buffer.byteLength(piece), 0);

/** Sends JSON. `headers`: name and value in turn. `claim` is given back what the client has taken. */
export function sendJson(response: ServerResponse, headers: readonly string[], pieces: Pieces, claim: Claim): void {
  const length = ['Content-Type', 'application/json', 'Content-Length', String(lengthOf(pieces))];
  response.writeHead(200, [...CORS, ...headers, ...length]);
  const [only] = pieces;
  if (pieces.length === 1 && only !== undefined) {
    response.end(only);
    return;
  }
  response.setTimeout(STALLED, () => response.destroy());
  const left = [...pieces];
  const send = (): void => {
    for (let piece = left.shift(); piece !== undefined; piece = left.shift()) {
      const { length: bytes } = piece;
      const taken = typeof piece === 'string' ? undefined : () => claim.giveBack(bytes);
      if (response.write(piece, taken)) continue;
      response.once('drain', send);
      return;
    }
    response.end();
  };
  send();
}

const shape: readonly (keyof ErrorFields)[] = [
  'message',
  'code',
  'detail',
  'hint',
  'position',
  'internalPosition',
  'internalQuery',
  'severity',
  'where',
  'table',
  'column',
  'schema',
  'dataType',
  'constraint',
  'file',
  'line',
  'routine',
];

/** Sends an error with all its fields, null where there is none; be the request read or not. */
export function sendError(
  request: IncomingMessage,
  response: ServerResponse,
  headers: readonly string[],
  status: number,
  fields: ErrorFields,
): void {
  const body = JSON.stringify(Object.fromEntries(shape.map((name) => [name, fields[name] ?? null])));
  const length = ['Content-Type', 'application/json', 'Content-Length', String(Buffer.byteLength(body))];
  const all = [...CORS, ...headers, ...length];
  if (request.complete) {
    response.writeHead(status, all).end(body);
    return;
  }
  response.writeHead(status, [...all, 'Connection', 'close']);
  endUnread(request, response, body);
}

const tooLarge = (limit: number) =>
  driverError('54000', `the request is too large: ${limit} bytes are allowed`, {
    status: 413,
    hint: 'EDGEREST_MAX_BODY_SIZE of the pooler says how many.',
  });

const noRoom = () =>
  driverError('53400', 'the requests and answers that are kept at the moment take too much memory', {
    status: 503,
    hint: 'Try again in a moment. EDGEREST_DRIVER_MAX_BUFFERED of the pooler says how many bytes there are for all.',
  });

/** A request's body. */
export interface Body {
  readonly text: string;
  /** As it was sent. */
  readonly bytes: number;
}

/**
 * Reads a body to its end, which takes memory of the claim's. Rejects with a DriverError where it is too large or no text, where there is no
 * memory, and when the client goes away.
 */
export function readBody(request: IncomingMessage, limit: number, claim: Claim): Promise<Body> {
  if (Number(request.headers['content-length'] ?? 0) > limit) return Promise.reject(tooLarge(limit));
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const arrived = (chunk: Buffer): void => {
      length += chunk.length;
      const refusal = length > limit ? tooLarge(limit) : claim.take(chunk.length) ? null : noRoom();
      if (refusal === null) chunks.push(chunk);
      else {
        request.off('data', arrived).pause();
        reject(refusal);
      }
    };
    const ended = (): void => {
      try {
        resolve({ text: new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks)), bytes: length });
      } catch {
        reject(driverError('22021', 'the request is not UTF-8'));
      }
    };
    request.on('data', arrived).once('end', ended).once('error', reject);
  });
}
