import { cancelBackend } from './cancel.ts';
import type { ConnectionConfig } from './config.ts';
import { ConnectionError, type DatabaseError } from './errors.ts';
import { readError, readErrorFields, readNotification, readParameter } from './fields.ts';
import { Flights } from './flights.ts';
import { Grace } from './grace.ts';
import type { FlightCallback } from './journey.ts';
import type { Borrower, Lent } from './lending.ts';
import { backend, ProtocolViolation, terminateMessage } from './messages.ts';
import { Outbox } from './outbox.ts';
import type { MessageHandler, MessageStream } from './reader.ts';
import type { Session } from './startup.ts';
import { Steady } from './steady.ts';
import type { TransportListener } from './transport.ts';
import type { ConnectionOptions, Flight, FlightResult, Notification } from './types.ts';

/** `resetting`: the flight has been answered, but the connection is not free yet. `closing`: no more flights; the socket still exists. */
export type ConnectionState = 'idle' | 'busy' | 'resetting' | 'closing' | 'closed';

/** Who is told when a connection becomes free and when its socket is gone. */
export interface ConnectionObserver {
  idle(connection: Connection): void;
  closed(connection: Connection): void;
}

/**
 * A logged-in connection, which carries one flight at a time. It is free for the next one (state `idle`) only when the server has said so
 * outside of any transaction, the reset is through and no request to cancel can still be under way; in any other case it closes.
 */
export class Connection implements MessageHandler, TransportListener {
  readonly #session: Session;
  readonly #config: ConnectionConfig;
  readonly #options: ConnectionOptions;
  readonly #outbox: Outbox;
  readonly #flights: Flights;
  readonly #steady: Steady;
  #observer: ConnectionObserver | null = null;
  #life: 'open' | 'closing' | 'closed' = 'open';
  #borrower: Borrower | null = null;
  /** What borrowers get, the same each time. */
  #lent: Lent | null = null;
  #subscriber: ((notification: Notification) => void) | null = null;
  /** The error with which the server ended the connection. */
  #fatal: DatabaseError | null = null;
  /** Why it ends, where nobody had asked it to. */
  #lost: string | null = null;
  #parametersChanged = false;
  readonly #grace = new Grace();
  readonly #closeWaiters: (() => void)[] = [];
  readonly #freeWaiters: ((free: boolean) => void)[] = [];

  /** Takes over a session; see connect(). */
  constructor(session: Session, config: ConnectionConfig, options: ConnectionOptions = {}) {
    this.#session = session;
    this.#config = config;
    this.#options = options;
    this.#outbox = new Outbox(options.statementCapacity ?? 256, options.statementUses);
    this.#flights = new Flights({
      transport: session.transport,
      outbox: this.#outbox,
      grace: this.#grace,
      cancelTimeout: this.#cancelTimeout,
      cancel: () => this.cancel(),
      release: () => this.#release(),
      abandon: (error) => this.#abandon(error),
    });
    this.#steady = new Steady(session.parameters, config.targetSession);
    session.reader.handOver(this);
    session.transport.listen(this);
  }

  get state(): ConnectionState {
    if (this.#life !== 'open') return this.#life;
    return this.#borrower === null ? this.#flights.state : 'busy';
  }

  /** The backend's process id. */
  get processId(): number {
    return this.#session.processId;
  }

  get encrypted(): boolean {
    return this.#session.transport.encrypted;
  }

  /** What the server has reported, such as server_version. */
  get parameters(): ReadonlyMap<string, string> {
    return this.#session.parameters;
  }

  /** Why it has ended, where nobody had asked it to; null before that. */
  get lost(): string | null {
    return this.#lost;
  }

  /** How many named statements are kept. */
  get preparedStatements(): number {
    return this.#outbox.statements.size;
  }

  /** Whether a statement of the scope is kept. */
  hasStatementsOf(scope: string): boolean {
    return this.#outbox.statements.has(scope);
  }

  /** Whether another statement can be kept without one having to go. */
  get hasRoomForStatements(): boolean {
    return this.#outbox.statements.hasRoom;
  }

  observe(observer: ConnectionObserver): void {
    this.#observer = observer;
    if (this.#life === 'closed') observer.closed(this);
  }

  /** No statement is to be reused, because what they were planned on has changed. They are closed with the next flight. */
  forgetStatements(): void {
    this.#outbox.statements.discardAll();
  }

  /**
   * Sends a flight and resolves with its result at the first ReadyForQuery. Rejects with a ConnectionError when the connection is lost, and
   * with a RangeError when the flight cannot be encoded (nothing has been sent then).
   */
  flight(flight: Flight): Promise<FlightResult> {
    return new Promise((resolve, reject) => {
      this.start(flight, (error, result) => (result === null ? reject(error) : resolve(result)));
    });
  }

  /** As flight(), without a promise. The callback may be called before start() returns. */
  start(flight: Flight, done: FlightCallback): void {
    const { state } = this;
    if (state === 'idle') this.#flights.start(flight, done);
    else done(new ConnectionError('closed', `the connection is not free but ${state}`), null);
  }

  /**
   * Lends the session's bytes to somebody who speaks the protocol himself, until he gives it back. Null when the connection is not free,
   * or in the middle of a message that the server has sent by itself.
   */
  lend<B extends Borrower>(borrow: (lent: Lent) => B): B | null {
    if (this.state !== 'idle' || !this.#session.reader.between) return null;
    this.#lent ??= this.#lendable();
    const borrower = borrow(this.#lent);
    this.#borrower = borrower;
    return borrower;
  }

  #lendable(): Lent {
    const { transport, parameters, processId } = this.#session;
    return {
      processId,
      socket: transport.socket,
      writer: this.#outbox.writer,
      statements: this.#outbox.statements,
      reported: (name, value) => {
        parameters.set(name, value);
        this.#parametersChanged = true;
      },
      resume: () => transport.resume(),
      giveBack: (borrower) => {
        if (this.#borrower !== borrower) return;
        this.#borrower = null;
        if (this.#life === 'open') this.#release();
      },
    };
  }

  /**
   * Asks the server to cancel what a borrower has sent. Resolves when the request can no longer hit what begins later; rejects with a
   * ConnectionError.
   */
  cancel(): Promise<void> {
    return this.#sendCancel(this.#cancelTimeout);
  }

  /** From now on this one is told of notifications that arrive outside of a loan, besides the one of the options; nobody with null. */
  subscribe(subscriber: ((notification: Notification) => void) | null): void {
    this.#subscriber = subscriber;
  }

  /** Resolves with true when the connection is free, with false when it never will be again. */
  free(): Promise<boolean> {
    if (this.state === 'idle' || this.#life !== 'open') return Promise.resolve(this.state === 'idle');
    return new Promise((resolve) => this.#freeWaiters.push(resolve));
  }

  /** Ends the session and resolves when the socket is closed. A flight under way is cancelled; its outcome is unknown. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#life === 'closed') {
        resolve();
        return;
      }
      this.#closeWaiters.push(resolve);
      const running = this.#flights.state === 'busy';
      this.#abandon(running ? new ConnectionError('unknown', 'the connection was closed during the flight') : null);
    });
  }

  data(chunk: Buffer, length: number): boolean {
    try {
      if (this.#borrower !== null) return this.#borrower.data(chunk, length);
      return this.#session.reader.push(chunk, length);
    } catch (error) {
      this.#abandon(
        error instanceof ProtocolViolation
          ? new ConnectionError('protocol', `the server broke the protocol: ${error.message}`, error)
          : // A sink has thrown: what it has missed cannot be had again.
            new ConnectionError('unknown', 'the answer could not be taken', error),
      );
      return true;
    }
  }

  closed(error: Error | null): void {
    if (this.#life === 'open') this.#lost ??= error?.message ?? 'the server closed the connection';
    this.#life = 'closed';
    this.#grace.end();
    this.#flights.lost(this.#fatal, error);
    this.#dismiss(this.#fatal ?? error);
    this.#observer?.closed(this);
    for (const resolve of this.#closeWaiters.splice(0)) resolve();
    for (const resolve of this.#freeWaiters.splice(0)) resolve(false);
  }

  message(type: number, bytes: Buffer, start: number, end: number, owned: boolean): void {
    switch (type) {
      case backend.errorResponse: {
        const error = readError(bytes, start, end);
        if (error.fatal) {
          this.#fatal = error;
          this.#lost = error.message;
          // The server closes now; it is waited for, because what it has said before tells what became of the flight.
          if (this.#outbox.empty) this.#abandon(null);
          else this.#destroyLater();
          return;
        }
        break;
      }
      case backend.parameterStatus: {
        const [name, value] = readParameter(bytes, start, end);
        this.#session.parameters.set(name, value);
        this.#parametersChanged = true;
        return;
      }
      case backend.noticeResponse:
        this.#options.onNotice?.(readErrorFields(bytes, start, end));
        return;
      case backend.notificationResponse:
        this.#notified(readNotification(bytes, start, end));
        return;
    }
    this.#flights.message(type, bytes, start, end, owned);
  }

  #notified(notification: Notification): void {
    this.#options.onNotification?.(notification);
    this.#subscriber?.(notification);
  }

  rowStream(length: number): MessageStream | null {
    return this.#flights.rowStream(length);
  }

  /** The server is ready, nothing is left behind and nobody can disturb the next flight: the connection is free. */
  #release(): void {
    if (this.#parametersChanged && !this.#steady.intact) {
      this.#abandon(null);
      return;
    }
    this.#parametersChanged = false;
    if (this.#freeWaiters.length > 0) for (const resolve of this.#freeWaiters.splice(0)) resolve(true);
    this.#observer?.idle(this);
  }

  #sendCancel(timeout: number): Promise<void> {
    const { endpoint, processId, cancelKey } = this.#session;
    return cancelBackend(endpoint, this.#config.tls, this.encrypted, processId, cancelKey, timeout);
  }

  get #cancelTimeout(): number {
    return this.#options.cancelTimeout ?? 5000;
  }

  get #closeTimeout(): number {
    return this.#options.closeTimeout ?? 1000;
  }

  /**
   * Gives the connection up. A flight without an answer gets the error. The socket stays until the server has closed its side, or for
   * closeTimeout, so that the server's end of it is not left to run on.
   */
  #abandon(error: ConnectionError | null): void {
    if (this.#life !== 'open') return;
    if (error !== null) this.#lost ??= error.message;
    const { transport, reader } = this.#session;
    const running = this.#borrower !== null || (!this.#outbox.empty && !this.#flights.cancelled);
    this.#life = 'closing';
    reader.stop();
    this.#destroyLater();
    if (running && this.#fatal === null) this.#sendCancel(this.#closeTimeout).catch(() => undefined);
    transport.socket.write(terminateMessage);
    transport.end();
    transport.resume();
    this.#dismiss(error);
    this.#flights.end(error);
  }

  #dismiss(error: Error | null): void {
    const borrower = this.#borrower;
    this.#borrower = null;
    borrower?.lost(error);
  }

  #destroyLater(): void {
    this.#grace.start(this.#closeTimeout, () => this.#session.transport.destroy());
  }
}
