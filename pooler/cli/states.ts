/** Where a worker in this process plans: on the pooler's own snapshot, without a hop. */
import type { KeySet } from '../../worker/auth/keys.ts';
import { nextState, type State, type StateSource } from '../../worker/state.ts';
import type { SnapshotSource } from '../snapshot/source.ts';

export class LocalStates implements StateSource {
  readonly #source: SnapshotSource;
  readonly #keys: KeySet | null;
  #state: State | null = null;

  constructor(source: SnapshotSource, keys: KeySet | null) {
    this.#source = source;
    this.#keys = keys;
  }

  current(): State | null {
    const loaded = this.#source.current();
    if (loaded === null) return null;
    if (this.#state?.schema.snapshot !== loaded.snapshot) {
      this.#state = nextState(this.#state, loaded.snapshot, this.#keys);
    }
    return this.#state;
  }

  async newerThan(version: string): Promise<State | null> {
    await this.#source.fresh();
    const state = this.current();
    return state !== null && state.schema.version !== version ? state : null;
  }

  seen(): void {
    // This process has the newest snapshot already.
  }
}
