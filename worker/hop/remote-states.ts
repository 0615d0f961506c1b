/** Where a worker that is elsewhere plans: on the snapshot it got from the pooler over the hop. */
import type { ApiError } from '../error.ts';
import { noSchemaCache, refusedByPooler } from '../response/errors.ts';
import { nextState, type State, type StateSource } from '../state.ts';
import type { FetchFailure, HttpHop } from './http.ts';

/**
 * The pooler is asked for a newer snapshot at most this often by an isolate, in milliseconds. An error that the snapshot
 * decided waits for the next question, so that it is never a stale one.
 */
const ASK_INTERVAL = 100;
/** How long an answer is waited for, in milliseconds: the pooler may be loading a large schema. */
const ASK_PATIENCE = 15_000;
const POLL_INTERVAL = 5;
/** How long keys count as the pooler's after it was asked, in milliseconds: bad tokens ask for no others meanwhile. */
const KEYS_FRESH = 1000;

const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Milliseconds since a time; a clock that was set back has no say in when the pooler may be asked again. */
function since(time: number): number {
  const elapsed = Date.now() - time;
  return elapsed < 0 ? Number.POSITIVE_INFINITY : elapsed;
}

/**
 * What an isolate's requests share: finished values only. A promise made in one request hangs in another (Workers), so
 * a request that waits for another's question looks at the numbers instead.
 */
export class Isolate {
  state: State | null = null;
  /** When the pooler was asked the last time. */
  asked = Number.NEGATIVE_INFINITY;
  /** When it was asked what it then answered: the state was right at that time. */
  confirmed = Number.NEGATIVE_INFINITY;
  /** How many questions were put. A request that goes away takes its question with it, which then has no end. */
  questions = 0;
  /** The number of the latest that has come to an end, and why it got no answer, if so. */
  ended = 0;
  failure: ApiError | null = null;
}

const errorOf = ({ message, refusal }: FetchFailure): ApiError =>
  refusal === null ? noSchemaCache(message) : refusedByPooler(refusal);

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

  current(): State | Promise<State> {
    return this.#isolate.state ?? this.#first();
  }

  async newerThan(version: string): Promise<State | null> {
    const isolate = this.#isolate;
    const arrived = Date.now();
    const before = isolate.questions;
    // Only an answer to a question that was put after this call has all that was there at the call.
    while (isolate.ended <= before) {
      if (since(isolate.asked) >= ASK_INTERVAL) await this.#ask();
      else if (since(arrived) > ASK_PATIENCE) throw noSchemaCache('The pooler did not answer in time.');
      else await sleep(POLL_INTERVAL);
    }
    if (isolate.failure !== null) throw isolate.failure;
    return isolate.state?.schema.version === version ? null : isolate.state;
  }

  async afterRefusal(version: string): Promise<State | null> {
    const isolate = this.#isolate;
    if (since(isolate.confirmed) < KEYS_FRESH) {
      return isolate.state?.schema.version === version ? null : isolate.state;
    }
    try {
      return await this.newerThan(version);
    } catch {
      return null;
    }
  }

  seen(version: string): void {
    const { state, asked } = this.#isolate;
    if (state?.schema.version === version || since(asked) < ASK_INTERVAL) return;
    this.#waitUntil(this.#ask());
  }

  async #first(): Promise<State> {
    const failure = await this.#refresh();
    // Another's question may have been answered where ours was not.
    const { state } = this.#isolate;
    if (state === null) throw failure ?? noSchemaCache();
    return state;
  }

  /** Puts a question that counts: one to which the pooler answers when it has dealt with all it was notified of. */
  async #ask(): Promise<void> {
    const isolate = this.#isolate;
    isolate.questions += 1;
    const question = isolate.questions;
    const failure = await this.#refresh();
    if (question < isolate.ended) return;
    isolate.ended = question;
    isolate.failure = failure;
  }

  /** Asks the pooler and keeps what the answer gives. Returns why there was none, if so. */
  async #refresh(): Promise<ApiError | null> {
    const isolate = this.#isolate;
    const asked = Date.now();
    isolate.asked = asked;
    const gaveUp = new AbortController();
    const timer = setTimeout(() => gaveUp.abort(), ASK_PATIENCE);
    try {
      const known = isolate.state?.schema.version ?? null;
      const [snapshot, early] = await Promise.all([
        this.#hop.fetchSnapshot(known, gaveUp.signal),
        known === null ? this.#hop.fetchKeys(gaveUp.signal) : null,
      ]);
      if (snapshot.kind === 'same') {
        isolate.confirmed = asked;
        return null;
      }
      if (snapshot.kind === 'none') return noSchemaCache('The pooler has not loaded it yet.');
      if (snapshot.kind === 'failed') return errorOf(snapshot);
      const together = early?.kind === 'keys' && early.snapshot === snapshot.snapshot.version;
      const keys = together ? early : await this.#hop.fetchKeys(gaveUp.signal);
      if (keys.kind === 'failed') return errorOf(keys);
      // A slower answer to an earlier question must not undo a newer one.
      if (isolate.state === null || isolate.state.schema.snapshot.loadedAt <= snapshot.snapshot.loadedAt) {
        isolate.state = nextState(isolate.state, snapshot.snapshot, keys.keys);
        isolate.confirmed = asked;
      }
      return null;
    } finally {
      clearTimeout(timer);
    }
  }
}
