/** Where a worker that is elsewhere plans: on the snapshot it got from a pooler over the hop. */
import { sameContent, timeOf } from '../../shared/snapshot/version.ts';
import { UnknownKeyError } from '../auth/errors.ts';
import type { ApiError } from '../error.ts';
import { noSchemaCache, refusedByPooler } from '../response/errors.ts';
import { nextState, type State, type StateSource } from '../state.ts';
import type { FetchedState, FetchFailure } from './fetched.ts';

/**
 * A pooler is asked for a newer snapshot so often by an isolate: once in so many milliseconds over a longer time, and so many times
 * one after the other where it was not asked before. An error that the snapshot decided waits for the next question, so that it
 * is never a stale one.
 */
const ASK_INTERVAL = 100;
const ASK_BURST = 10;
/** How long an answer is waited for, in milliseconds: the pooler may be loading a large schema. */
const ASK_PATIENCE = 15_000;
const POLL_INTERVAL = 5;
/** How long keys count as the pooler's after it was asked, in milliseconds: bad tokens ask for no others meanwhile. */
const KEYS_FRESH = 1000;
/**
 * How long a snapshot that no pooler has spoken for is preferred to one that looks older, in milliseconds. It is not preferred
 * for ever: the pooler that had it may be gone, and its database's clock may have been ahead.
 */
const DOUBT = 5000;

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
  /** What requests are planned on. */
  state: State | null = null;
  /** When its content was loaded, as far as poolers have said: the latest time, by the database's clock. */
  loadedAt = Number.NEGATIVE_INFINITY;
  /** When a pooler said the last time that it has that content. */
  vouched = Number.NEGATIVE_INFINITY;
  /** Another pooler's, which is not newer, while poolers differ: it is not fetched again. */
  other: State | null = null;
  /** What the pooler had that answered the latest question that has come to an end. */
  answer: State | null = null;
  /** When a pooler was asked the last time. */
  asked = Number.NEGATIVE_INFINITY;
  /** When all that was asked so far would have been asked, one question in each interval. */
  due = Number.NEGATIVE_INFINITY;
  /** When it was asked what it then answered: that answer was right at that time. */
  confirmed = Number.NEGATIVE_INFINITY;
  /** How many questions were put. A request that goes away takes its question with it, which then has no end. */
  questions = 0;
  /** The number of the latest that has come to an end, and why it got no answer, if so. */
  ended = 0;
  failure: ApiError | null = null;
  /** When a pooler was asked for a key what it then answered. */
  keysAsked = Number.NEGATIVE_INFINITY;

  /**
   * Takes note of what a pooler had when it was asked: the newest is planned on, or whatever there is where nobody speaks for
   * that. A slow answer says nothing against what came later.
   */
  offer(state: State, version: string, asked: number): void {
    if (this.state !== null && sameContent(this.state.schema.version, version)) this.vouch(version);
    else if (this.#isNewer(version) || (this.#isDoubtful() && since(asked) < DOUBT)) {
      this.other = this.state;
      this.state = state;
      this.loadedAt = timeOf(version);
      this.vouched = Date.now();
    } else this.other = state;
  }

  /** A pooler has the state's content, loaded as this version says. */
  vouch(version: string): void {
    this.vouched = Date.now();
    if (timeOf(version) > this.loadedAt) this.loadedAt = timeOf(version);
  }

  /** Whether another content than the state's may have to take its place. */
  isWorthAsking(version: string): boolean {
    return this.#isNewer(version) || this.#isDoubtful();
  }

  #isNewer(version: string): boolean {
    return this.state === null || timeOf(version) > this.loadedAt;
  }

  #isDoubtful(): boolean {
    return since(this.vouched) >= DOUBT;
  }
}

const errorOf = ({ message, refusal }: FetchFailure): ApiError =>
  refusal === null ? noSchemaCache(message) : refusedByPooler(refusal);

/** Asks a pooler, any one. */
export interface StateFetcher {
  fetchState(known: readonly string[], signal: AbortSignal | null, unknown?: string | null): Promise<FetchedState>;
}

export interface StatesOptions {
  /** Milliseconds between two questions of an isolate, in place of a pooler's, which are cheap. */
  readonly interval?: number;
  /** Milliseconds after which what there is is asked for anew, where no notification says that it has changed. */
  readonly age?: number;
}

/** One for each request: its background work goes through `waitUntil`. */
export class RemoteStates implements StateSource {
  readonly #poolers: StateFetcher;
  readonly #isolate: Isolate;
  readonly #waitUntil: (work: Promise<unknown>) => void;
  readonly #interval: number;
  readonly #burst: number;
  readonly #age: number;

  constructor(
    poolers: StateFetcher,
    isolate: Isolate,
    waitUntil: (work: Promise<unknown>) => void,
    { interval, age = Number.POSITIVE_INFINITY }: StatesOptions = {},
  ) {
    this.#poolers = poolers;
    this.#isolate = isolate;
    this.#waitUntil = waitUntil;
    this.#interval = interval ?? ASK_INTERVAL;
    this.#burst = interval === undefined ? ASK_BURST : 1;
    this.#age = age;
  }

  current(): State | Promise<State> {
    const { state, asked } = this.#isolate;
    if (state === null) return this.#first();
    if (since(asked) > this.#age) this.#waitUntil(this.#ask());
    return state;
  }

  async newerThan(version: string): Promise<State | null> {
    const isolate = this.#isolate;
    const arrived = Date.now();
    const before = isolate.questions;
    // Only an answer to a question that was put after this call has all that was there at the call.
    while (isolate.ended <= before) {
      if (this.#mayAsk()) await this.#ask();
      else if (since(arrived) > ASK_PATIENCE) throw noSchemaCache('The pooler did not answer in time.');
      else await sleep(POLL_INTERVAL);
    }
    if (isolate.failure !== null) throw isolate.failure;
    return this.#answerUnless(version);
  }

  async afterRefusal(version: string, refusal: ApiError): Promise<State | null> {
    if (refusal instanceof UnknownKeyError) return await this.#withKey(version, refusal.kid ?? '');
    if (since(this.#isolate.confirmed) < KEYS_FRESH) return this.#answerUnless(version);
    try {
      return await this.newerThan(version);
    } catch {
      return null;
    }
  }

  seen(version: string): void {
    const isolate = this.#isolate;
    if (isolate.state !== null && sameContent(isolate.state.schema.version, version)) {
      isolate.vouch(version);
      return;
    }
    if (!isolate.isWorthAsking(version) || since(isolate.asked) < this.#interval) return;
    this.#waitUntil(this.#ask());
  }

  /** Has a pooler look for a key that a token names. Each asks by itself: an answer for another token may be a moment too old. */
  async #withKey(version: string, kid: string): Promise<State | null> {
    const isolate = this.#isolate;
    if (since(isolate.keysAsked) < KEYS_FRESH) return this.#answerUnless(version);
    const asked = Date.now();
    const answer = await this.#fetch(kid);
    if ('failure' in answer) return null;
    isolate.keysAsked = asked;
    isolate.answer = answer.state;
    return this.#answerUnless(version);
  }

  /** One question at a time; one whose request has gone, and its answer with it, is not waited for. */
  #mayAsk(): boolean {
    const { questions, ended, asked, due } = this.#isolate;
    if (questions > ended && since(asked) < this.#interval) return false;
    const ahead = due - Date.now();
    // Further ahead it was never: the clock was set back.
    return ahead <= (this.#burst - 1) * this.#interval || ahead > this.#burst * this.#interval;
  }

  /** What a pooler had at the latest question, whether or not it is what others are planned on. */
  #answerUnless(version: string): State | null {
    const { answer } = this.#isolate;
    return answer === null || sameContent(answer.schema.version, version) ? null : answer;
  }

  async #first(): Promise<State> {
    const answer = await this.#fetch();
    // Another's question may have been answered where ours was not.
    const { state } = this.#isolate;
    if (state === null) throw 'failure' in answer ? answer.failure : noSchemaCache();
    return state;
  }

  /** Puts a question that counts: one to which the pooler answers when it has dealt with all it was notified of. */
  async #ask(): Promise<void> {
    const isolate = this.#isolate;
    isolate.questions += 1;
    const question = isolate.questions;
    const answer = await this.#fetch();
    if (question < isolate.ended) return;
    isolate.ended = question;
    isolate.failure = 'failure' in answer ? answer.failure : null;
    if ('state' in answer) isolate.answer = answer.state;
  }

  /** Asks a pooler and keeps what the answer gives: the state of what it has, or why there is none. */
  async #fetch(unknown: string | null = null): Promise<{ readonly state: State } | { readonly failure: ApiError }> {
    const isolate = this.#isolate;
    const asked = Date.now();
    if (unknown === null) {
      isolate.asked = asked;
      const isAhead = isolate.due > asked && isolate.due <= asked + this.#burst * this.#interval;
      isolate.due = (isAhead ? isolate.due : asked) + this.#interval;
    }
    const gaveUp = new AbortController();
    const timer = setTimeout(() => gaveUp.abort(), ASK_PATIENCE);
    try {
      const known = [isolate.state, isolate.other].filter((state) => state !== null);
      const answer = await this.#poolers.fetchState(
        known.map(({ schema }) => schema.version),
        gaveUp.signal,
        unknown,
      );
      switch (answer.kind) {
        case 'none':
          return { failure: noSchemaCache('The pooler has not loaded it yet.') };
        case 'failed':
          return { failure: errorOf(answer) };
        case 'same': {
          const state = known.find(({ schema }) => sameContent(schema.version, answer.version));
          if (state === undefined) return { failure: noSchemaCache('The pooler answered with something else.') };
          isolate.offer(state, answer.version, asked);
          isolate.confirmed = asked;
          return { state };
        }
        case 'new': {
          const state = nextState(isolate.state, answer.snapshot, answer.keys);
          isolate.offer(state, answer.snapshot.version, asked);
          isolate.confirmed = asked;
          return { state };
        }
        default:
          return answer satisfies never;
      }
    } finally {
      clearTimeout(timer);
    }
  }
}
