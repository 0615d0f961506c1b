/** Where a worker in this process plans: on the pooler's own snapshot, without a hop. */

import { sameContent } from '../../shared/snapshot/version.ts';
import type { ObserveTokens } from '../../worker/auth/authenticator.ts';
import { UnknownKeyError } from '../../worker/auth/errors.ts';
import type { ApiError } from '../../worker/error.ts';
import { nextState, type State, type StateSource } from '../../worker/state.ts';
import type { SnapshotSource } from '../snapshot/source.ts';

export class LocalStates implements StateSource {
  readonly #source: SnapshotSource;
  readonly #observe: ObserveTokens;
  #state: State | null = null;

  constructor(source: SnapshotSource, observe: ObserveTokens) {
    this.#source = source;
    this.#observe = observe;
  }

  current(): State | null {
    const loaded = this.#source.current();
    if (loaded === null) return null;
    if (this.#state === null || !sameContent(this.#state.schema.version, loaded.snapshot.version)) {
      this.#state = nextState(this.#state, loaded.snapshot, loaded.keys, this.#observe);
    }
    return this.#state;
  }

  async newerThan(version: string): Promise<State | null> {
    await this.#source.fresh();
    return this.#otherThan(version);
  }

  /** What is loaded here is what counts, but for an issuer's keys. */
  async afterRefusal(version: string, refusal: ApiError): Promise<State | null> {
    if (!(refusal instanceof UnknownKeyError)) return null;
    await this.#source.withKey(refusal.kid);
    return this.#otherThan(version);
  }

  #otherThan(version: string): State | null {
    const state = this.current();
    return state !== null && !sameContent(state.schema.version, version) ? state : null;
  }

  seen(): void {
    // This process has the newest snapshot already.
  }
}
