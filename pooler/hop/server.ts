/** The pooler's HTTP server: docs/hop.md. */
import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import type { KeySet } from '../../shared/config/key-set.ts';
import { encodeAsciiJson } from '../../shared/hop/ascii.ts';
import { Cancellation } from '../../shared/hop/cancellation.ts';
import {
  ALTERNATIVES_HEADER,
  type DecodedRequest,
  type DecodeLimits,
  encodeFailure,
  FAILURE_HEADER,
  REQUEST_TYPE,
  type Refused,
  RequestDecoder,
  refuse,
  SNAPSHOT_HEADER,
} from '../../shared/hop/codec.ts';
import type { Hop } from '../../shared/hop/types.ts';
import type { Snapshot } from '../../shared/snapshot/types.ts';
import { notLoaded } from '../../shared/transaction/failures.ts';
import { Draining } from '../drain.ts';
import { shownKeys } from '../keys/shown.ts';
import type { Claim, Memory } from '../memory.ts';
import { messageOf } from '../message-of.ts';
import { refusalText, sendOutcome, sendRefusal } from './answer.ts';
import { Arrivals } from './arrivals.ts';
import { Secrets } from './secret.ts';
import { acceptsGzip, etagOf, matches, SnapshotEncoder } from './snapshot.ts';
import { HopSockets } from './sockets.ts';

interface Answers {
  readonly snapshot: Snapshot;
  /** For tokens; null without any. */
  readonly keys: KeySet | null;
}

/** The part of the snapshot's source that the server needs. */
export interface SnapshotAnswers {
  /** The last snapshot; null before the first load. */
  current(): Answers | null;
  /** One that has every change that was notified before this call. */
  fresh(): Promise<Answers | null>;
  /** One with a key of this name (null: of any), if its issuer has it. */
  withKey(kid: string | null): Promise<Answers | null>;
}

export interface HopServerOptions {
  readonly hop: Hop;
  /** Accepted secrets, one or two. */
  readonly secrets: readonly string[];
  readonly limits: DecodeLimits;
  /** For payloads. */
  readonly memory: Memory;
  readonly source: SnapshotAnswers;
  /**
   * What is said of a token: nothing against it, or the error that it is answered with, as JSON (worker/hop/judgement.ts); a refusal to say anything; null before
   * the first load.
   */
  readonly judge: (token: string) => Promise<string | Refused | null>;
  /** Certificate and key in PEM; null for plain HTTP. */
  readonly tls: { readonly cert: string; readonly key: string } | null;
  /** Told of an error that is ours: a line for the log. */
  readonly onError: (message: string) => void;
  /** Told of every message that is not accepted, and from where it came. */
  readonly onRefused?: (failure: Refused, from: string) => void;
}

/** Milliseconds for a whole message to arrive, at the pace of the client whose body passes through; and for its headers. */
const REQUEST_TIMEOUT = 300_000;
const HEADERS_TIMEOUT = 15_000;
/** Longer than any client or proxy keeps a connection: then it is never we who close one that is just being used. */
const KEEP_ALIVE_TIMEOUT = 120_000;

/**
 * Milliseconds without a request before the door is closed, and for how long it stays open at the most: a worker that is refused goes to
 * another pooler, but one that finds a closed door cannot always tell whether it was heard.
 */
const QUIET = 300;
const LONGEST_FAREWELL = 5000;

/** Bytes: more than any server takes as a header. */
const TOKEN_LIMIT = 128 * 1024;

const METHODS: ReadonlyMap<string, string> = new Map([
  ['/v1/transaction', 'POST'],
  ['/v1/token', 'POST'],
  ['/v1/snapshot', 'GET'],
  ['/v1/keys', 'GET'],
]);

/** Magic, version, flags, lengths: what surrounds head and payload, with room for chunks of 1 KiB and more. */
const frameOf = (limits: DecodeLimits): number => limits.head + limits.payload + 1024 + Math.ceil(limits.payload / 256);

export class HopServer {
  readonly server: Server;
  readonly #options: HopServerOptions;
  readonly #secrets: Secrets;
  readonly #snapshots = new SnapshotEncoder();
  readonly #bodyLimit: number;
  readonly #draining: Draining;
  readonly #arrivals: Arrivals;
  readonly #sockets: HopSockets;
  #stopping = false;

  constructor(options: HopServerOptions) {
    this.#options = options;
    this.#secrets = new Secrets(options.secrets);
    this.#bodyLimit = frameOf(options.limits);
    const listener = (request: IncomingMessage, response: ServerResponse): void => this.#listen(request, response);
    const limits = {
      requestTimeout: REQUEST_TIMEOUT,
      headersTimeout: HEADERS_TIMEOUT,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT,
      connectionsCheckingInterval: 5000,
    };
    this.server =
      options.tls === null
        ? createHttpServer(limits, listener)
        : createHttpsServer({ ...limits, ...options.tls }, listener);
    this.#draining = new Draining(this.server);
    this.server.on('clientError', (error, socket) => refuseUnparsed(error, socket, this.#draining));
    this.#arrivals = new Arrivals(this.server);
    this.#sockets = new HopSockets({
      hop: options.hop,
      limits: options.limits,
      memory: options.memory,
      secrets: this.#secrets,
      isStopping: () => this.#stopping,
      onStream: () => this.#arrivals.note(),
      onRefused: (failure, from) => options.onRefused?.(failure, from),
      onError: (error) => options.onError(messageOf(error)),
    });
    this.server.on('upgrade', (request, socket, head) => this.#sockets.upgrade(request, socket, head));
  }

  /**
   * Sends away who knows another pooler, until nothing comes any more; then closes. Resolves when every request that was accepted
   * has been answered, or after `timeout` milliseconds.
   */
  async close(timeout: number): Promise<void> {
    this.#stopping = true;
    this.#sockets.announceEnd();
    const end = performance.now() + timeout;
    await this.#arrivals.untilQuiet(QUIET, Math.min(LONGEST_FAREWELL, timeout / 2));
    const left = Math.max(0, end - performance.now());
    await Promise.all([this.#sockets.close(left), this.#draining.close(left)]);
  }

  #listen(request: IncomingMessage, response: ServerResponse): void {
    this.#draining.track(response);
    this.#answer(request, response).catch((error: unknown) => {
      // Either the client has gone, or it is a mistake of ours: nothing of it goes out.
      if (!response.destroyed) this.#options.onError(messageOf(error));
      response.destroy();
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [path = '', query] = request.url?.split('?', 2) ?? [];
    if (path === '/v1/live')
      return this.#stopping ? sendText(response, 503, 'stopping\n') : sendText(response, 200, 'live\n');
    this.#arrivals.note();
    if (!this.#secrets.accepts(request.headers.authorization)) {
      return this.#refuse(request, response, refuse(401, 'secret', 'The secret is missing or wrong.'));
    }
    const method = METHODS.get(path);
    if (method === undefined) return this.#refuse(request, response, refuse(404, 'endpoint', 'No such endpoint.'));
    if (request.method !== method) {
      return this.#refuse(request, response, refuse(405, 'endpoint', `This endpoint is for ${method}.`));
    }
    if (path === '/v1/snapshot') return await this.#snapshot(request, response);
    if (path === '/v1/keys') return await this.#keys(response, new URLSearchParams(query).get('unknown'));
    if (path === '/v1/token') return await this.#token(request, response);
    // One that knows no other is served: whatever is in front of us may take it elsewhere next time.
    if (this.#stopping && request.headers[ALTERNATIVES_HEADER] !== undefined)
      return this.#refuse(request, response, refuse(503, 'stopping', 'The pooler is about to end.'));
    await this.#transaction(request, response);
  }

  async #transaction(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.headers['content-type'] !== REQUEST_TYPE) {
      return this.#refuse(request, response, refuse(400, 'malformed', `The content type is ${REQUEST_TYPE}.`));
    }
    const gone = new Cancellation();
    response.once('close', () => {
      if (!response.writableFinished) gone.abort();
    });
    if (Number(request.headers['content-length'] ?? 0) > this.#bodyLimit) {
      return this.#refuse(
        request,
        response,
        refuse(413, 'size', `The message is larger than ${this.#bodyLimit} bytes.`),
      );
    }
    const room = this.#options.memory.claim();
    response.once('close', () => room.end());
    const decoded = await readMessage(request, this.#options.limits, room);
    if (!decoded.ok) return this.#refuse(request, response, decoded.failure);
    const outcome = await this.#options.hop.transaction(decoded.request, decoded.payload, gone);
    await sendOutcome(response, outcome);
  }

  #refuse(request: IncomingMessage, response: ServerResponse, failure: Refused): void {
    this.#options.onRefused?.(failure, request.socket.remoteAddress ?? 'a closed connection');
    sendRefusal(request, response, failure);
  }

  async #token(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const token = await readToken(request);
    if (token === null) {
      return this.#refuse(request, response, refuse(413, 'size', `The token is larger than ${TOKEN_LIMIT} bytes.`));
    }
    const said = await this.#options.judge(token);
    if (said === null) return sendNotLoaded(response);
    if (typeof said !== 'string') return this.#refuse(request, response, said);
    const json = Buffer.from(said);
    const headers = ['Content-Type', 'application/json', 'Content-Length', String(json.length)];
    response.writeHead(200, [...headers, 'Cache-Control', 'no-store']).end(json);
  }

  /** `{"keys":[…]}`, the public ones, or null where there are none. Kept by nobody but the worker's memory. `unknown`: which one is looked for. */
  async #keys(response: ServerResponse, unknown: string | null): Promise<void> {
    const { source } = this.#options;
    const loaded = unknown === null ? source.current() : await source.withKey(unknown === '' ? null : unknown);
    // Before that nobody knows them: the database may have a say.
    if (loaded === null) {
      sendNotLoaded(response);
      return;
    }
    const json = encodeAsciiJson(loaded.keys === null ? null : shownKeys(loaded.keys));
    const headers = ['Content-Type', 'application/json', 'Content-Length', String(json.length)];
    headers.push('Cache-Control', 'no-store', SNAPSHOT_HEADER, loaded.snapshot.version);
    response.writeHead(200, headers).end(json);
  }

  async #snapshot(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const known = request.headers['if-none-match'];
    const { source } = this.#options;
    // A worker that has one asks because a name was not in it: it may have been made a moment ago.
    const loaded = known === undefined ? source.current() : await source.fresh();
    const snapshot = loaded?.snapshot ?? null;
    if (snapshot === null) return sendNotLoaded(response);
    const etag = etagOf(snapshot);
    const headers = ['ETag', etag, 'Cache-Control', 'private, no-cache', 'Vary', 'Accept-Encoding'];
    headers.push(SNAPSHOT_HEADER, snapshot.version);
    if (matches(known, etag)) {
      response.writeHead(304, headers).end();
      return;
    }
    const encoded = await this.#snapshots.encode(snapshot);
    const gzip = acceptsGzip(request.headers['accept-encoding']);
    const body = gzip ? encoded.gzip : encoded.json;
    headers.push('Content-Type', 'application/json', 'Content-Length', String(body.length));
    if (gzip) headers.push('Content-Encoding', 'gzip');
    response.writeHead(200, headers).end(body);
  }
}

/** Reads a message to its end, or to where it is refused. Rejects when the client goes away in the middle. */
function readMessage(request: IncomingMessage, limits: DecodeLimits, room: Claim): Promise<DecodedRequest> {
  const decoder = new RequestDecoder(limits, (bytes) => room.take(bytes));
  // Listeners cost a small message less than an iterator does.
  return new Promise((resolve, reject) => {
    const arrived = (chunk: Uint8Array): void => {
      if (decoder.push(chunk)) return;
      request.off('data', arrived).pause();
      resolve(decoder.end());
    };
    request
      .on('data', arrived)
      .once('end', () => resolve(decoder.end()))
      .once('error', reject);
  });
}

/** Reads a token; null where it is too long for one. Rejects when the client goes away in the middle. */
async function readToken(request: IncomingMessage): Promise<string | null> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of request.iterator({ destroyOnReturn: false })) {
    length += piece.length;
    if (length > TOKEN_LIMIT) return null;
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString();
}

function sendText(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, ['Content-Type', 'text/plain', 'Content-Length', String(text.length)]).end(text);
}

function sendNotLoaded(response: ServerResponse): void {
  const { header } = encodeFailure({ ok: false, snapshot: null, failure: notLoaded });
  response.writeHead(503, [FAILURE_HEADER, header, 'Content-Length', '0', 'Retry-After', '1']).end();
}

/** What node:http could not read as a request, or gave up waiting for. */
function refuseUnparsed(error: Error & { code?: string }, socket: Duplex, draining: Draining): void {
  const slow = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
  const failure = slow
    ? refuse(408, 'slow', 'The message did not arrive in time.')
    : refuse(400, 'malformed', 'Not an HTTP request.');
  draining.refuse(error, socket, refusalText(failure));
}
