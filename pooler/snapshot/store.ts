/** The current snapshot: loaded, reloaded when told to, kept when a reload fails. */
import type { Snapshot } from '../../shared/snapshot/types.ts';

/** What happens to the snapshot, for the log and the metrics. */
export type SnapshotEvent =
  | { readonly kind: 'loaded'; readonly snapshot: Snapshot; readonly milliseconds: number }
  /** The old snapshot, if any, stays in use; the next attempt follows after `retryIn` milliseconds. */
  | { readonly kind: 'failed'; readonly error: unknown; readonly retryIn: number };

export interface SnapshotStoreOptions {
  /** Reads the database anew; a rejection counts as a failed load. */
  readonly load: () => Promise<Snapshot>;
  readonly observe?: (event: SnapshotEvent) => void;
  /** Milliseconds between the end of a load and the next: a burst of reloads becomes two. */
  readonly cooldown?: number;
  /** Milliseconds before the first and at most before any retry; each wait doubles the last. */
  readonly retry?: { readonly first: number; readonly most: number };
}

/**
 * Holds the snapshot. Without one `current()` is null, which requests answer with PGRST002. A reload starts at once
 * when none runs and none ended less than the cooldown ago; all that are asked for meanwhile share one later load
 * (PostgREST's debounce, leading and trailing). A failed load is tried again until one succeeds.
 */
export class SnapshotStore {
  readonly #load: () => Promise<Snapshot>;
  readonly #observe: (event: SnapshotEvent) => void;
  readonly #cooldown: number;
  readonly #retry: { readonly first: number; readonly most: number };
  readonly #listeners = new Set<(snapshot: Snapshot) => void>();
  #current: Snapshot | null = null;
  /** Resolves when a load that was not yet begun at the call ends; null when none is wanted. */
  #wanted: PromiseWithResolvers<boolean> | null = null;
  /** The attempt under way. */
  #loading: Promise<boolean> | null = null;
  /** Loading, cooling down or waiting to try again. */
  #running = false;
  #closed = false;
  #wake: (() => void) | null = null;

  constructor(options: SnapshotStoreOptions) {
    this.#load = options.load;
    this.#observe = options.observe ?? (() => undefined);
    this.#cooldown = options.cooldown ?? 100;
    this.#retry = options.retry ?? { first: 1000, most: 32_000 };
  }

  /** The snapshot in use; null until the first load succeeded. */
  current(): Snapshot | null {
    return this.#current;
  }

  /**
   * Asks for a load that begins after this call. Resolves when its first attempt has ended: true when there is a new
   * snapshot, false when it failed (it goes on trying) or the store was closed. Never rejects.
   */
  reload(): Promise<boolean> {
    if (this.#closed) return Promise.resolve(false);
    this.#wanted ??= Promise.withResolvers<boolean>();
    const { promise } = this.#wanted;
    if (this.#running) this.#wake?.();
    else void this.#run();
    return promise;
  }

  /** Calls the listener with every new snapshot from now on. Gives the function that ends it. */
  subscribe(listener: (snapshot: Snapshot) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Ends waiting and retrying; a load under way is left to end, its result dropped. */
  close(): void {
    this.#closed = true;
    this.#wanted?.resolve(false);
    this.#wanted = null;
    this.#wake?.();
    this.#listeners.clear();
  }

  /**
   * Resolves when no load is under way or asked for, as far as it is known now: then `current()` is as new as can be.
   * A load that is being retried does not hold it up.
   */
  async settled(): Promise<void> {
    await this.#loading;
    await this.#wanted?.promise;
  }

  async #run(): Promise<void> {
    this.#running = true;
    let failures = 0;
    while (!this.#closed && (this.#wanted || failures > 0)) {
      const wanted = this.#wanted;
      this.#wanted = null;
      this.#loading = this.#attempt(failures);
      const succeeded = await this.#loading;
      this.#loading = null;
      wanted?.resolve(succeeded);
      failures = succeeded ? 0 : failures + 1;
      await this.#pause(this.#cooldown, false);
      if (failures > 0) await this.#pause(this.#retryDelay(failures - 1) - this.#cooldown, true);
    }
    this.#running = false;
  }

  async #attempt(failures: number): Promise<boolean> {
    const start = performance.now();
    let snapshot: Snapshot;
    try {
      snapshot = await this.#load();
    } catch (error) {
      if (!this.#closed) this.#observe({ kind: 'failed', error, retryIn: this.#retryDelay(failures) });
      return false;
    }
    if (this.#closed) return false;
    this.#current = snapshot;
    this.#observe({ kind: 'loaded', snapshot, milliseconds: performance.now() - start });
    for (const listener of this.#listeners) listener(snapshot);
    return true;
  }

  #retryDelay(failures: number): number {
    return Math.min(this.#retry.first * 2 ** failures, this.#retry.most);
  }

  /** Waits; ends early when closed and, if `wakeable`, when a reload is asked for (or already was). */
  async #pause(milliseconds: number, wakeable: boolean): Promise<void> {
    if (this.#closed || milliseconds <= 0 || (wakeable && this.#wanted)) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        if (!wakeable && !this.#closed) return;
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = null;
  }
}
