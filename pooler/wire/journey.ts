import { Batch } from './batch.ts';
import { ConnectionError, DatabaseError } from './errors.ts';
import { wrapped } from './transaction.ts';
import type { CancelReason, Flight, FlightResult } from './types.ts';

/** Called once with the result, or with the reason why there is none. */
export type FlightCallback = (error: ConnectionError | RangeError | null, result: FlightResult | null) => void;

/** One flight on its way: what was asked for and what is known of it. */
export type Journey = {
  readonly flight: Flight;
  readonly done: FlightCallback;
  /** The statements of the current attempt. */
  batch: Batch;
  attempts: number;
  /** The kernel has taken everything, so the server may have it. */
  handedOver: boolean;
  answered: boolean;
  cancelled: CancelReason | null;
  /** Stale names made this attempt fail: another one follows when the connection is free. */
  retry: boolean;
};

export function newJourney(flight: Flight, done: FlightCallback): Journey {
  return {
    flight,
    done,
    batch: new Batch(wrapped(flight)),
    attempts: 1,
    handedOver: false,
    answered: false,
    cancelled: null,
    retry: false,
  };
}

/**
 * True when names of an earlier batch no longer fit what they stand for, so that the flight may succeed on fresh ones. The server has
 * rolled back everything by then, so the whole flight can be sent again.
 */
export function failedOnStaleNames(batch: Batch): boolean {
  // What says so is Parse or Bind. Of the same codes raised by a statement that runs, a second time is no cure.
  if (!batch.failedUnbound) return false;
  switch (batch.error?.code) {
    case '42P05': // the name is taken
      return true;
    case '26000': // the name is unknown
    case '0A000': // the result's type would change
    case '42883': // parameter types are frozen at the first Parse: no such function or operator for the old ones
      return batch.failedOnOldName;
    default:
      return batch.failedOnOldName && batch.statements[batch.failedAt]?.inferred === true && isDataException(batch);
  }
}

/** Class 22: what Bind says of input that a parameter's type does not take. */
const isDataException = ({ error }: Batch): boolean => error?.code.startsWith('22') === true;

/** What to tell of a flight when ReadyForQuery has come, or when it failed for certain. */
export function resultOf(journey: Journey, error: DatabaseError | null): FlightResult {
  const { batch, flight, attempts } = journey;
  const count = flight.statements.length;
  const before = flight.transaction === undefined ? 0 : 1;
  const results =
    before === 0 && batch.results.length <= count ? batch.results : batch.results.slice(before, before + count);
  if (error === null) return { outcome: 'completed', results, cancelled: journey.cancelled, attempts };
  const failedAt = batch.failedAt < 0 ? batch.results.length : batch.failedAt;
  const statement = Math.min(failedAt - before, count);
  return { outcome: 'failed', error, statement, results, cancelled: journey.cancelled, attempts };
}

/**
 * What to tell of a flight whose connection is gone. `fatal` is the error with which the server ended it. Anything that may have been
 * committed is `unknown`.
 */
export function lossOf(
  journey: Journey,
  fatal: DatabaseError | null,
  encrypted: boolean,
  cause: Error | null,
): ConnectionError | FlightResult {
  const { batch, flight } = journey;
  if (journey.retry)
    return new ConnectionError('unsent', 'the connection was lost before the flight was sent again', cause);
  if (batch.error !== null) return resultOf(journey, batch.error);
  if (fatal !== null) {
    // The server answers in order: without any answer it had not begun, and without the answer to the last statement there was no commit.
    if (!batch.answered)
      return new ConnectionError('unsent', 'the server ended the connection before it read the flight', fatal);
    const last = flight.statements.length + (flight.transaction === undefined ? 0 : 1);
    if (batch.results.length < last) return resultOf(journey, fatal);
    return new ConnectionError('unknown', 'the server ended the connection while it committed', fatal);
  }
  // Without its last byte, Sync, a batch is not committed. A COMMIT inside, a second Sync after it, or a TLS layer that has taken bytes
  // which we count as unsent would make that wrong.
  if (!journey.handedOver && !encrypted && flight.transaction === undefined && !flight.reset) {
    return new ConnectionError('unsent', 'the connection was lost before the flight was sent', cause);
  }
  return new ConnectionError('unknown', 'the connection was lost and the outcome is unknown', cause);
}

/** A flight that wanted to copy from the client, or to it. In the first case the server waits for data that does not come, and never commits. */
export function copyRefusal(direction: 'in' | 'out'): DatabaseError {
  const what = direction === 'in' ? 'FROM STDIN' : 'TO STDOUT';
  return new DatabaseError({ severity: 'ERROR', code: '0A000', message: `COPY ${what} is not supported here` });
}

/** A flight that began a transaction and did not end it. */
export function leftOpen(): DatabaseError {
  return new DatabaseError({
    severity: 'ERROR',
    code: '25000',
    message: 'the transaction that was begun was not ended, and has been rolled back',
  });
}
