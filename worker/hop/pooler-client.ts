/** What a worker asks of one pooler, over whatever carries it. */
import type { Hop, TransactionError, TransactionFailure, TransactionRequest } from '../../shared/hop/types.ts';
import { callerGone } from '../../shared/transaction/failures.ts';
import type { FetchedKeys, FetchedSnapshot, Judgement } from './fetched.ts';

export interface PoolerClient extends Hop {
  /** The pooler's snapshot, if its content is none of those of these versions. Never throws. */
  fetchSnapshot(known: readonly string[], signal: AbortSignal | null): Promise<FetchedSnapshot>;
  /**
   * The keys that verify tokens; null where the pooler has none. For memory only. `unknown`: the name of a key that a token has and
   * the known ones lack ('' for a token that names none), for which the pooler looks first. Never throws.
   */
  fetchKeys(signal: AbortSignal | null, unknown?: string | null): Promise<FetchedKeys>;
  /** What it says of a token whose key it keeps to itself. Never throws. */
  judge(token: string, signal: AbortSignal | null): Promise<Judgement>;
  /** Whether it serves. Never throws. */
  isLive(signal: AbortSignal | null): Promise<boolean>;
}

/**
 * The pooler gave no answer that is its own. `sent`: whether any of the message may have reached it. A transaction that only
 * reads has no outcome that could be unknown.
 */
export function transportFailure(request: TransactionRequest, sent: boolean, message: string): TransactionError {
  const failure: TransactionFailure =
    sent && request.access === 'read write'
      ? { kind: 'unknown outcome', message: 'The pooler did not answer: the transaction may have been committed.' }
      : { kind: 'unavailable', reason: sent ? 'lost' : 'connect', message, detail: message };
  return { ok: false, snapshot: null, failure };
}

export const cancelled = (): TransactionError => ({ ok: false, snapshot: null, failure: callerGone });
