import { Aftermath } from './aftermath.ts';
import type { Batch } from './batch.ts';
import { cancelBackend } from './cancel.ts';
import { Cancelling } from './cancelling.ts';
import type { ConnectionConfig } from './config.ts';
import { DeadlineTimer } from './deadline.ts';
import { ConnectionError, type DatabaseError } from './errors.ts';
import { readError, readErrorFields, readNotification, readParameter } from './fields.ts';
import {
  copyRefusal,
  type FlightCallback,
  failedOnStaleNames,
  type Journey,
  leftOpen,
  lossOf,
  newJourney,
  resultOf,
} from './journey.ts';
import type { Borrower, Lent } from './lending.ts';
import { backend, ProtocolViolation, terminateMessage } from './messages.ts';
import { Outbox } from './outbox.ts';
import type { MessageHandler, MessageStream } from './reader.ts';
import type { RowStream } from './row-stream.ts';
import type { Session } from './startup.ts';
import { Steady } from './steady.ts';
import type { TransportListener } from './transport.ts';
import type { CancelReason, ConnectionOptions, Flight, FlightResult, Notification } from './types.ts';

/** `resetting`: the flight has been answered, but the connection is not free yet. `closing`: no more flights; the socket still exists. */
export type ConnectionState = 'idle' | 'busy' | 'resetting' | 'closing' | 'closed';

/** Who is told when a connection becomes free and when its socket is gone. */
export interface ConnectionObserver {
  idle(connection: Connection): void;
  closed(connection: Connection): void;
}

const idleStatus = 0x49;
const openStatus = 0x54;
const failedStatus = 0x45;

const dropped: MessageStream = { piece: () => true, end: () => undefined };

/**
 * A logged-in connection, which carries one flight at a time. It is free for the next one (state `idle`) only when the server has said so
 * outside of any transaction, the reset is through and no request to cancel can still be under way; in any other case it closes.
 */
export class Connection implements MessageHandler, TransportListener {
  readonly #session: Session;
  readonly #config: ConnectionConfig;
  readonly #options: ConnectionOptions;
  readonly #outbox: Outbox;
  readonly #aftermath: Aftermath;
  readonly #steady: Steady;
  #observer: ConnectionObserver | null = null;
  #state: ConnectionState = 'idle';
  #journey: Journey | null = null;
  #borrower: Borrower | null = null;
  #subscriber: ((notification: Notification) => void) | null = null;
  #stream: RowStream | null = null;
  #cancelling: Cancelling | null = null;
  /** The error with which the server ended the connection. */
  #fatal: DatabaseError | null = null;
  /** Why it ends, where nobody had asked it to. */
  #lost: string | null = null;
  #parametersChanged = false;
  readonly #deadline = new DeadlineTimer(() => this.#onDeadline());
  /** When the reset has to be through, in milliseconds since the epoch. */
  #resetBy = 0;
  #graceTimer: NodeJS.Timeout | null = null;
  readonly #closeWaiters: (() => void)[] = [];
  readonly #freeWaiters: ((free: boolean) => void)[] = [];

  /** Takes over a session; see connect(). */
  constructor(session: Session, config: ConnectionConfig, options: ConnectionOptions = {}) {
    this.#session = session;
    this.#config = config;
    this.#options = options;
    this.#outbox = new Outbox(options.statementCapacity ?? 256, options.statementUses);
    this.#aftermath = new Aftermath(this.#outbox);
    this.#steady = new Steady(session.parameters, config.targetSession);
    session.reader.handOver(this);
    session.transport.listen(this);
  }

  get state(): ConnectionState {
    return this.#state;
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
    if (this.#state === 'closed') observer.closed(this);
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
    if (this.#state !== 'idle') {
      done(new ConnectionError('closed', `the connection is not free but ${this.#state}`), null);
      return;
    }
    const journey = newJourney(flight, done);
    try {
      this.#outbox.writeFlight(journey);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      done(error, null);
      return;
    }
    this.#state = 'busy';
    this.#journey = journey;
    this.#aftermath.begin();
    this.#outbox.sendFlight(journey, this.#session.transport.socket);
    if (flight.deadline !== undefined) this.#deadline.set(flight.deadline);
    if (flight.signal !== undefined) {
      flight.signal.addEventListener('abort', this.#onAbort);
      if (flight.signal.aborted) this.#cancel('signal');
    }
  }

  /**
   * Lends the session's bytes to somebody who speaks the protocol himself, until he gives it back. Null when the connection is not free,
   * or in the middle of a message that the server has sent by itself.
   */
  lend<B extends Borrower>(borrow: (lent: Lent) => B): B | null {
    const { transport, reader, parameters } = this.#session;
    if (this.#state !== 'idle' || !reader.between) return null;
    const borrower = borrow({
      socket: transport.socket,
      writer: this.#outbox.writer,
      statements: this.#outbox.statements,
      reported: (name, value) => {
        parameters.set(name, value);
        this.#parametersChanged = true;
      },
      resume: () => transport.resume(),
      giveBack: () => {
        if (this.#borrower !== borrower) return;
        this.#borrower = null;
        if (!this.#ended) this.#release();
      },
    });
    this.#state = 'busy';
    this.#borrower = borrower;
    return borrower;
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
    if (this.#state === 'idle' || this.#ended) return Promise.resolve(this.#state === 'idle');
    return new Promise((resolve) => this.#freeWaiters.push(resolve));
  }

  /** Ends the session and resolves when the socket is closed. A flight under way is cancelled; its outcome is unknown. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#state === 'closed') {
        resolve();
        return;
      }
      this.#closeWaiters.push(resolve);
      const running = this.#journey?.answered === false;
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
    const journey = this.#journey;
    if (!this.#ended) this.#lost ??= error?.message ?? 'the server closed the connection';
    this.#state = 'closed';
    this.#clearTimers();
    if (journey !== null && !journey.answered) {
      const loss = lossOf(journey, this.#fatal, this.encrypted, this.#fatal ?? error);
      this.#settle(journey);
      if (loss instanceof ConnectionError) journey.done(loss, null);
      else journey.done(null, loss);
    }
    this.#dismiss(this.#fatal ?? error);
    this.#observer?.closed(this);
    for (const resolve of this.#closeWaiters.splice(0)) resolve();
    for (const resolve of this.#freeWaiters.splice(0)) resolve(false);
  }

  message(type: number, bytes: Buffer, start: number, end: number, owned: boolean): void {
    switch (type) {
      case backend.readyForQuery:
        this.#ready(end - start === 1 ? bytes[start] : undefined);
        return;
      case backend.errorResponse: {
        const error = readError(bytes, start, end);
        if (error.fatal) {
          this.#fatal = error;
          this.#lost = error.message;
          // The server closes now; it is waited for, because what it has said before tells what became of the flight.
          if (this.#outbox.empty) this.#abandon(null);
          else this.#grace(this.#options.closeTimeout ?? 1000, () => this.#session.transport.destroy());
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
    const { first } = this.#outbox;
    if (first === undefined) throw new ProtocolViolation(`message '${String.fromCharCode(type)}' while idle`);
    first.batch.message(type, bytes, start, end, owned, this.#outbox.statements);
    if (first.batch.copying !== null) this.#refuseCopy(first.batch.copying);
  }

  #notified(notification: Notification): void {
    this.#options.onNotification?.(notification);
    this.#subscriber?.(notification);
  }

  rowStream(length: number): MessageStream | null {
    if (this.#outbox.first?.batch.refuses(length) === true) return dropped;
    const stream = this.#outbox.first?.batch.rowStream() ?? null;
    if (stream !== null) {
      stream.resume = () => this.#session.transport.resume();
      // Nobody waits for it any more.
      if (this.#journey?.cancelled !== null) stream.discard();
    }
    this.#stream = stream;
    return stream;
  }

  /** ReadyForQuery: one batch is through. */
  #ready(status: number | undefined): void {
    const through = this.#outbox.take();
    if (through === undefined) throw new ProtocolViolation('ready without having been asked');
    const { purpose, batch } = through;
    this.#stream = null;
    const journey = this.#journey;
    if (journey === null) throw new ProtocolViolation('an answer that nobody waits for');
    if (purpose === 'flight') {
      this.#flightReady(journey, batch, status);
      if (journey.answered) return;
    } else if (!this.#aftermath.ended(purpose, batch, status === idleStatus, journey)) {
      this.#abandon(null);
      return;
    }
    this.#continue();
  }

  #flightReady(journey: Journey, batch: Batch, status: number | undefined): void {
    if (status !== idleStatus) {
      if (status !== openStatus && (status !== failedStatus || batch.error === null))
        throw new ProtocolViolation('ready in a state that cannot be');
      this.#aftermath.transactionIsOpen();
      if (status === openStatus) batch.error ??= leftOpen();
    }
    if (journey.attempts === 1 && failedOnStaleNames(batch)) {
      if (batch.error?.code === '26000') this.#outbox.statements.discardAll();
      else for (const name of batch.named) if (name !== null) this.#outbox.statements.discard(name);
      journey.retry = journey.flight.once !== true && !batch.streamed && journey.cancelled === null;
      if (journey.retry) return;
    }
    const result = resultOf(journey, batch.error);
    this.#settle(journey);
    this.#state = 'resetting';
    this.#continue();
    if (this.#journey === journey) {
      // Nobody waits for the reset; somebody has to notice when it does not come to an end.
      this.#resetBy = Date.now() + this.#cancelTimeout;
      this.#deadline.set(this.#resetBy);
    }
    journey.done(null, result);
  }

  /** Does what is still to be done, when nothing is under way. */
  #continue(): void {
    const journey = this.#journey;
    if (journey === null || !this.#outbox.empty || this.#cancelling?.active === true || this.#ended) return;
    if (!this.#aftermath.goOn(journey, this.#session.transport.socket)) this.#release();
  }

  /** The server is ready, nothing is left behind and nobody can disturb the next flight: the connection is free. */
  #release(): void {
    this.#journey = null;
    if (this.#cancelling !== null) {
      this.#cancelling = null;
      if (this.#graceTimer !== null) clearTimeout(this.#graceTimer);
      this.#graceTimer = null;
    }
    if (this.#parametersChanged && !this.#steady.intact) {
      this.#abandon(null);
      return;
    }
    this.#parametersChanged = false;
    this.#state = 'idle';
    if (this.#freeWaiters.length > 0) for (const resolve of this.#freeWaiters.splice(0)) resolve(true);
    this.#observer?.idle(this);
  }

  readonly #onAbort = (): void => this.#cancel('signal');

  #onDeadline(): void {
    const journey = this.#journey;
    if (journey === null || this.#ended) return;
    const due = journey.answered ? this.#resetBy : journey.flight.deadline;
    if (due === undefined) return;
    if (due > Date.now()) this.#deadline.set(due);
    else if (journey.answered) this.#abandon(null);
    else this.#cancel('deadline');
  }

  /**
   * Asks the server to stop. The connection is free only when the flight is answered and the server has closed the socket of the request:
   * before that the request may hit whatever runs then.
   */
  #cancel(reason: CancelReason): void {
    const journey = this.#journey;
    if (journey === null || journey.answered || journey.cancelled !== null || this.#ended) return;
    journey.cancelled = reason;
    // A server that waits for us to read does not notice the request.
    this.#stream?.discard();
    const timeout = this.#cancelTimeout;
    const lost = () => this.#abandon(new ConnectionError('unknown', 'the flight could not be cancelled in time'));
    this.#grace(timeout, lost);
    this.#cancelling = new Cancelling(
      () => this.#sendCancel(timeout),
      () => this.#continue(),
      lost,
    );
  }

  #sendCancel(timeout: number): Promise<void> {
    const { endpoint, processId, cancelKey } = this.#session;
    return cancelBackend(endpoint, this.#config.tls, this.encrypted, processId, cancelKey, timeout);
  }

  /** COPY is no part of a flight. The connection is given up, because the server would take our next messages for data. */
  #refuseCopy(direction: 'in' | 'out'): void {
    const journey = this.#journey;
    if (direction === 'in' && journey !== null && !journey.answered) {
      this.#settle(journey);
      journey.done(null, resultOf(journey, copyRefusal('in')));
    }
    const refusal = copyRefusal('out');
    this.#abandon(new ConnectionError('unknown', refusal.message, refusal));
  }

  /** The flight is about to be told its result. */
  #settle(journey: Journey): void {
    journey.answered = true;
    this.#cancelling?.stop();
    journey.flight.signal?.removeEventListener('abort', this.#onAbort);
  }

  get #cancelTimeout(): number {
    return this.#options.cancelTimeout ?? 5000;
  }

  get #ended(): boolean {
    return this.#state === 'closing' || this.#state === 'closed';
  }

  /**
   * Gives the connection up. A flight without an answer gets the error. The socket stays until the server has closed its side, or for
   * closeTimeout, so that the server's end of it is not left to run on.
   */
  #abandon(error: ConnectionError | null): void {
    if (this.#ended) return;
    if (error !== null) this.#lost ??= error.message;
    const { transport, reader } = this.#session;
    const journey = this.#journey;
    const running = this.#borrower !== null || (!this.#outbox.empty && this.#cancelling === null);
    this.#cancelling?.stop();
    this.#state = 'closing';
    reader.stop();
    this.#clearTimers();
    const timeout = this.#options.closeTimeout ?? 1000;
    this.#grace(timeout, () => transport.destroy());
    if (running && this.#fatal === null) this.#sendCancel(timeout).catch(() => undefined);
    transport.socket.write(terminateMessage);
    transport.end();
    transport.resume();
    this.#dismiss(error);
    if (journey === null || journey.answered) return;
    this.#settle(journey);
    journey.done(error ?? new ConnectionError('unknown', 'the connection was given up during the flight'), null);
  }

  #dismiss(error: Error | null): void {
    const borrower = this.#borrower;
    this.#borrower = null;
    borrower?.lost(error);
  }

  #grace(timeout: number, then: () => void): void {
    if (this.#graceTimer !== null) clearTimeout(this.#graceTimer);
    this.#graceTimer = setTimeout(then, timeout);
  }

  #clearTimers(): void {
    this.#deadline.clear();
    if (this.#graceTimer !== null) clearTimeout(this.#graceTimer);
    this.#graceTimer = null;
  }
}
