/** Where a worker that is elsewhere plans: on the snapshot it got from the pooler over the hop. */
import { noSchemaCache } from '../response/errors.ts';
import { nextState, type State, type StateSource } from '../state.ts';
import type { HttpHop } from './http.ts';

/**
 * The pooler is asked for a newer snapshot at most this often by an isolate, in milliseconds. An error that the snapshot
 * decided waits for the next question, so that it is never a stale one.
 */
const ASK_INTERVAL = 100;
/** How long such an error waits for an answer at most. */
const ASK_PATIENCE = 5000;
const POLL_INTERVAL = 5;

const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/**
 * What an isolate's requests share: finished values only. A promise made in one request hangs in another (Workers), so
 * a request that waits for another's question looks at the clock instead.
 */
export class Isolate {
  state: State | null = null;
  /** When the last question was asked, and when the last one that was answered had been asked. */
  asked = Number.NEGATIVE_INFINITY;
  answered = Number.NEGATIVE_INFINITY;
}

/** One for each request: its background work goes through `waitUntil`. */
export class RemoteStates implements StateSource {
  readonly #hop: HttpHop;
  readonly #isolate: Isolate;
  readonly #waitUntil: (work: Promise<unknown>) => void;

  constructor(hop: HttpHop, isolate: Isolate, waitUntil: (work: Promise<unknown>) => void) {
    this.#hop = hop;
    this.#isolate = isolate;
    this.#waitUntil = waitUntil;
  }

  current(): State | Promise<State | null> {
    return this.#isolate.state ?? this.#first();
  }

  async newerThan(version: string): Promise<State | null> {
    const arrived = Date.now();
    for (;;) {
      const { state, asked, answered } = this.#isolate;
      if (state !== null && state.schema.version !== version) return state;
      if (answered >= arrived || Date.now() - arrived > ASK_PATIENCE) return null;
      if (Date.now() - asked >= ASK_INTERVAL) await this.#refresh();
      else await sleep(POLL_INTERVAL);
    }
  }

  seen(version: string): void {
    const { state, asked } = this.#isolate;
    if (state?.schema.version === version || Date.now() - asked < ASK_INTERVAL) return;
    this.#waitUntil(this.#refresh());
  }

  async #first(): Promise<State | null> {
    const failure = await this.#refresh();
    if (this.#isolate.state === null && failure !== null) throw noSchemaCache(failure);
    return this.#isolate.state;
  }

  /** Asks the pooler and keeps what it gives. Returns why there was no answer, if so. */
  async #refresh(): Promise<string | null> {
    const isolate = this.#isolate;
    const asked = Date.now();
    isolate.asked = asked;
    const known = isolate.state?.schema.version ?? null;
    const [snapshot, keys] = await Promise.all([
      this.#hop.fetchSnapshot(known, null),
      known === null ? this.#hop.fetchKeys(null) : null,
    ]);
    if (snapshot.kind === 'failed') return snapshot.message;
    if (snapshot.kind === 'new') {
      const fetched = keys ?? (await this.#hop.fetchKeys(null));
      if (fetched.kind === 'failed') return fetched.message;
      // A slower answer to an earlier question must not undo a newer one.
      if (isolate.state === null || isolate.state.schema.snapshot.loadedAt <= snapshot.snapshot.loadedAt) {
        isolate.state = nextState(isolate.state, snapshot.snapshot, fetched.keys);
      }
    }
    isolate.answered = Math.max(isolate.answered, asked);
    return null;
  }
}
