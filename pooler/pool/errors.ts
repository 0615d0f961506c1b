import { UntracedError } from '../../shared/untraced-error.ts';

/**
 * - `acquisition-timeout`: no connection became free in time.
 * - `queue-full`: too many are waiting already.
 * - `deadline`: the request's own deadline passed while it waited; nothing was sent.
 * - `aborted`: whoever asked went away while waiting; nothing was sent.
 * - `closed`: the pool takes no more requests.
 */
export type PoolErrorCode = 'acquisition-timeout' | 'queue-full' | 'deadline' | 'aborted' | 'closed';

const messages: Readonly<Record<PoolErrorCode, string>> = {
  'acquisition-timeout': 'timed out waiting for a connection from the pool',
  'queue-full': 'too many requests are waiting for a connection',
  deadline: 'the deadline passed before a connection was free',
  aborted: 'the request was given up before a connection was free',
  closed: 'the pool is closed',
};

/** The pool did not give a connection. Nothing has reached the database. */
export class PoolError extends UntracedError {
  override readonly name = 'PoolError';
  readonly code: PoolErrorCode;

  constructor(code: PoolErrorCode) {
    super(messages[code]);
    this.code = code;
  }
}
