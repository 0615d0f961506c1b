/** What the log and the metrics are told of answers: the API's in this process, and those that a worker elsewhere gets. */
import type { IncomingMessage } from 'node:http';
import type { CancelSignal } from '../../shared/hop/cancellation.ts';
import type { Hop, TransactionOutcome, TransactionRequest } from '../../shared/hop/types.ts';
import type { LogLevel } from '../../shared/log.ts';
import { clientAddress, type ObserveAnswer } from '../../worker/adapters/node.ts';
import type { ApiError } from '../../worker/error.ts';
import { accessLine, type Client, diagnostics, Exchange, isLogged } from '../../worker/observe.ts';
import { fromFailure } from '../../worker/response/errors.ts';
import type { RawResponse } from '../../worker/response/types.ts';
import type { Observe } from '../observation.ts';

/** PostgREST logs that requests wait for a connection in vain at most this often, in milliseconds. */
const TIMEOUT_INTERVAL = 5000;

/** Whether a failure is to be told; of those that come in crowds, the first of each interval. */
function sparing(): (failure: ApiError | null) => boolean {
  let told = Number.NEGATIVE_INFINITY;
  return (failure) => {
    if (failure?.code !== 'PGRST003' && failure?.code !== 'EDGE001') return true;
    const now = performance.now();
    if (now - told < TIMEOUT_INTERVAL) return false;
    told = now;
    return true;
  };
}

const clientOf = (request: IncomingMessage): Client => ({
  address: clientAddress(request, false),
  method: request.method ?? '',
  target: request.url ?? '',
  protocol: `HTTP/${request.httpVersion}`,
  referer: request.headers.referer,
  userAgent: request.headers['user-agent'],
});

const NOTHING: readonly string[] = [];

/** Observes the API's answers. What nobody wants to know is not put into words. */
export function observeAnswers(observe: Observe): ObserveAnswer {
  const tells = sparing();
  return (request, response, exchange) => {
    const { status } = response;
    const logged = isLogged(response, exchange);
    if (!logged && exchange.legacyNames.length === 0 && exchange.failure === null) {
      observe({ kind: 'answered', status, diagnostics: NOTHING, access: null });
      return;
    }
    const client = clientOf(request);
    if (!tells(exchange.failure)) exchange.failure = null;
    const access = logged ? accessLine(client, response, exchange, new Date()) : null;
    observe({ kind: 'answered', status, diagnostics: diagnostics(client, response, exchange), access });
  };
}

const ELSEWHERE: Client = {
  address: null,
  method: '',
  target: '',
  protocol: '',
  referer: undefined,
  userAgent: undefined,
};

/** The status that a worker answers with, as far as it follows from the outcome. */
function answerOf(outcome: TransactionOutcome): { readonly response: RawResponse; readonly failure: ApiError | null } {
  const failure = outcome.ok ? null : fromFailure(outcome.failure, { authenticated: true });
  return { response: { status: failure?.status ?? 200, statusText: null, headers: [], body: null }, failure };
}

/** A hop that observes what workers elsewhere are answered: failures, and the queries with `log-query`. */
export function observeHop(hop: Hop, observe: Observe, level: () => LogLevel): Hop {
  const tells = sparing();
  const told = (outcome: TransactionOutcome, { role }: TransactionRequest): TransactionOutcome => {
    // Of a token whose key is here the worker does not know whether it is good: that one is not is nothing to tell.
    const isRefused = !outcome.ok && outcome.failure.kind === 'refused';
    if (isRefused && !(outcome.failure.reason === 'token' && role === '')) {
      const { reason, message } = outcome.failure;
      observe({ kind: 'message refused', reason, text: message, from: null });
    }
    if (outcome.ok && outcome.sent === undefined) return outcome;
    const { response, failure } = answerOf(outcome);
    const exchange = new Exchange();
    exchange.logLevel = level();
    exchange.queries = outcome.sent ?? [];
    exchange.failure = tells(failure) ? failure : null;
    observe({ kind: 'transaction', diagnostics: diagnostics(ELSEWHERE, response, exchange) });
    return outcome;
  };
  return {
    transaction: (request, payload, signal: CancelSignal | null) =>
      hop.transaction(request, payload, signal).then((outcome) => told(outcome, request)),
  };
}
