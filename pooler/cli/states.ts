/** Where a worker in this process plans: on the pooler's own snapshot, without a hop. */

import { sameContent } from '../../shared/snapshot/version.ts';
import type { ObserveTokens } from '../../worker/auth/authenticator.ts';
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
      const { jwtKeys } = loaded.config;
      this.#state = nextState(this.#state, loaded.snapshot, jwtKeys === null ? null : { keys: jwtKeys }, this.#observe);
    }
    return this.#state;
  }

  async newerThan(version: string): Promise<State | null> {
    await this.#source.fresh();
    const state = this.current();
    return state !== null && !sameContent(state.schema.version, version) ? state : null;
  }

  async afterRefusal(): Promise<null> {
    return null; // what is loaded here is what counts
  }

  seen(): void {
    // This process has the newest snapshot already.
  }
}
