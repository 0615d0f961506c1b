/**
 * The hop's messages are checked before anything is made of them. A stolen secret must not choose a role, and SQL can: so a worker
 * elsewhere has no SQL of its own, only what the API could ask for.
 */
import { refuse } from '../../shared/hop/codec.ts';
import type { Hop, TransactionOutcome, TransactionRequest } from '../../shared/hop/types.ts';
import type { Snapshot } from '../../shared/snapshot/types.ts';
import { sameContent } from '../../shared/snapshot/version.ts';
import { MessageCheck } from './check.ts';
import type { KnownStatements } from './known.ts';

export interface CheckOptions {
  /** The snapshot that is in force; null before the first. */
  readonly current: () => Snapshot | null;
  /** The one with every change that was notified before the call. */
  readonly fresh: () => Promise<Snapshot | null>;
  /** The statements under a snapshot. */
  readonly statements: (snapshot: Snapshot) => KnownStatements;
}

/** Whether the message was planned on what the snapshot has. */
const isOf = (request: TransactionRequest, snapshot: Snapshot | null): boolean =>
  snapshot !== null && sameContent(request.snapshot, snapshot.version);

/** A hop that takes no other messages than the worker's own. Of a message that is not taken nothing has run. */
export function checkedHop(hop: Hop, { current, fresh, statements }: CheckOptions): Hop {
  let check: MessageCheck | null = null;

  /** Null where it is taken, and where there is no snapshot: then nothing runs. */
  function refusal(request: TransactionRequest, snapshot: Snapshot | null): TransactionOutcome | null {
    if (snapshot === null) return null;
    if (check?.statements.snapshot !== snapshot) check = new MessageCheck(statements(snapshot));
    const failure = check.refusal(request);
    return failure === null ? null : { ok: false, snapshot: snapshot.version, failure };
  }

  /** It may have been right under another snapshot: the worker has not heard of a change, or we have not. */
  async function again(request: TransactionRequest): Promise<TransactionOutcome | null> {
    const snapshot = await fresh();
    const refused = refusal(request, snapshot);
    if (refused === null || refused.ok || isOf(request, snapshot)) return refused;
    const message = `The message was planned on another schema cache. ${refused.failure.message}`;
    return { ...refused, failure: refuse(409, 'snapshot', message) };
  }

  return {
    transaction: (request, payload, signal) => {
      const snapshot = current();
      const refused = refusal(request, snapshot);
      if (refused === null) return hop.transaction(request, payload, signal);
      if (isOf(request, snapshot)) return Promise.resolve(refused);
      return again(request).then((outcome) => outcome ?? hop.transaction(request, payload, signal));
    },
  };
}
