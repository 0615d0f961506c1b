/** From what the database answered, or how the connection failed, to the hop's answer. */
import { refuse } from '../../shared/hop/codec.ts';
import type {
  ResultBody,
  StatementResult,
  TransactionFailure,
  TransactionOutcome,
  TransactionRequest,
} from '../../shared/hop/types.ts';
import {
  callerGone,
  connectionLost,
  notConnected,
  privilegedRole,
  unanswered,
} from '../../shared/transaction/failures.ts';
import { isRoleGuardFailure } from '../../shared/transaction/plan.ts';
import { PoolError } from '../pool/index.ts';
import {
  ConnectionError,
  type DatabaseError,
  type FlightResult,
  type Row,
  type StatementResult as WireResult,
} from '../wire/index.ts';
import type { FlightPlan } from './flight.ts';

const LATE: TransactionFailure = { kind: 'cancelled', message: 'The deadline passed.' };
/** The answer to one for whom there is no room to wait. */
export const QUEUE_FULL: TransactionFailure = {
  kind: 'admission',
  reason: 'full',
  message: 'Too many requests wait for a connection.',
};
const NEWLINE = Buffer.from('\n');

/** The row's columns as text, but for the body's. */
export function textsOf(row: Row, body: number | null): readonly (string | null)[] {
  const columns: (string | null)[] = [];
  for (let i = 0; i < row.length; i++) columns.push(i === body ? null : row.text(i));
  return columns;
}

/** PostgreSQL's EXPLAIN in text comes as a row for each line. */
function linesOf(rows: readonly Row[]): Buffer {
  return Buffer.concat(rows.flatMap((row) => [row.bytes(0) ?? Buffer.alloc(0), NEWLINE]));
}

/** The outcome of a flight that completed. */
function completed(
  request: TransactionRequest,
  plan: FlightPlan,
  results: readonly WireResult[],
  snapshot: string,
): TransactionOutcome {
  const statements: StatementResult[] = [];
  let body: ResultBody | null = null;
  let length = 0;
  for (let i = 0; i < request.statements.length; i++) {
    const shape = request.statements[i]?.result;
    const result = results[plan.preface + i];
    if (shape === undefined || result === undefined) continue;
    let columns: readonly (string | null)[] = [];
    let bytes: Buffer | null = null;
    if (shape.kind === 'row' && result.row !== null) {
      columns = textsOf(result.row, shape.body);
      if (shape.body !== null) bytes = result.row.bytes(shape.body);
    } else if (shape.kind === 'lines') bytes = linesOf(result.rows);
    statements.push({ rows: result.count ?? 0, columns });
    if (bytes !== null && body === null) {
      body = bytes;
      length = bytes.length;
    }
  }
  return { ok: true, snapshot, statements, body, length };
}

/** The outcome of a flight that failed in the database. */
function failed(plan: FlightPlan, result: Extract<FlightResult, { outcome: 'failed' }>): TransactionFailure {
  if (result.cancelled !== null) return result.cancelled === 'deadline' ? LATE : callerGone;
  const { code, message } = result.error.fields;
  if (result.statement === plan.roleGuard && isRoleGuardFailure(code, message)) return privilegedRole;
  return databaseFailure(result.error, statementIndex(result.statement, plan));
}

/** The index in the request's own list: -1 before it, null when the end of the transaction failed. */
function statementIndex(index: number, plan: FlightPlan): number | null {
  if (index >= plan.statements.length) return null;
  return index < plan.preface ? -1 : index - plan.preface;
}

/** A server's error as a failure. */
function databaseFailure(error: DatabaseError, statement: number | null): TransactionFailure {
  const { code, message, detail, hint } = error.fields;
  return { kind: 'database', code, message, detail: detail ?? null, hint: hint ?? null, statement };
}

/** What a flight came to. */
export function outcomeOf(
  request: TransactionRequest,
  plan: FlightPlan,
  result: FlightResult,
  snapshot: string,
): TransactionOutcome {
  switch (result.outcome) {
    case 'completed':
      return completed(request, plan, result.results, snapshot);
    case 'failed':
      return { ok: false, snapshot, failure: failed(plan, result) };
    default:
      return result satisfies never;
  }
}

/** Why there is no result: what the pool or the connection threw, as a failure. Anything else is a mistake of ours and thrown again. */
export function failureOf(error: unknown, request: TransactionRequest): TransactionFailure {
  if (error instanceof PoolError) return admissionFailure(error);
  if (error instanceof ConnectionError) return connectionFailure(error, request);
  if (error instanceof RangeError)
    return refuse(413, 'size', 'A statement or a parameter is too large for the protocol.');
  throw error;
}

function admissionFailure(error: PoolError): TransactionFailure {
  switch (error.code) {
    case 'acquisition-timeout':
      return { kind: 'admission', reason: 'timeout', message: 'Timed out acquiring connection from connection pool.' };
    case 'queue-full':
      return QUEUE_FULL;
    case 'deadline':
      return LATE;
    case 'aborted':
      return callerGone;
    case 'closed':
      return connectionLost('the pool is closed');
    default:
      return error.code satisfies never;
  }
}

function connectionFailure(error: ConnectionError, request: TransactionRequest): TransactionFailure {
  switch (error.kind) {
    case 'refused':
    case 'timeout':
    case 'tls':
    case 'authentication':
    case 'rejected':
      return notConnected(error.message);
    case 'unsent':
    case 'closed':
      return connectionLost(error.message);
    case 'unknown':
    case 'protocol':
      return unanswered(request, error.message);
    default:
      return error.kind satisfies never;
  }
}
