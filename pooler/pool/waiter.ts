import type { CancelSignal } from '../wire/index.ts';
import type { Account } from './account.ts';
import type { Queued } from './queue.ts';
import type { Slot } from './slot.ts';
import type { Admission, Subject } from './types.ts';

/** What becomes of a request that asked for a connection. Exactly one of the two is called. */
export interface Request {
  grant(slot: Slot, waiter: Waiter): void;
  refuse(error: Error): void;
}

/** A request in the queue. */
export class Waiter implements Queued {
  readonly account: Account;
  readonly key: string;
  place = -1;
  lane = -1;
  readonly scope: string;
  readonly subject: Subject | null;
  readonly request: Request;
  readonly deadline: number;
  readonly signal: CancelSignal | null;
  /** When it came, by performance.now(). */
  readonly since: number;
  /** When it has waited long enough, in milliseconds since the epoch. */
  expires = Number.POSITIVE_INFINITY;
  onAbort: (() => void) | null = null;

  constructor(request: Request, account: Account, admission: Admission, since: number) {
    this.request = request;
    this.account = account;
    this.key = admission.key ?? '';
    this.scope = admission.scope ?? '';
    this.subject = admission.subject ?? null;
    this.deadline = admission.deadline ?? Number.POSITIVE_INFINITY;
    this.signal = admission.signal ?? null;
    this.since = since;
  }

  /** It no longer waits: nobody needs to tell it that its client has gone. */
  leave(): void {
    if (this.onAbort !== null) this.signal?.removeEventListener('abort', this.onAbort);
    this.onAbort = null;
  }

  refuse(error: Error): void {
    this.leave();
    this.request.refuse(error);
  }
}
