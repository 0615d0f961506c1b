import { Batch } from './batch.ts';
import type { Journey } from './journey.ts';
import type { Outbox, Purpose } from './outbox.ts';
import type { Sink } from './writer.ts';

const canceled = '57014';
/** How often a batch is repeated that a request to cancel has hit. */
const mostRepetitions = 3;

/** What has to be done after a flight before its connection is free: an open transaction to roll back, a second attempt, a reset that failed. */
export class Aftermath {
  readonly #outbox: Outbox;
  #rollbackDue = false;
  #resetDue = false;
  #repetitions = 0;

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
  }

  /** A new flight has been sent. */
  begin(): void {
    this.#repetitions = 0;
  }

  /** The flight has left a transaction open. */
  transactionIsOpen(): void {
    this.#rollbackDue = true;
  }

  /** A batch that followed a flight is through. False when there is no way to get the session clean: it has to end. */
  ended(purpose: Exclude<Purpose, 'flight'>, batch: Batch, isIdle: boolean, journey: Journey): boolean {
    switch (purpose) {
      case 'rollback':
        return isIdle || this.#mayRepeat(purpose, batch, journey);
      case 'reset':
        // In a failed transaction, or before the flight goes a second time, it had no chance; another one follows.
        if (this.#rollbackDue) this.#resetDue = true;
        else if (journey.retry) {
          if (batch.error !== null) this.#outbox.statements.discardAll();
        } else if (batch.error !== null || !isIdle) return this.#mayRepeat(purpose, batch, journey);
        return true;
      default:
        return purpose satisfies never;
    }
  }

  /** Sends what comes next, when nothing is under way. False when nothing is left to be done. */
  goOn(journey: Journey, socket: Sink): boolean {
    if (this.#rollbackDue) {
      this.#rollbackDue = false;
      this.#outbox.sendRollback(socket);
      return true;
    }
    if (journey.retry) {
      journey.retry = false;
      journey.attempts = 2;
      this.#resetDue = false;
      journey.batch = new Batch(journey.batch.statements);
      this.#outbox.writeFlight(journey);
      this.#outbox.sendFlight(journey, socket);
      return true;
    }
    if (!this.#resetDue) return false;
    this.#resetDue = false;
    this.#outbox.sendReset(journey, socket);
    return true;
  }

  /** A request to cancel can hit the batches after the flight: those are repeated, a few times. */
  #mayRepeat(purpose: 'rollback' | 'reset', batch: Batch, journey: Journey): boolean {
    if (journey.cancelled === null || batch.error?.code !== canceled) return false;
    if (this.#repetitions++ >= mostRepetitions) return false;
    if (purpose === 'rollback') this.#rollbackDue = true;
    else this.#resetDue = true;
    return true;
  }
}
