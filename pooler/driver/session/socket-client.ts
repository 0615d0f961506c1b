import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import { binaryFrame } from '../../frame.ts';
import { answerPings } from '../../pings.ts';
import type { Login } from '../logins.ts';
import type { Keeper } from '../shedding.ts';
import { authenticationOk, keyData, parameterStatus, readyIdle } from './answers.ts';
import { FrontendReader } from './frontend.ts';
import { Greeting, type GreetingOptions } from './greeting.ts';
import type { Peer } from './peer.ts';
import { Session, type SessionOptions } from './session.ts';

export interface SocketClientOptions
  extends Omit<SessionOptions, 'onEnd' | 'logins' | 'processId'>,
    Omit<GreetingOptions, 'onVerified' | 'logins'> {
  readonly logins: SessionOptions['logins'] & GreetingOptions['logins'];
  /** Bytes of the largest message. */
  readonly maxMessage: number;
  /** The socket is closed. */
  readonly onGone: () => void;
}

/** Milliseconds for a login, with the time in which the database lets in. */
const loginLimit = 30_000;
/** Bytes that wait for the end of a login, from which on no more are read. */
const inputLimit = 128 * 1024;
/** Milliseconds for the client to close its side. */
const closeLimit = 5000;
/** Codes of RFC 6455, section 7.4.1: the end of what it was for, and data of a kind that is not taken. */
const normalClosure = 1000;
const unsupportedData = 1003;

/** One WebSocket: a greeting first, then a session. */
export class SocketClient implements Peer, Keeper {
  readonly #socket: WebSocket;
  readonly #stream: Duplex;
  readonly #options: SocketClientOptions;
  readonly #reader: FrontendReader;
  readonly #greeting: Greeting;
  readonly #since = Date.now();
  #session: Session | null = null;
  #user = '';
  /** Bytes that had come when a message was complete. */
  #complete = 0;
  #answering = true;
  #closing: NodeJS.Timeout | null = null;
  #gone = false;

  /** `stream` is what the WebSocket runs over. */
  constructor(socket: WebSocket, stream: Duplex, options: SocketClientOptions) {
    this.#socket = socket;
    this.#stream = stream;
    this.#options = options;
    this.#reader = new FrontendReader(options.maxMessage);
    this.#greeting = new Greeting(this, this.#reader, {
      ...options,
      onVerified: (login, parameters) => this.#begin(login, parameters),
    });
    socket.on('message', (data, isBinary) => this.#arrived(data, isBinary));
    socket.on('pong', () => {
      this.#answering = true;
    });
    answerPings(socket);
    socket.on('close', () => this.#ended());
    // What it says is said by its end.
    socket.on('error', () => undefined);
    stream.on('drain', () => this.#session?.taken());
  }

  get buffered(): number {
    return this.#socket.bufferedAmount;
  }

  /** Whether it has a server connection, or waits for one. */
  get busy(): boolean {
    return this.#session?.busy === true;
  }

  /** Whose share of the memory it takes; empty before it has logged in. */
  get user(): string {
    return this.#user;
  }

  get kept(): number {
    return this.buffered + this.#reader.available + this.#read - this.#complete;
  }

  /** Bytes that came from it before it has logged in. */
  get readByStranger(): number {
    return this.#session === null ? this.#read : 0;
  }

  /** Bytes that came from it. */
  get #read(): number {
    return this.#stream instanceof Socket ? this.#stream.bytesRead : 0;
  }

  send(bytes: Buffer): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#stream.write(binaryFrame(bytes));
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Ends it after what was sent. */
  close(): void {
    this.#end(normalClosure);
  }

  /** Ends it at once. */
  cut(): void {
    this.#socket.terminate();
  }

  /** Ends it as soon as it is between two transactions. */
  drain(): void {
    if (this.#session === null) this.close();
    else this.#session.close();
  }

  /** Looks whether it is late. `now`: in milliseconds since the epoch. */
  tick(now: number): void {
    if (this.#session !== null) this.#session.expire(now);
    else if (now - this.#since > loginLimit) this.#greeting.expire();
  }

  /** Asks whether the client is still there, and ends it when it has not answered the last time. */
  ping(): void {
    if (!this.#answering) this.cut();
    else if (this.#socket.readyState === this.#socket.OPEN && !this.#socket.isPaused) {
      this.#answering = false;
      this.#socket.ping();
    }
  }

  #arrived(data: RawData, isBinary: boolean): void {
    if (this.#gone || this.#closing !== null) return;
    if (!isBinary || !Buffer.isBuffer(data)) {
      this.#end(unsupportedData, 'binary frames only');
      return;
    }
    this.#complete = this.#read;
    this.#reader.push(data);
    if (this.#session !== null) this.#session.arrived();
    else {
      this.#greeting.arrived();
      if (this.#session === null && this.#reader.available > inputLimit) this.pause();
    }
  }

  #begin(login: Login, parameters: ReadonlyMap<string, string>): void {
    const key = this.#options.keys.add({ cancel: () => this.#session?.cancel() });
    const { processId, secret } = key;
    const session = new Session(login, this, this.#reader, {
      ...this.#options,
      processId,
      onEnd: () => this.#options.keys.delete(key),
    });
    this.#session = session;
    this.#user = login.share;
    this.resume();
    const reports = [...parameters].map(([name, value]) => parameterStatus(name, value));
    this.send(Buffer.concat([authenticationOk, ...reports, keyData(processId, secret), readyIdle]));
    session.arrived();
  }

  #end(code: number, reason?: string): void {
    if (this.#closing !== null) return;
    // It is to hear that the client closes as well.
    this.resume();
    this.#socket.close(code, reason);
    this.#closing = setTimeout(() => this.cut(), closeLimit);
  }

  #ended(): void {
    if (this.#gone) return;
    this.#gone = true;
    if (this.#closing !== null) clearTimeout(this.#closing);
    if (this.#session === null) this.#greeting.gone();
    else this.#session.gone();
    this.#options.onGone();
  }
}
