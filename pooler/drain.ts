/**
 * The answers of an HTTP server that are under way, and closing it without losing a request.
 *
 * A connection that is idle may carry a request that has not arrived yet: closed at that moment, it is lost, and a client does
 * not repeat a write of which it knows nothing (RFC 9110, 9.2.2). Node's server closes idle connections at once, and so does
 * warp; nginx has keepalive_min_timeout against it. Here they stay for a moment: who sends in it is answered, and told to
 * take another connection from then on. Only one that has sent nothing for as long is closed.
 */
import type { Server, ServerResponse } from 'node:http';
import { Server as HttpsServer } from 'node:https';
import { Server as NetServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';

/** Milliseconds that a connection must have been idle before it is closed. */
const IDLE_TIME = 1000;

/** Turns of the event loop, at most, for connections that wait to be accepted: it accepts one a turn. */
const ACCEPT_TURNS = 4096;

/** An answer under way, and where it stands among the others. */
interface Open {
  readonly response: ServerResponse;
  place: number;
}

/** Knows the answers of a server that are under way. */
export class Draining {
  readonly #server: Server;
  readonly #idleTime: number;
  /**
   * In no order. Not a Set: V8 copies the table of one that is added to and deleted from, each old table refers to the next
   * one, and once the first has grown old all that follow are kept, with what is in them, until a full collection. That
   * cost a fifth of a request's processor time.
   */
  readonly #open: Open[] = [];
  /** Connections without a request so far, and the bytes that had come when they were opened. node:http does not count them as idle. */
  readonly #fresh = new Map<Socket, number>();
  /** Connections accepted so far. */
  #accepted = 0;
  /** When a connection last became idle. */
  #idleSince = Number.NEGATIVE_INFINITY;
  #stopping = false;

  /** `idleTime` in milliseconds: 0 for a server whose clients may lose a request. */
  constructor(server: Server, idleTime: number = IDLE_TIME) {
    this.#server = server;
    this.#idleTime = idleTime;
    server.on('connection', () => {
      this.#accepted++;
    });
    server.on(server instanceof HttpsServer ? 'secureConnection' : 'connection', (socket: Socket) => {
      this.#idleSince = performance.now();
      this.#fresh.set(socket, socket.bytesRead);
      socket.once('close', () => this.#fresh.delete(socket));
    });
  }

  /** Call it with every response, before anything is written. */
  track(response: ServerResponse): void {
    if (this.#stopping) response.shouldKeepAlive = false;
    if (response.socket !== null) this.#fresh.delete(response.socket);
    const entry: Open = { response, place: this.#open.length };
    this.#open.push(entry);
    response.once('close', () => {
      this.#remove(entry);
      if (this.#stopping && !response.shouldKeepAlive) return;
      this.#idleSince = performance.now();
      // One whose headers had gone out with keep-alive before.
      if (this.#stopping) this.#closeIdle();
    });
  }

  /**
   * Answers bytes that are no request, of which node:http has given this error, and closes their connection. Requests that came before
   * them are answered first, and `answer` is then left out: it would be taken for theirs, and for the outcome of a write that has none yet.
   */
  refuse(error: { readonly code?: string }, socket: Duplex, answer: string): void {
    if (!socket.writable || error.code === 'ECONNRESET') {
      socket.destroy();
      return;
    }
    const open = this.#answersOn(socket);
    const whole = open.filter(({ req }) => req.complete);
    if (whole.length > 0) for (const response of whole) response.once('close', () => this.#endAfter(socket));
    else if (open.some(({ headersSent }) => headersSent)) socket.destroy();
    else socket.end(answer);
  }

  /** Ends a connection behind the last answer to a whole request on it. */
  #endAfter(socket: Duplex): void {
    if (!this.#answersOn(socket).some(({ req }) => req.complete)) socket.end(() => socket.destroy());
  }

  #answersOn(socket: Duplex): readonly ServerResponse[] {
    return this.#open.filter(({ response }) => response.req.socket === socket).map(({ response }) => response);
  }

  /** The last one takes its place. */
  #remove(entry: Open): void {
    const last = this.#open.pop();
    if (last === undefined || last === entry) return;
    this.#open[entry.place] = last;
    last.place = entry.place;
  }

  /**
   * Accepts no more connections and resolves when every request has been answered. Answers that have not begun are the last
   * on their connections; after `timeout` milliseconds connections are cut.
   */
  async close(timeout: number): Promise<void> {
    await this.#acceptWaiting();
    const closed = new Promise<void>((resolve) => {
      // http.Server's own would close idle connections.
      NetServer.prototype.close.call(this.#server, () => resolve());
    });
    // Not before: clients that have to leave come again at once, and some to us.
    this.#stopping = true;
    for (const { response } of this.#open) if (!response.headersSent) response.shouldKeepAlive = false;
    this.#closeIdle();
    const timer = setTimeout(() => this.#server.closeAllConnections(), timeout);
    await closed;
    clearTimeout(timer);
  }

  /** Accepts the connections that the system has made for us already: it would reset them. */
  async #acceptWaiting(): Promise<void> {
    await turn();
    for (let turns = 0, before = -1; turns < ACCEPT_TURNS && before !== this.#accepted; turns++) {
      before = this.#accepted;
      await turn();
    }
  }

  /** Closes the idle connections as soon as none of them has been used lately. */
  #closeIdle(): void {
    const wait = this.#idleSince + this.#idleTime - performance.now();
    if (wait > 0) {
      // What arrived while the event loop was held up is read before: timers come first.
      setTimeout(() => setImmediate(() => this.#closeIdle()), Math.ceil(wait)).unref();
      return;
    }
    this.#server.closeIdleConnections();
    for (const [socket, before] of this.#fresh) if (socket.bytesRead === before) socket.destroy();
  }
}
