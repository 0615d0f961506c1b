/** The hop to several poolers: each request to one that has little to do, and to another where the first has not run it. */
import type { CancelSignal } from '../../shared/hop/cancellation.ts';
import type {
  Hop,
  TransactionFailure,
  TransactionOutcome,
  TransactionPayload,
  TransactionRequest,
} from '../../shared/hop/types.ts';
import type { ApiError } from '../error.ts';
import { fromFailure, refusedByPooler } from '../response/errors.ts';
import { fetchState } from './fetch-state.ts';
import { type FetchedState, type FetchFailure, fetchFailed } from './fetched.ts';
import { transportFailure } from './pooler-client.ts';
import { choose, type Pooler } from './poolers.ts';
import type { StateFetcher } from './remote-states.ts';

/** How many poolers a request is shown to: where three cannot, the fourth hardly can. */
const MOST_ATTEMPTS = 3;
/** How long one pooler may take to say what its snapshot is while there are others to ask, or what it thinks of a token, in milliseconds. */
const ASK_PATIENCE = 5000;

/**
 * Why a pooler refuses what another may take: it is about to end, has another schema cache than was planned on, does not have the
 * issuer's keys yet, or has too much under way on this socket, or in its memory.
 */
const ELSEWHERE: ReadonlySet<string> = new Set(['stopping', 'snapshot', 'keys', 'streams', 'memory']);

/**
 * Whether a transaction that failed so has not run, or is one that only reads: then another pooler may have it. Of one that
 * writes, what may have reached a pooler or its database is an unknown outcome, whoever says so.
 */
function mayGoElsewhere(failure: TransactionFailure): boolean {
  switch (failure.kind) {
    case 'unavailable':
      return true;
    case 'admission':
      return failure.reason === 'full';
    case 'refused':
      return ELSEWHERE.has(failure.reason);
    case 'database':
    case 'unknown outcome':
    case 'cancelled':
      return false;
    default:
      return failure satisfies never;
  }
}

/** Whether a failure is a reason to prefer other poolers for a while. */
const isSuspicious = (failure: TransactionFailure): boolean =>
  failure.kind === 'unavailable' ||
  failure.kind === 'unknown outcome' ||
  (failure.kind === 'refused' && failure.reason === 'stopping');

/** A payload in pieces that are still arriving: it can be sent again only while nothing of it was taken. */
class Arriving implements AsyncIterable<Uint8Array> {
  isTaken = false;
  readonly #pieces: AsyncIterable<Uint8Array>;

  constructor(pieces: AsyncIterable<Uint8Array>) {
    this.#pieces = pieces;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    this.isTaken = true;
    return this.#pieces[Symbol.asyncIterator]();
  }
}

const repeatable = (payload: TransactionPayload | null): TransactionPayload | Arriving | null =>
  payload !== null && Symbol.asyncIterator in payload ? new Arriving(payload) : payload;

/** The time that is left of a request's, after some of it has passed. */
const withinDeadline = (request: TransactionRequest, passed: number): TransactionRequest =>
  request.deadline === null ? request : { ...request, deadline: Math.max(0, request.deadline - passed) };

/** One for each request: its background work goes through `waitUntil`. */
export class BalancedHop implements Hop, StateFetcher {
  readonly #poolers: readonly Pooler[];
  readonly #waitUntil: (work: Promise<unknown>) => void;

  constructor(poolers: readonly Pooler[], waitUntil: (work: Promise<unknown>) => void) {
    this.#poolers = poolers;
    this.#waitUntil = waitUntil;
  }

  async transaction(
    request: TransactionRequest,
    given: TransactionPayload | null,
    signal: CancelSignal | null,
  ): Promise<TransactionOutcome> {
    const payload = repeatable(given);
    const began = Date.now();
    const tried: Pooler[] = [];
    let outcome: TransactionOutcome | null = null;
    for (let pooler = this.#next(tried); pooler !== null; pooler = this.#next(tried)) {
      const now = Date.now();
      outcome = await this.#transaction(pooler, withinDeadline(request, now - began), payload, signal, now);
      if (outcome.ok || signal?.aborted === true || !mayGoElsewhere(outcome.failure)) return outcome;
      if (payload instanceof Arriving && payload.isTaken) return outcome;
      tried.push(pooler);
    }
    return outcome ?? transportFailure(request, false, 'There is no pooler.');
  }

  async #transaction(
    pooler: Pooler,
    request: TransactionRequest,
    payload: TransactionPayload | null,
    signal: CancelSignal | null,
    now: number,
  ): Promise<TransactionOutcome> {
    const window = pooler.pending.begin(now);
    try {
      const outcome = await pooler.client.transaction(request, payload, signal);
      if (!outcome.ok && isSuspicious(outcome.failure)) pooler.suspect(Date.now());
      else if (outcome.ok) pooler.trust();
      return outcome;
    } finally {
      pooler.pending.end(window);
    }
  }

  async fetchState(
    known: readonly string[],
    signal: AbortSignal | null,
    unknown: string | null = null,
  ): Promise<FetchedState> {
    const tried: Pooler[] = [];
    let answer: FetchedState = { kind: 'none' };
    for (let pooler = this.#next(tried); pooler !== null; pooler = this.#next(tried)) {
      tried.push(pooler);
      const isLast = tried.length === Math.min(this.#poolers.length, MOST_ATTEMPTS);
      answer = await askedFor(pooler, [known, unknown], signal, isLast ? null : ASK_PATIENCE);
      if (answer.kind === 'new' || answer.kind === 'same') {
        pooler.trust();
        return answer;
      }
      pooler.suspect(Date.now());
      if (signal?.aborted === true) return answer;
    }
    return answer;
  }

  /** See Judge. */
  async judge(token: string): Promise<ApiError | null> {
    const tried: Pooler[] = [];
    let failure = fetchFailed('There is no pooler.');
    for (let pooler = this.#next(tried); pooler !== null; pooler = this.#next(tried)) {
      tried.push(pooler);
      const answer = await pooler.client.judge(token, AbortSignal.timeout(ASK_PATIENCE));
      if (answer.kind === 'accepted') return null;
      if (answer.kind === 'refused') return answer.error;
      failure = answer;
      pooler.suspect(Date.now());
    }
    return unjudged(failure);
  }

  /** The next to be asked; null after as many as are worth it. Those that have failed are looked after by the way. */
  #next(tried: readonly Pooler[]): Pooler | null {
    if (tried.length === MOST_ATTEMPTS) return null;
    const now = Date.now();
    if (tried.length === 0 && this.#poolers.length > 1) {
      for (const pooler of this.#poolers) if (pooler.isDue(now)) this.#waitUntil(pooler.probe(now));
    }
    return choose(this.#poolers, tried, now);
  }
}

/** Without the pooler's word a token is neither good nor bad. */
function unjudged({ message, refusal }: FetchFailure): ApiError {
  if (refusal !== null) return refusedByPooler(refusal);
  return fromFailure({ kind: 'unavailable', reason: 'connect', message, detail: message }, { authenticated: false });
}

/** Asks one pooler, for so many milliseconds. */
async function askedFor(
  pooler: Pooler,
  [known, unknown]: readonly [known: readonly string[], unknown: string | null],
  signal: AbortSignal | null,
  patience: number | null,
): Promise<FetchedState> {
  if (patience === null) return await fetchState(pooler.client, known, signal, unknown);
  const gaveUp = new AbortController();
  const giveUp = (): void => gaveUp.abort();
  const timer = setTimeout(giveUp, patience);
  signal?.addEventListener('abort', giveUp);
  try {
    return await fetchState(pooler.client, known, gaveUp.signal, unknown);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', giveUp);
  }
}
