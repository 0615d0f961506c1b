/** The driver's door: what `@neondatabase/serverless` speaks to. docs/driver.md */
import { randomUUID } from 'node:crypto';
import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import { Draining } from '../drain.ts';
import { driverError } from './errors.ts';
import { CORS, PREFLIGHT, sendError } from './http.ts';
import type { DriverSockets } from './sockets.ts';
import type { SqlEndpoint } from './sql.ts';

export interface DriverServerOptions {
  readonly sql: Pick<SqlEndpoint, 'answer'>;
  /** Without it there are no WebSockets. */
  readonly sockets?: Pick<DriverSockets, 'upgrade' | 'close'>;
  /** Certificate and key in PEM; null for plain HTTP. */
  readonly tls: { readonly cert: string; readonly key: string } | null;
}

/** Milliseconds for a whole request to arrive, and for its headers. */
const REQUEST_TIMEOUT = 300_000;
const HEADERS_TIMEOUT = 15_000;
/** Longer than most clients and proxies keep a connection. */
const KEEP_ALIVE_TIMEOUT = 120_000;

export class DriverServer {
  readonly server: Server;
  readonly #options: DriverServerOptions;
  readonly #draining: Draining;

  constructor(options: DriverServerOptions) {
    this.#options = options;
    const limits = {
      requestTimeout: REQUEST_TIMEOUT,
      headersTimeout: HEADERS_TIMEOUT,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT,
      connectionsCheckingInterval: 5000,
    };
    const listener = (request: IncomingMessage, response: ServerResponse): void => this.#listen(request, response);
    this.server =
      options.tls === null
        ? createHttpServer(limits, listener)
        : createHttpsServer({ ...limits, ...options.tls }, listener);
    const { sockets } = options;
    if (sockets !== undefined) this.server.on('upgrade', (...upgrade) => sockets.upgrade(...upgrade));
    this.#draining = new Draining(this.server);
    this.server.on('clientError', (error, socket) => refuseUnparsed(error, socket, this.#draining));
  }

  /**
   * Stops accepting and resolves when every request that was accepted has been answered and every session has ended, or after `timeout`
   * milliseconds.
   */
  async close(timeout: number): Promise<void> {
    await Promise.all([this.#draining.close(timeout), this.#options.sockets?.close(timeout)]);
  }

  #listen(request: IncomingMessage, response: ServerResponse): void {
    this.#draining.track(response);
    const id = ['Neon-Request-Id', randomUUID()];
    // A client that goes away while it sends: there is nobody to tell.
    request.on('error', () => undefined);
    const path = request.url?.split('?', 1)[0];
    if (path === '/live') response.writeHead(200, [...id, 'Content-Length', '0']).end();
    else if (path !== '/sql') this.#refuse(request, response, id, 404, 'there is nothing here: queries go to /sql');
    else if (request.method === 'OPTIONS') {
      response.writeHead(204, [...CORS, ...id, ...PREFLIGHT]).end();
    } else if (request.method !== 'POST') this.#refuse(request, response, id, 405, 'queries are sent with POST');
    else void this.#options.sql.answer(request, response, id);
  }

  #refuse(
    request: IncomingMessage,
    response: ServerResponse,
    id: readonly string[],
    status: number,
    text: string,
  ): void {
    sendError(request, response, id, status, driverError('08P01', text).fields);
  }
}

/** What node:http could not read as a request, or gave up waiting for. */
function refuseUnparsed(error: Error & { readonly code?: string }, socket: Duplex, draining: Draining): void {
  const status = error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? '408 Request Timeout' : '400 Bad Request';
  draining.refuse(error, socket, `HTTP/1.1 ${status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
}
