/** A result becomes the response: status, headers and the body's own bytes. */
import type { ResultBody, TransactionResult } from '../../shared/hop/types.ts';
import type { WorkerSettings } from '../../shared/snapshot/types.ts';
import { COLUMN } from '../../shared/sql/columns.ts';
import type { ApiRequest } from '../request/types.ts';
import type { DatabasePlan } from '../sql/statements.ts';
import { byteString } from './bytes.ts';
import { columnOf, mainResult, pageTotal, tableTotal } from './counts.ts';
import { notSingular, outOfBounds, tooManyAffected } from './errors.ts';
import { bodyHeaders, contentLength, VARY } from './headers.ts';
import { errorBody } from './json.ts';
import { legacyNames, legacyWarning } from './legacy.ts';
import { mutateHead } from './mutate.ts';
import { overrideHeaders, overrideStatus } from './overrides.ts';
import { preferenceApplied } from './preferences.ts';
import { contentRange, rangeStatus } from './range.ts';
import type { Header, RawResponse } from './types.ts';

/** The settings that shape responses. */
export type ResponseSettings = Pick<WorkerSettings, 'dbMaxRows' | 'clientErrorVerbosity' | 'urlUseLegacyTargetNames'>;

const VOID = { schema: 'pg_catalog', name: 'void' };

/**
 * Answers a request that the database answered. A body that is not sent on is cancelled.
 * Throws ApiError: PGRST116 and PGRST124 for a read that is not singular or limited as asked, PGRST111 and PGRST112 for overrides that are none.
 */
export function respond(
  plan: DatabasePlan,
  request: ApiRequest,
  result: TransactionResult,
  settings: ResponseSettings,
): RawResponse {
  try {
    return plan.mediaType.kind === 'plan'
      ? planResponse(plan, request, result, settings)
      : rowsResponse(plan, request, result, settings);
  } catch (error) {
    discard(result.body);
    throw error;
  }
}

function planResponse(
  plan: DatabasePlan,
  request: ApiRequest,
  result: TransactionResult,
  settings: ResponseSettings,
): RawResponse {
  const headers = [contentLength(result.length), ...bodyHeaders(plan, request)];
  return finish(plan, 200, headers, result.body, settings);
}

interface Head {
  readonly status: number;
  readonly headers: readonly Header[];
  /** What is sent instead of the result's body: other bytes, or nothing. */
  readonly body: 'result' | Uint8Array | null;
}

function rowsResponse(
  plan: DatabasePlan,
  request: ApiRequest,
  result: TransactionResult,
  settings: ResponseSettings,
): RawResponse {
  const main = mainResult(result);
  const page = pageTotal(main);
  // Guards have seen to what may write, before it was committed.
  if (plan.kind !== 'mutate') checkPage(plan, request, page);
  const head =
    plan.kind === 'mutate'
      ? mutateHead(plan, request, main, result.length)
      : readHead(plan, request, page, result, settings);
  const status = overrideStatus(columnOf(main, COLUMN.status), head.status);
  const headers = overrideHeaders(columnOf(main, COLUMN.headers), head.headers);
  if (head.body === 'result') return finish(plan, status, headers, result.body, settings);
  discard(result.body);
  return finish(plan, status, headers, head.body, settings);
}

/** What a read must be like: a single row, or so many at most, where that was asked for. */
function checkPage(plan: DatabasePlan, { preferences }: ApiRequest, page: bigint): void {
  if (plan.mediaType.kind === 'singular' && page !== 1n) throw notSingular(page.toString());
  const { handling, maxAffected } = preferences;
  if (plan.kind === 'call' && handling === 'strict' && maxAffected !== null && page > maxAffected) {
    throw tooManyAffected(page.toString());
  }
}

function readHead(
  plan: DatabasePlan & { readonly kind: 'read' | 'call' },
  request: ApiRequest,
  page: bigint,
  result: TransactionResult,
  settings: ResponseSettings,
): Head {
  const lower = request.topLevelRange.offset;
  const total = tableTotal(plan, request.preferences, settings.dbMaxRows, result);
  const status = rangeStatus(lower, page, total);
  const headers: Header[] = [contentRange(lower, lower + page - 1n, total)];
  const applied = preferenceApplied(plan, request);
  if (plan.kind === 'read') headers.push(contentLocation(plan.target.name, request.query.canonical));
  if (applied !== null) headers.push(applied);
  if (plan.kind === 'call' && isVoid(plan)) return { status: 204, headers, body: null };
  const error = status === 416 ? errorBody(outOfBounds(lower, total), settings.clientErrorVerbosity) : null;
  const headersOnly = plan.kind === 'read' ? plan.headersOnly : plan.invocation === 'head';
  if (!headersOnly) headers.push(contentLength(error === null ? result.length : error.length));
  headers.push(...bodyHeaders(plan, request));
  return { status, headers, body: headersOnly ? null : (error ?? 'result') };
}

const isVoid = ({ routine: { returns } }: DatabasePlan & { readonly kind: 'call' }): boolean =>
  !returns.set && returns.kind === 'scalar' && returns.type.schema === VOID.schema && returns.type.name === VOID.name;

const contentLocation = (name: string, query: string): Header => [
  'Content-Location',
  byteString(query === '' ? `/${name}` : `/${name}?${query}`),
];

function finish(
  plan: DatabasePlan,
  status: number,
  headers: readonly Header[],
  body: RawResponse['body'],
  settings: ResponseSettings,
): RawResponse {
  const all = [...headers];
  if (settings.urlUseLegacyTargetNames) {
    const names = legacyNames(plan.read);
    if (names.length > 0) all.push(legacyWarning(names));
  }
  if (!headers.some(([name]) => name.toLowerCase() === 'vary')) all.push(VARY);
  return { status, statusText: null, headers: all, body };
}

/** Lets go of a body that nobody will read. */
function discard(body: ResultBody | null): void {
  if (body instanceof ReadableStream) body.cancel().catch(() => undefined);
}
