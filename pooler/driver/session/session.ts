import { frontend } from '../../wire/index.ts';
import type { DriverError } from '../errors.ts';
import { failureOf, isFault } from '../failure.ts';
import type { Login } from '../logins.ts';
import { errorResponse, readyIdle } from './answers.ts';
import type { FrontendMessage, FrontendReader } from './frontend.ts';
import { Inbox } from './inbox.ts';
import type { Peer } from './peer.ts';
import { leftWaiting, notTaken, refusalOf, shuttingDown } from './refusals.ts';
import { Tenancy, type TenancyOptions, type Tenant } from './tenancy.ts';

export interface SessionOptions extends TenancyOptions {
  /** Milliseconds that a client may leave a connection waiting that it holds. */
  readonly idleLimit: number;
  /** Told of what is a mistake of ours. */
  readonly onFault: (error: unknown) => void;
  /** The session is over. Called once. */
  readonly onEnd: () => void;
}

/** Bytes that wait for the client to take them, from which on no more are read from the server. */
const outputLimit = 1024 * 1024;

/** A client that has logged in: what it sends is handed over to a server connection that it gets for it, or answered without one. */
export class Session implements Tenant {
  readonly #options: SessionOptions;
  readonly #login: Login;
  readonly #peer: Peer;
  readonly #inbox: Inbox;
  readonly #tenancy: Tenancy;
  /** It got no connection: what it wanted to run is answered with an error, up to the next Sync. */
  #refusing = false;
  /** That error, until it is sent. */
  #refusal: DriverError | null = null;
  #closing = false;
  #pumping = false;
  /** When something happened last on the connection that is held. */
  #active = 0;

  constructor(login: Login, peer: Peer, reader: FrontendReader, options: SessionOptions) {
    this.#login = login;
    this.#peer = peer;
    this.#inbox = new Inbox(reader, peer);
    this.#options = options;
    this.#tenancy = new Tenancy(login, this, options);
  }

  /** Whether it has a server connection, or waits for one. */
  get busy(): boolean {
    return this.#refusing || (this.#tenancy.state !== 'idle' && !this.#ended);
  }

  get closing(): boolean {
    return this.#closing;
  }

  /** The reader has something new. */
  arrived(): void {
    this.#active = Date.now();
    this.#pump();
  }

  /** The client has taken some of what it was sent. */
  taken(): void {
    if (this.#isFull) return;
    this.#tenancy.loan?.resume();
    this.#pump();
  }

  /** The client is gone. */
  gone(): void {
    this.#end();
  }

  /** The client asks to stop what it is doing. */
  cancel(): void {
    this.#tenancy.cancel();
  }

  /** Ends it as soon as it is between two transactions. */
  close(): void {
    this.#closing = true;
    const { state, pinned, loan } = this.#tenancy;
    if (state === 'idle' ? !this.#refusing : pinned && loan?.free === true) this.#shutDown();
  }

  /**
   * Ends it when it has left a connection waiting for too long, or what it was sent. `now`: in milliseconds since the epoch.
   */
  expire(now: number): void {
    if (now - this.#active < this.#options.idleLimit) return;
    const { loan, pinned } = this.#tenancy;
    if (loan === null) {
      // It is not read from either, so that no ping finds out whether it is there.
      if (this.#isFull) this.#fail(notTaken());
      return;
    }
    // Between two transactions it may wait as long as it likes, if it may keep the connection at all.
    if (!loan.waits || (loan.free && pinned)) return;
    this.#fail(leftWaiting());
  }

  output(bytes: Buffer): boolean {
    if (this.#ended) return true;
    this.#active = Date.now();
    this.#peer.send(bytes);
    return !this.#isFull;
  }

  held(): void {
    this.#active = Date.now();
    this.#pump();
  }

  refused(error: unknown): void {
    const failure = this.#failureOf(error);
    if (failure.fields.severity === 'FATAL') {
      this.#fail(failure);
      return;
    }
    this.#refusal = failure;
    this.#refusing = true;
    this.#pump();
  }

  moved(): void {
    this.#pump();
  }

  between(): void {
    if (this.#closing) this.#shutDown();
    else this.#pump();
  }

  dismissed(): void {
    if (this.#ended) return;
    this.#peer.close();
    this.#end();
  }

  failed(error: unknown): void {
    this.#fail(this.#failureOf(error));
  }

  /** Does what can be done with what has arrived. */
  #pump(): void {
    // It goes on with what has just come.
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (this.#step());
    } catch (error) {
      this.#fail(refusalOf(error) ?? this.#failureOf(error));
      return;
    } finally {
      this.#pumping = false;
    }
    this.#tenancy.loan?.flush();
    const { state, pinned } = this.#tenancy;
    this.#inbox.throttle(this.#isFull || state === 'waiting' || state === 'checking');
    // Where all that was sent needed no server, nothing comes from there that would move it.
    if (!pinned && !this.#isFull && this.#inbox.first === null) this.#tenancy.rest();
  }

  /** One message further. False when there is none, or it has to wait. */
  #step(): boolean {
    switch (this.#tenancy.state) {
      case 'waiting':
      case 'checking':
      case 'ended':
        return false;
      case 'idle':
      case 'holding':
        // Whoever does not take what it asked for gets no more.
        return this.#isFull ? false : this.#take(this.#inbox.first);
    }
  }

  #take(message: FrontendMessage | null): boolean {
    if (message === null) return false;
    if (message.type === frontend.terminate) {
      // The driver waits for the server to close.
      this.#peer.close();
      this.#end();
      return false;
    }
    if (this.#refusing) this.#refuse(message.type);
    else if (this.#tenancy.state === 'holding') {
      if (!this.#tenancy.send(message)) return false;
    } else if (!this.#answerAlone(message.type)) {
      this.#tenancy.acquire();
      return true;
    }
    this.#inbox.shift();
    return true;
  }

  /** What a server does nothing about needs no server. */
  #answerAlone(type: number): boolean {
    switch (type) {
      case frontend.sync:
        this.#peer.send(readyIdle);
        return true;
      case frontend.flush:
      case frontend.copyData:
      case frontend.copyDone:
      case frontend.copyFail:
        return true;
      default:
        return false;
    }
  }

  #refuse(type: number): void {
    if (this.#refusal !== null) this.#peer.send(errorResponse(this.#refusal.fields));
    this.#refusal = null;
    if (type !== frontend.sync && type !== frontend.query && type !== frontend.functionCall) return;
    this.#peer.send(readyIdle);
    this.#refusing = false;
    if (this.#closing) this.#shutDown();
  }

  /** Tells the client why, and ends. */
  #fail(error: DriverError): void {
    if (this.#ended) return;
    this.#peer.send(errorResponse({ ...error.fields, severity: 'FATAL' }));
    this.dismissed();
  }

  #shutDown(): void {
    this.#fail(shuttingDown());
  }

  #end(): void {
    if (this.#ended) return;
    this.#tenancy.end();
    this.#inbox.clear();
    this.#options.onEnd();
  }

  /** Whether the client has not taken what it was sent. */
  get #isFull(): boolean {
    return this.#peer.buffered >= outputLimit;
  }

  get #ended(): boolean {
    return this.#tenancy.state === 'ended';
  }

  #failureOf(error: unknown): DriverError {
    const failure = failureOf(error, this.#login.user);
    if (isFault(failure)) this.#options.onFault(error);
    return failure;
  }
}
