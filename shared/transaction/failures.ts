/** Why a transaction has no result, as whoever runs it on the database says it. */
import { type Refused, refuse } from '../hop/codec.ts';
import type { TransactionFailure, TransactionRequest } from '../hop/types.ts';

/** `detail`: for the log and the answer; it has no secret in it. */
type Failed = (detail: string) => TransactionFailure;

/** The database could not be reached, or did not let us in: nothing has run. */
export const notConnected: Failed = (detail) => ({
  kind: 'unavailable',
  reason: 'connect',
  message: 'Database connection error',
  detail,
});

/** The connection was lost, and there was no commit. */
export const connectionLost: Failed = (detail) => ({
  kind: 'unavailable',
  reason: 'lost',
  message: 'Database client error',
  detail,
});

/** The connection was lost after all was sent. A transaction that only reads has no outcome that could be unknown. */
export const unanswered = (request: TransactionRequest, detail: string): TransactionFailure =>
  request.access === 'read only'
    ? connectionLost(detail)
    : {
        kind: 'unknown outcome',
        message: 'The connection was lost after the transaction had been sent: it may have been committed.',
      };

export const callerGone: TransactionFailure = { kind: 'cancelled', message: 'The caller went away.' };

/** The schema cache has not been loaded so far. */
export const notLoaded: TransactionFailure = {
  kind: 'unavailable',
  reason: 'no snapshot',
  message: 'The schema cache has not been loaded yet.',
  detail: null,
};

/** The role is privileged, and not listed. */
export const privilegedRole: Refused = refuse(403, 'role', 'Superusers and roles with BYPASSRLS are not for requests.');
