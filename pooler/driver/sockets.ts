/** The driver's door for WebSockets: PostgreSQL's protocol in binary frames. docs/driver.md */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Pool } from '../pool/index.ts';
import type { Changes } from './changes.ts';
import type { Logins } from './logins.ts';
import { CancelKeys } from './session/keys.ts';
import { Texts } from './session/names.ts';
import { Pins } from './session/pins.ts';
import { SocketClient } from './session/socket-client.ts';
import { shed } from './shedding.ts';

export interface DriverSocketsOptions {
  readonly pool: Pick<Pool, 'lend'>;
  readonly logins: Pick<Logins, 'find' | 'verify' | 'admission'>;
  readonly changes: Changes;
  /** The network that a client comes from; empty where that is not known. */
  readonly networkOf: (request: IncomingMessage) => string;
  /** Whether a client may say which of the servers on the list it means: /v1?address=. */
  readonly addressed: boolean;
  /** How many sockets may be open, and of them keep a connection to themselves. */
  readonly maxSockets: number;
  readonly maxPinned: number;
  /** Milliseconds that a client may leave a connection waiting. */
  readonly idleTransaction: number;
  /** Whether a connection is looked after even when the text shows that there was nothing but reading. */
  readonly checkReads: () => boolean;
  /** Bytes of the largest message, and frame. */
  readonly maxMessage: number;
  /** Bytes that may be kept for all of them: what they have not taken, and what of theirs is not done with. */
  readonly maxBuffered: number;
  /** Told of what is a mistake of ours. */
  readonly onFault: (error: unknown) => void;
}

const second = 1000;
/** Seconds between two pings; a client that has not answered one before the next is gone. */
const pingInterval = 30;
/** Bytes that all who have not logged in may have sent. */
const strangersBudget = 128 * 1024 * 1024;
const defaultPort = 5432;

/** What is to be seen of it from outside. */
export interface SocketCounts {
  readonly sockets: number;
  /** Those that have a server connection, or wait for one. */
  readonly busy: number;
  /** Those that keep one to themselves. */
  readonly pinned: number;
}

type Destination = { readonly host: string; readonly port: number };

export class DriverSockets {
  readonly #options: DriverSocketsOptions;
  readonly #server: WebSocketServer;
  readonly #keys = new CancelKeys();
  readonly #texts = new Texts();
  readonly #pins: Pins;
  readonly #clients = new Set<SocketClient>();
  #timer: NodeJS.Timeout | null = null;
  #ticks = 0;
  #closing = false;
  #closed: (() => void) | null = null;

  constructor(options: DriverSocketsOptions) {
    this.#options = options;
    this.#pins = new Pins(options.maxPinned);
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      autoPong: false,
      maxPayload: options.maxMessage,
    });
  }

  counts(): SocketCounts {
    let busy = 0;
    for (const client of this.#clients) if (client.busy) busy++;
    return { sockets: this.#clients.size, busy, pinned: this.#pins.taken };
  }

  /** Answers an HTTP server's upgrade event. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const found = this.#destination(request);
    if (typeof found === 'string') refuse(socket, found);
    else if (this.#closing) refuse(socket, '503 Service Unavailable');
    else if (this.#clients.size >= this.#options.maxSockets) refuse(socket, '503 Service Unavailable');
    else {
      const origin = { ...found, network: this.#options.networkOf(request) };
      this.#server.handleUpgrade(request, socket, head, (connected) => this.#accept(connected, socket, origin));
    }
  }

  /** Ends every session between two transactions, and resolves when there are none; after `timeout` milliseconds it cuts them. */
  close(timeout: number): Promise<void> {
    this.#closing = true;
    const timer = setTimeout(() => {
      for (const client of this.#clients) client.cut();
    }, timeout);
    return new Promise<void>((resolve) => {
      this.#closed = resolve;
      for (const client of this.#clients) client.drain();
      if (this.#clients.size === 0) resolve();
    }).finally(() => clearTimeout(timer));
  }

  #accept(connected: WebSocket, socket: Duplex, origin: Destination & { readonly network: string }): void {
    const { logins, changes, pool, maxMessage, idleTransaction, checkReads, onFault } = this.#options;
    const client = new SocketClient(connected, socket, {
      ...origin,
      logins,
      pool,
      maxMessage,
      idleLimit: idleTransaction,
      checkReads,
      onFault,
      keys: this.#keys,
      texts: this.#texts,
      changes,
      pins: this.#pins,
      onGone: () => {
        this.#clients.delete(client);
        if (this.#clients.size > 0) return;
        if (this.#timer !== null) clearInterval(this.#timer);
        this.#timer = null;
        this.#closed?.();
      },
    });
    this.#clients.add(client);
    this.#timer ??= setInterval(() => this.#tick(), second).unref();
  }

  #tick(): void {
    const now = Date.now();
    const pings = ++this.#ticks % pingInterval === 0;
    let read = 0;
    for (const client of this.#clients) {
      client.tick(now);
      if (pings) client.ping();
      read += client.readByStranger;
    }
    shed(this.#clients, this.#options.maxBuffered);
    if (read <= strangersBudget) return;
    for (const client of this.#clients) if (client.readByStranger > strangersBudget / 100) client.cut();
  }

  /** The server that a client wants to get to, or the HTTP status with which it is refused. */
  #destination({ url, headers }: IncomingMessage): Destination | string {
    const base = 'http://localhost';
    if (url === undefined || !URL.canParse(url, base)) return '400 Bad Request';
    const { pathname, searchParams } = new URL(url, base);
    if (pathname === '/v2') return destination(headers.host ?? '', null) ?? '400 Bad Request';
    if (pathname !== '/v1') return '404 Not Found';
    if (!this.#options.addressed) return '403 Forbidden';
    return destination(searchParams.get('address') ?? '', defaultPort) ?? '400 Bad Request';
  }
}

/** Reads `host` or `host:port`. Where no port counts, it is PostgreSQL's. */
function destination(text: string, fallback: number | null): Destination | null {
  const [, v6, plain, port] = /^(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/@[\]]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = v6 ?? plain;
  if (host === undefined) return null;
  return { host: host.toLowerCase(), port: fallback === null ? defaultPort : Number(port ?? fallback) };
}

function refuse(socket: Duplex, status: string): void {
  socket.on('error', () => undefined);
  socket.end(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
}
