/** The WebSockets of workers: how they are opened, watched and closed. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { type Refused, refuse } from '../../shared/hop/codec.ts';
import { FRAME_HEAD, FRAME_SIZE, SOCKET_PATH, SOCKET_PROTOCOL } from '../../shared/hop/frames.ts';
import { refusalText } from './answer.ts';
import { HopSocket, type SocketOptions } from './socket.ts';

/** Milliseconds between two looks at all sockets. */
const CHECK_INTERVAL = 5000;

export interface SocketsOptions extends Omit<SocketOptions, 'onRefused'> {
  /** Told of what is refused, and from where it came. */
  readonly onRefused: (failure: Refused, from: string) => void;
}

export class HopSockets {
  readonly #options: SocketsOptions;
  readonly #sockets = new Set<HopSocket>();
  readonly #server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    autoPong: false,
    maxPayload: FRAME_HEAD + FRAME_SIZE,
    handleProtocols: (offered) => (offered.has(SOCKET_PROTOCOL) ? SOCKET_PROTOCOL : false),
  });
  #checking: ReturnType<typeof setInterval> | null = null;
  #closing = false;
  #closed: (() => void) | null = null;

  constructor(options: SocketsOptions) {
    this.#options = options;
  }

  /** Answers a request that asks for another protocol. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => undefined);
    const isOurs = request.url?.split('?', 1)[0] === SOCKET_PATH;
    const from = request.socket.remoteAddress ?? 'a closed connection';
    if (isOurs) {
      this.#server.handleUpgrade(request, socket, head, (opened) => this.#opened(opened, from));
      return;
    }
    const failure = refuse(404, 'endpoint', 'No such endpoint.');
    this.#options.onRefused(failure, from);
    socket.end(refusalText(failure));
  }

  /** Tells all workers that the pooler is about to end. */
  announceEnd(): void {
    for (const socket of this.#sockets) socket.announceEnd();
  }

  /** Closes each socket when what is open on it has been answered, and each that comes later; after `timeout` milliseconds cuts them. */
  async close(timeout: number): Promise<void> {
    this.#closing = true;
    if (this.#sockets.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#closed = resolve;
    const timer = setTimeout(() => {
      for (const socket of this.#sockets) socket.terminate();
    }, timeout);
    for (const socket of this.#sockets) socket.end();
    await promise;
    clearTimeout(timer);
  }

  #opened(socket: WebSocket, from: string): void {
    const opened = new HopSocket(socket, {
      ...this.#options,
      onRefused: (failure) => this.#options.onRefused(failure, from),
    });
    this.#sockets.add(opened);
    this.#checking ??= setInterval(() => this.#check(), CHECK_INTERVAL).unref();
    socket.once('close', () => this.#gone(opened));
    if (this.#closing) opened.end();
  }

  #gone(socket: HopSocket): void {
    this.#sockets.delete(socket);
    if (this.#sockets.size > 0) return;
    if (this.#checking !== null) clearInterval(this.#checking);
    this.#checking = null;
    this.#closed?.();
  }

  #check(): void {
    for (const socket of this.#sockets) socket.check();
  }
}
