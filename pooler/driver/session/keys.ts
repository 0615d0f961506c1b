/** The keys by which a client's request to cancel finds its session. They are the door's own, not those of a server connection. */
import { randomBytes, randomInt, timingSafeEqual } from 'node:crypto';

/** What can be cancelled. */
export interface Cancellable {
  cancel(): void;
}

export interface Key {
  readonly processId: number;
  readonly secret: Buffer;
}

/** Process ids are positive in PostgreSQL, and on 64-bit Linux at most 2^22: nobody can ask a server to end another one by ours. */
const minimum = 2 ** 22 + 1;
const maximum = 2 ** 31;

export class CancelKeys {
  readonly #sessions = new Map<number, { readonly secret: Buffer; readonly session: Cancellable }>();

  /** A key that nobody has, for a session that is beginning. */
  add(session: Cancellable): Key {
    let processId = randomInt(minimum, maximum);
    while (this.#sessions.has(processId)) processId = randomInt(minimum, maximum);
    const secret = randomBytes(4);
    this.#sessions.set(processId, { secret, session });
    return { processId, secret };
  }

  delete({ processId }: Key): void {
    this.#sessions.delete(processId);
  }

  /** Cancels what the session is doing that has this key. Nobody learns whether there is one. */
  cancel(processId: number, secret: Buffer): void {
    const found = this.#sessions.get(processId);
    if (found === undefined || found.secret.length !== secret.length) return;
    if (timingSafeEqual(found.secret, secret)) found.session.cancel();
  }
}
