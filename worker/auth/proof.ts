/**
 * A token whose key the pooler keeps to itself. The worker plans by what the token says, since the pooler verifies the token of every
 * transaction: so a good one costs no time. What is answered without a transaction waits until the pooler has been asked.
 */
import type { TransactionOutcome } from '../../shared/hop/types.ts';
import type { ApiError } from '../error.ts';
import type { Authenticator, Identity } from './authenticator.ts';

/** Asks a pooler about a token: why it does not accept it (401), or why it cannot say (503); null where it accepts it. Never throws. */
export type Judge = (token: string) => Promise<ApiError | null>;

export class Proof {
  readonly #token: string;
  readonly #authenticator: Authenticator;
  readonly #judge: Judge;
  /** Whether the pooler has to be asked before anything is answered. */
  #isOpen: boolean;

  constructor(token: string, { unproven }: Identity, authenticator: Authenticator, judge: Judge) {
    this.#token = token;
    this.#authenticator = authenticator;
    this.#judge = judge;
    this.#isOpen = unproven === true;
  }

  /** What became of a transaction with the token says what the pooler thinks of it. */
  see(outcome: TransactionOutcome): void {
    if (outcome.ok || outcome.failure.kind === 'database') {
      if (this.#isOpen) this.#authenticator.accepted(this.#token);
      this.#isOpen = false;
    } else if (outcome.failure.kind === 'refused') {
      // Whatever was refused first. One that was proven before may have been signed with a key that is none any more.
      this.#isOpen ||= outcome.failure.reason === 'token';
    } else this.#isOpen = false;
  }

  /** Why the token is not accepted, which goes before whatever else there is to say; null where nothing is known against it. */
  async refusal(): Promise<ApiError | null> {
    return this.#isOpen ? await this.#judge(this.#token) : null;
  }
}
