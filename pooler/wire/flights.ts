import { Aftermath } from './aftermath.ts';
import type { Batch } from './batch.ts';
import { Cancelling } from './cancelling.ts';
import { DeadlineTimer } from './deadline.ts';
import { ConnectionError, type DatabaseError } from './errors.ts';
import type { Grace } from './grace.ts';
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
import { backend, ProtocolViolation } from './messages.ts';
import type { Outbox } from './outbox.ts';
import type { MessageHandler, MessageStream } from './reader.ts';
import type { RowStream } from './row-stream.ts';
import type { Transport } from './transport.ts';
import type { CancelReason, Flight } from './types.ts';

/** What flights get of the connection that carries them. */
export interface Carrier {
  readonly transport: Transport;
  readonly outbox: Outbox;
  readonly grace: Grace;
  /** Milliseconds that the server has to stop, or to reset. */
  readonly cancelTimeout: number;
  /** As a Connection's. */
  cancel(): Promise<void>;
  /** The server is ready, nothing is left behind and nobody can disturb the next flight. */
  release(): void;
  /** Gives the connection up, which calls end(). */
  abandon(error: ConnectionError | null): void;
}

const idleStatus = 0x49;
const openStatus = 0x54;
const failedStatus = 0x45;

const dropped: MessageStream = { piece: () => true, end: () => undefined };

/** One flight after the other on its way over a connection: sent, answered or cancelled, and nothing of it left behind for the next. */
export class Flights implements MessageHandler {
  readonly #carrier: Carrier;
  readonly #outbox: Outbox;
  readonly #aftermath: Aftermath;
  #journey: Journey | null = null;
  #stream: RowStream | null = null;
  #cancelling: Cancelling | null = null;
  readonly #deadline = new DeadlineTimer(() => this.#onDeadline());
  /** When the reset has to be through, in milliseconds since the epoch. */
  #resetBy = 0;

  constructor(carrier: Carrier) {
    this.#carrier = carrier;
    this.#outbox = carrier.outbox;
    this.#aftermath = new Aftermath(carrier.outbox);
  }

  /** `resetting`: the flight has been answered, but the next one has to wait. */
  get state(): 'idle' | 'busy' | 'resetting' {
    if (this.#journey === null) return 'idle';
    return this.#journey.answered ? 'resetting' : 'busy';
  }

  /** Whether the server has been asked to stop what is under way. */
  get cancelled(): boolean {
    return this.#cancelling !== null;
  }

  /** As a Connection's, while the state is `idle`. */
  start(flight: Flight, done: FlightCallback): void {
    const journey = newJourney(flight, done);
    try {
      this.#outbox.writeFlight(journey);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      done(error, null);
      return;
    }
    this.#journey = journey;
    this.#aftermath.begin();
    this.#outbox.sendFlight(journey, this.#carrier.transport.socket);
    if (flight.deadline !== undefined) this.#deadline.set(flight.deadline);
    if (flight.signal !== undefined) {
      flight.signal.addEventListener('abort', this.#onAbort);
      if (flight.signal.aborted) this.#cancel('signal');
    }
  }

  /** Takes a message other than the asynchronous ones. */
  message(type: number, bytes: Buffer, start: number, end: number, owned: boolean): void {
    if (type === backend.readyForQuery) {
      this.#ready(end - start === 1 ? bytes[start] : undefined);
      return;
    }
    const { first } = this.#outbox;
    if (first === undefined) throw new ProtocolViolation(`message '${String.fromCharCode(type)}' while idle`);
    first.batch.message(type, bytes, start, end, owned, this.#outbox.statements);
    if (first.batch.copying !== null) this.#refuseCopy(first.batch.copying);
  }

  rowStream(length: number): MessageStream | null {
    if (this.#outbox.first?.batch.refuses(length) === true) return dropped;
    const stream = this.#outbox.first?.batch.rowStream() ?? null;
    if (stream !== null) {
      stream.resume = () => this.#carrier.transport.resume();
      // Nobody waits for it any more.
      if (this.#journey?.cancelled !== null) stream.discard();
    }
    this.#stream = stream;
    return stream;
  }

  /** The connection has been given up: nothing more is sent. A flight without an answer gets the error. */
  end(error: ConnectionError | null): void {
    const journey = this.#over();
    journey?.done(error ?? new ConnectionError('unknown', 'the connection was given up during the flight'), null);
  }

  /** The socket is gone, after the error with which the server ended the connection or for another cause. */
  lost(fatal: DatabaseError | null, cause: Error | null): void {
    const journey = this.#over();
    if (journey === null) return;
    const loss = lossOf(journey, fatal, this.#carrier.transport.encrypted, fatal ?? cause);
    if (loss instanceof ConnectionError) journey.done(loss, null);
    else journey.done(null, loss);
  }

  /** Lets go of everything and returns the flight that still waits for its answer. */
  #over(): Journey | null {
    const journey = this.#journey;
    this.#journey = null;
    this.#deadline.clear();
    this.#cancelling?.stop();
    if (journey === null || journey.answered) return null;
    this.#settle(journey);
    return journey;
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
      this.#carrier.abandon(null);
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
    this.#continue();
    if (this.#journey === journey) {
      // Nobody waits for the reset; somebody has to notice when it does not come to an end.
      this.#resetBy = Date.now() + this.#carrier.cancelTimeout;
      this.#deadline.set(this.#resetBy);
    }
    journey.done(null, result);
  }

  /** Does what is still to be done, when nothing is under way. */
  #continue(): void {
    const journey = this.#journey;
    if (journey === null || !this.#outbox.empty || this.#cancelling?.active === true) return;
    if (this.#aftermath.goOn(journey, this.#carrier.transport.socket)) return;
    this.#journey = null;
    if (this.#cancelling !== null) {
      this.#cancelling = null;
      this.#carrier.grace.end();
    }
    this.#carrier.release();
  }

  readonly #onAbort = (): void => this.#cancel('signal');

  #onDeadline(): void {
    const journey = this.#journey;
    if (journey === null) return;
    const due = journey.answered ? this.#resetBy : journey.flight.deadline;
    if (due === undefined) return;
    if (due > Date.now()) this.#deadline.set(due);
    else if (journey.answered) this.#carrier.abandon(null);
    else this.#cancel('deadline');
  }

  /**
   * Asks the server to stop. The connection is free only when the flight is answered and the server has closed the socket of the request:
   * before that the request may hit whatever runs then.
   */
  #cancel(reason: CancelReason): void {
    const journey = this.#journey;
    if (journey === null || journey.answered || journey.cancelled !== null) return;
    journey.cancelled = reason;
    // A server that waits for us to read does not notice the request.
    this.#stream?.discard();
    const lost = () =>
      this.#carrier.abandon(new ConnectionError('unknown', 'the flight could not be cancelled in time'));
    this.#carrier.grace.start(this.#carrier.cancelTimeout, lost);
    this.#cancelling = new Cancelling(
      () => this.#carrier.cancel(),
      () => this.#continue(),
      lost,
    );
  }

  /** COPY is no part of a flight. The connection is given up, because the server would take our next messages for data. */
  #refuseCopy(direction: 'in' | 'out'): void {
    const journey = this.#journey;
    if (direction === 'in' && journey !== null && !journey.answered) {
      this.#settle(journey);
      journey.done(null, resultOf(journey, copyRefusal('in')));
    }
    const refusal = copyRefusal('out');
    this.#carrier.abandon(new ConnectionError('unknown', refusal.message, refusal));
  }

  /** The flight is about to be told its result. */
  #settle(journey: Journey): void {
    journey.answered = true;
    this.#cancelling?.stop();
    journey.flight.signal?.removeEventListener('abort', this.#onAbort);
  }
}
