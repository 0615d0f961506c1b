/**
 * The core: a request as plain data in, a response as plain data out.
 * `RawRequest → authenticate → ApiRequest → Plan → statements → hop → result → RawResponse`
 */
import type { CancelSignal } from '../shared/hop/cancellation.ts';
import type { Hop, Statement, TransactionFailure } from '../shared/hop/types.ts';
import { sameContent } from '../shared/snapshot/version.ts';
import { SqlSyntaxError } from '../shared/sql/identifiers.ts';
import type { Caller } from '../shared/transaction/plan.ts';
import type { Identity } from './auth/authenticator.ts';
import { type Judge, Proof } from './auth/proof.ts';
import { ApiError } from './error.ts';
import type { Exchange } from './observe.ts';
import { planRequest } from './plan/plan.ts';
import { mounted } from './request/base-path.ts';
import { LargeBody } from './request/body.ts';
import { tokenOf } from './request/headers.ts';
import { parseRequest } from './request/parse-request.ts';
import type { RawRequest } from './request/types.ts';
import { corsHeaders, preflight } from './response/cors.ts';
import { fromFailure, isNoSchemaCache, noSchemaCache, respondError } from './response/errors.ts';
import { respondDocument, respondInfo } from './response/info.ts';
import { legacyNames } from './response/legacy.ts';
import { respond } from './response/respond.ts';
import { ServerTiming } from './response/timing.ts';
import type { Header, RawResponse } from './response/types.ts';
import { compile, type DatabasePlan, type Facts } from './sql/statements.ts';
import type { State, StateSource } from './state.ts';
import { documentRequest, payloadOf, transactionRequest } from './transaction.ts';

/** What requests are answered with. */
export interface Backend {
  readonly states: StateSource;
  readonly hop: Hop;
  /** Why no request of this caller would be run now; null where it might. Asked before anything else is made of a request. */
  readonly refusal?: (caller: Caller, address: string | null) => TransactionFailure | null;
  /** Where the keys of tokens may be elsewhere: who has them. */
  readonly judge?: Judge;
  /** Told of an error that is a fault of ours; the client sees none of it. */
  readonly report?: (error: unknown) => void;
  /** Where the API is mounted, in place of `EDGEREST_BASE_PATH`: '' is the root. */
  readonly basePath?: string;
}

/** Answers a request, noting what there is to observe of it. The signal aborts when the client has gone. Never rejects. */
export async function handle(
  raw: RawRequest,
  backend: Backend,
  signal: CancelSignal | null,
  exchange: Exchange | null = null,
): Promise<RawResponse> {
  let state: State | null = null;
  try {
    const current = backend.states.current();
    state = current instanceof Promise ? await current : current;
    if (state === null) throw noSchemaCache();
    const { settings } = state.schema.snapshot;
    if (exchange !== null) exchange.logLevel = settings.logLevel;
    const asked = preflight(raw, settings);
    if (asked !== null && exchange !== null) exchange.preflight = true;
    const response =
      asked ?? (await answer(mounted(raw, backend.basePath ?? settings.basePath), state, backend, signal, exchange));
    return decorate(response, raw, state);
  } catch (error) {
    if (exchange !== null && isNoSchemaCache(error)) exchange.failure = error;
    const known = error instanceof ApiError ? error : unexpected(error, backend);
    const response = respondError(known, state?.schema.snapshot.settings.clientErrorVerbosity);
    return state === null ? response : decorate(response, raw, state);
  }
}

/** What a step of the pipeline needs besides the request. */
interface Context {
  readonly backend: Backend;
  readonly signal: CancelSignal | null;
  readonly token: string | null;
  readonly address: string | null;
  readonly identity: Identity;
  readonly proof: Proof | null;
  readonly timing: ServerTiming | null;
  readonly exchange: Exchange | null;
}

async function answer(
  raw: RawRequest,
  known: State,
  backend: Backend,
  signal: CancelSignal | null,
  exchange: Exchange | null,
): Promise<RawResponse> {
  const { settings } = known.schema.snapshot;
  const timing = settings.serverTimingEnabled ? new ServerTiming() : null;
  const token = tokenOf(raw.headers, settings.apikeyHeader);
  let state = known;
  let identity: Identity;
  try {
    const found = state.authenticator.authenticate(token);
    identity = found instanceof Promise ? await found : found;
  } catch (error) {
    // The keys may have been changed. Tried once.
    const newer = error instanceof ApiError ? await backend.states.afterRefusal(state.schema.version, error) : null;
    if (newer === null) throw error;
    state = newer;
    identity = await state.authenticator.authenticate(token);
  }
  timing?.lap();
  if (exchange !== null) exchange.role = identity.role;
  const refusal = raw.method === 'OPTIONS' ? null : (backend.refusal?.(identity, raw.address ?? null) ?? null);
  if (refusal !== null) throw failed(refusal, identity, exchange);
  const { judge } = backend;
  const proof = judge === undefined || token === null ? null : new Proof(token, identity, state.authenticator, judge);
  const context = { backend, signal, token, address: raw.address ?? null, identity, proof, timing, exchange };
  if (proof === null) return await attempts(raw, state, context);
  const [made] = await Promise.allSettled([attempts(raw, state, context)]);
  const badToken = await proof.refusal();
  if (badToken !== null) {
    if (exchange !== null) {
      exchange.role = null;
      exchange.failure = null;
    }
    throw badToken;
  }
  if (made.status === 'rejected') throw made.reason;
  return made.value;
}

async function attempts(raw: RawRequest, state: State, context: Context): Promise<RawResponse> {
  const { backend } = context;
  try {
    return await attempt(raw, state, context);
  } catch (error) {
    // A newer snapshot may know the name, or how the table looks now. Tried once, if the body is still here.
    if (!(error instanceof ApiError) || !error.fromSnapshot || isGone(raw.body)) throw error;
    const newer = await backend.states.newerThan(state.schema.version);
    if (newer === null) throw error;
    return attempt(raw, newer, { ...context, timing: context.timing === null ? null : new ServerTiming() });
  }
}

async function attempt(raw: RawRequest, state: State, context: Context): Promise<RawResponse> {
  const { backend, timing, identity, exchange } = context;
  const { settings } = state.schema.snapshot;
  const parsed = parseRequest(raw, settings);
  const request = parsed instanceof Promise ? await parsed : parsed;
  timing?.lap();
  const plan = planRequest(request, state.schema);
  timing?.lap();
  if (plan.kind === 'relation-info' || plan.kind === 'routine-info' || plan.kind === 'schema-info') {
    timing?.lap();
    return timed(respondInfo(plan), timing);
  }
  if (exchange !== null && plan.kind !== 'inspect' && settings.urlUseLegacyTargetNames) {
    exchange.legacyNames = legacyNames(plan.read);
  }
  const facts = { preferences: request.preferences, topLevelRange: request.topLevelRange, maxRows: settings.dbMaxRows };
  const { version } = state.schema;
  const transaction =
    plan.kind === 'inspect'
      ? documentRequest(plan, request, context, version)
      : transactionRequest(plan, request, context, version, statementsOf(plan, facts, identity));
  const outcome = await backend.hop.transaction(transaction, payloadOf(request), context.signal);
  context.proof?.see(outcome);
  timing?.lap();
  if (exchange !== null) exchange.queries = outcome.sent ?? [];
  if (outcome.snapshot !== null) backend.states.seen(outcome.snapshot);
  if (!outcome.ok) {
    const error = failed(outcome.failure, identity, exchange);
    const { failure, snapshot } = outcome;
    const mayBePlanned = failure.kind === 'database' || (failure.kind === 'refused' && failure.reason === 'snapshot');
    const outdated = mayBePlanned && snapshot !== null && !sameContent(snapshot, version);
    throw outdated ? planned(error) : error;
  }
  if (exchange !== null) exchange.failure = null;
  const response =
    plan.kind === 'inspect' ? respondDocument(plan, request, outcome) : respond(plan, request, outcome, settings);
  return timed(response, timing);
}

/** The plan's statements. What cannot be SQL is refused as the database would refuse it. */
function statementsOf(plan: DatabasePlan, facts: Facts, identity: Identity): readonly Statement[] {
  try {
    return compile(plan, facts);
  } catch (error) {
    if (!(error instanceof SqlSyntaxError)) throw error;
    const { code, message } = error;
    throw fromFailure({ kind: 'database', code, message, detail: null, hint: null, statement: 0 }, identity);
  }
}

/** The error that a transaction's failure is answered with, noted. */
function failed(failure: TransactionFailure, identity: Identity, exchange: Exchange | null): ApiError {
  const error = fromFailure(failure, identity);
  if (exchange !== null) exchange.failure = error;
  return error;
}

/** Whether a large body has passed through already. */
const isGone = (body: RawRequest['body']): boolean => body instanceof LargeBody && body.isTaken;

/** A failure of a transaction that was planned on another snapshot than the pooler has: the plan may be at fault. */
function planned(error: ApiError): ApiError {
  const { status, headers, statusText } = error;
  return new ApiError(status, error, { headers, fromSnapshot: true, ...(statusText !== null && { statusText }) });
}

function timed(response: RawResponse, timing: ServerTiming | null): RawResponse {
  if (timing === null) return response;
  timing.lap();
  return { ...response, headers: [...response.headers, timing.header()] };
}

/** The headers that every answer carries, be it an error: CORS, and the trace header echoed. */
function decorate(response: RawResponse, raw: RawRequest, state: State): RawResponse {
  const { settings } = state.schema.snapshot;
  const headers: Header[] = [...corsHeaders(raw, settings)];
  if (settings.serverTraceHeader !== null) {
    const name = settings.serverTraceHeader.toLowerCase();
    const value = raw.headers.find(([n]) => n === name)?.[1] ?? '';
    headers.push([settings.serverTraceHeader, value]);
  }
  return headers.length === 0 ? response : { ...response, headers: [...headers, ...response.headers] };
}

function unexpected(error: unknown, backend: Backend): ApiError {
  backend.report?.(error);
  return new ApiError(500, { code: 'EDGE000', message: 'An internal error occurred' });
}
