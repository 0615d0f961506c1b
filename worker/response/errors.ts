/** Errors as responses, and failures of transactions as errors. */
import type { TransactionFailure } from '../../shared/hop/types.ts';
import { keysAwaited } from '../auth/errors.ts';
import { ApiError } from '../error.ts';
import { readGuardFailure } from '../sql/guards.ts';
import { byteString } from './bytes.ts';
import { JSON_TYPE } from './content-type.ts';
import { errorBody } from './json.ts';
import { raisedError } from './raise.ts';
import { sqlStatus } from './sqlstate.ts';
import type { Header, RawResponse } from './types.ts';

/** Seconds after which a client may try again when the server is not available. */
const RETRY_AFTER = '1';

/** Answers with an error. Every one carries Proxy-Status (RFC 9209), a 503 Retry-After. */
export function respondError(error: ApiError, verbosity: 'verbose' | 'minimal' = 'verbose'): RawResponse {
  const body = errorBody(error, verbosity);
  const headers: Header[] = [
    JSON_TYPE,
    ['Content-Length', body.length.toString()],
    ['Proxy-Status', `PostgREST; error=${byteString(error.code)}`],
  ];
  for (const [name, value] of error.headers) headers.push([name, byteString(value)]);
  if (error.status === 503 && !error.headers.some(([name]) => name.toLowerCase() === 'retry-after')) {
    headers.push(['Retry-After', RETRY_AFTER]);
  }
  const statusText = error.statusText === null ? null : byteString(error.statusText);
  return { status: error.status, statusText, headers, body };
}

/** A singular answer without exactly one row. */
export const notSingular = (rows: string): ApiError =>
  new ApiError(406, {
    code: 'PGRST116',
    message: 'Cannot coerce the result to a single JSON object',
    details: `The result contains ${rows} rows`,
  });

/** More rows than `Prefer: handling=strict, max-affected` allows. */
export const tooManyAffected = (rows: string): ApiError =>
  new ApiError(400, {
    code: 'PGRST124',
    message: 'Query result exceeds max-affected preference constraint',
    details: `The query affects ${rows} rows`,
  });

/** What does not hold before the commit. */
function guardError(code: 'PGRST115' | 'PGRST116' | 'PGRST124', rows: string): ApiError {
  switch (code) {
    case 'PGRST116':
      return notSingular(rows);
    case 'PGRST115':
      return new ApiError(400, { code, message: 'Payload values do not match URL in primary key column(s)' });
    case 'PGRST124':
      return tooManyAffected(rows);
    default:
      return code satisfies never;
  }
}

/** PGRST103 for a page that begins beyond the last row. */
export const outOfBounds = (offset: bigint, total: bigint | null): ApiError =>
  new ApiError(416, {
    code: 'PGRST103',
    message: 'Requested range not satisfiable',
    details: `An offset of ${offset} was requested, but there are only ${total ?? 0} rows.`,
  });

/** PGRST002: there is no schema cache yet; `details` say why where it is known. */
export const noSchemaCache = (details: string | null = null): ApiError =>
  new ApiError(503, {
    code: 'PGRST002',
    message: 'Could not query the database for the schema cache. Retrying.',
    details,
  });

export const isNoSchemaCache = (error: unknown): error is ApiError =>
  error instanceof ApiError && error.code === 'PGRST002';

const BEARER: Header = ['WWW-Authenticate', 'Bearer'];

/**
 * A failure as the client may see it. `authenticated`: the role is not the anonymous one, so that a lack of
 * privileges is 403 and not 401. The codes are listed in docs/errors.md.
 */
export function fromFailure(failure: TransactionFailure, { authenticated }: { authenticated: boolean }): ApiError {
  switch (failure.kind) {
    case 'database':
      return databaseError(failure, authenticated);
    case 'admission':
      return failure.reason === 'timeout'
        ? new ApiError(504, { code: 'PGRST003', message: 'Timed out acquiring connection from connection pool.' })
        : new ApiError(503, { code: 'EDGE001', message: 'Too many requests are waiting for a connection' });
    case 'unavailable':
      return unavailable(failure.reason, failure.detail);
    case 'unknown outcome':
      return new ApiError(502, {
        code: 'EDGE002',
        message: 'The connection to the database was lost before it confirmed the transaction',
        hint: 'It may or may not have been committed: look before trying again.',
      });
    case 'cancelled':
      return new ApiError(504, { code: 'EDGE003', message: 'The request took too long and was cancelled' });
    case 'refused':
      return refusedByPooler(failure.reason);
    default:
      return failure satisfies never;
  }
}

function unavailable(reason: 'connect' | 'lost' | 'no snapshot', details: string | null): ApiError {
  switch (reason) {
    case 'connect':
      return new ApiError(503, { code: 'PGRST000', message: 'Database connection error.', details });
    case 'lost':
      return new ApiError(503, {
        code: 'PGRST001',
        message: 'Database client error. Retrying the connection.',
        details,
      });
    case 'no snapshot':
      return noSchemaCache();
    default:
      return reason satisfies never;
  }
}

function databaseError(failure: TransactionFailure & { readonly kind: 'database' }, authenticated: boolean): ApiError {
  const { code, message, detail, hint } = failure;
  if (failure.statement === 1) {
    const guard = readGuardFailure(code, message);
    if (guard !== null) return guardError(guard.code, guard.count);
  }
  if (code === 'PGRST') return raisedError(message, detail);
  const { status, statusText } = sqlStatus(code, message, authenticated);
  return new ApiError(
    status,
    { code, message, details: detail, hint },
    { headers: status === 401 ? [BEARER] : [], ...(statusText === null ? {} : { statusText }) },
  );
}

/** The operator's to repair. The details name a setting, never its value. */
export const misconfigured = (details: string | null): ApiError =>
  new ApiError(500, { code: 'EDGE004', message: 'The server is not set up correctly', details });

/** There is no room for one more large body. */
export const tooManyBodies = (): ApiError =>
  new ApiError(503, { code: 'EDGE014', message: 'Too many large request bodies are under way' });

/** What the pooler does not take: the client's fault only where the token, the role or the body's size is. */
export function refusedByPooler(reason: string): ApiError {
  switch (reason) {
    case 'token':
      return new ApiError(
        401,
        { code: 'EDGE009', message: 'The token is not accepted' },
        {
          headers: [
            ['WWW-Authenticate', 'Bearer error="invalid_token", error_description="The token is not accepted"'],
          ],
        },
      );
    case 'keys':
      return keysAwaited();
    case 'role':
      return new ApiError(403, { code: 'EDGE007', message: 'The role is not allowed here' });
    case 'size':
      return new ApiError(413, { code: 'EDGE005', message: 'The request body is too large' });
    case 'memory':
      return tooManyBodies();
    case 'stopping':
      return new ApiError(503, { code: 'EDGE008', message: 'The server is shutting down' });
    case 'snapshot':
      return new ApiError(503, { code: 'EDGE013', message: 'The schema cache is being renewed' });
    case 'secret':
      return misconfigured('The pooler does not accept the EDGEREST_POOLER_SECRET of the worker.');
    case 'version':
      return misconfigured('The pooler is of another version than the worker.');
    case 'endpoint':
      return misconfigured('EDGEREST_POOLER_URL of the worker is not the address of the pooler.');
    case 'setting':
      return misconfigured(null);
    default:
      return new ApiError(502, { code: 'EDGE004', message: 'The pooler did not accept the transaction' });
  }
}
