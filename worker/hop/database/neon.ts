/** A driver for endpoints that take SQL over HTTP, as Neon's does: a batch is one request, one transaction and one round trip. */

import { abortSignalOf, type CancelSignal } from '../../../shared/hop/cancellation.ts';
import { isObject, parsedJson } from '../../../shared/json.ts';
import { isLoopback } from '../../../shared/loopback.ts';
import { HopConfigError } from '../address.ts';
import { isNeverSent, isNeverSentAnswer } from '../never-sent.ts';
import { sentOnce } from '../sent-once.ts';
import type { Batch, BatchFailure, BatchOutcome, BatchResult, BatchStatement, Cell, DatabaseDriver } from './batch.ts';

type IsolationLevel = Batch['transaction']['isolation'];

const ISOLATION: Readonly<Record<IsolationLevel, string>> = {
  'read committed': 'ReadCommitted',
  'repeatable read': 'RepeatableRead',
  serializable: 'Serializable',
};

/** So that deferred constraints fail as they would at the commit. */
const ROLLBACK: readonly BatchStatement[] = [
  { text: 'SET CONSTRAINTS ALL IMMEDIATE', parameters: [] },
  { text: 'ROLLBACK', parameters: [] },
];

const textOrNull = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null);

function rowOf(row: unknown): readonly Cell[] | null {
  if (!Array.isArray(row)) return null;
  const cells: readonly unknown[] = row;
  return cells.every((cell) => cell === null || typeof cell === 'string') ? cells : null;
}

function resultOf(value: unknown): BatchResult | null {
  if (!isObject(value) || !Array.isArray(value.rows) || !Array.isArray(value.fields)) return null;
  const rows = value.rows.map(rowOf).filter((row) => row !== null);
  if (rows.length !== value.rows.length) return null;
  const types = value.fields.map((field: unknown) => (isObject(field) ? Number(field.dataTypeID) : 0));
  return { rows, types, count: typeof value.rowCount === 'number' ? value.rowCount : 0 };
}

function resultsOf(json: unknown, count: number): readonly BatchResult[] | null {
  if (!isObject(json) || !Array.isArray(json.results)) return null;
  const results = json.results
    .slice(0, count)
    .map(resultOf)
    .filter((result) => result !== null);
  return results.length === count ? results : null;
}

/** What ends a login (classes 08, 28 and 53, 3D000, 57P03; PostgreSQL docs, appendix A). Other fatal errors may come behind a commit. */
const AT_LOGIN = /^(?:08|28|53|3D000|57P03)/;

/** An error of the database. One that came with the login, before any statement, is a connection's. */
function errorOf(json: unknown): BatchFailure | null {
  if (!isObject(json) || typeof json.code !== 'string' || typeof json.message !== 'string') return null;
  const { code, message, severity } = json;
  if (severity === 'FATAL' || severity === 'PANIC') {
    return { kind: AT_LOGIN.test(code) ? 'connect' : 'unanswered', message };
  }
  const [detail, hint] = [textOrNull(json.detail), textOrNull(json.hint)];
  return { kind: 'database', code, message, detail, hint, statement: 'unknown' };
}

/** Endpoints take a connection string that is a URL. Throws HopConfigError. */
function checkedUri(dbUri: string): string {
  if (/^postgres(ql)?:\/\//.test(dbUri) && URL.canParse(dbUri) && new URL(dbUri).hostname !== '') return dbUri;
  throw new HopConfigError('PGRST_DB_URI must be a URL such as postgresql://user:password@host/database.');
}

/**
 * Where Neon takes SQL for the host of a connection string: the first label of its name is `api` there. Throws HopConfigError.
 */
export function neonEndpoint(dbUri: string): string {
  const { hostname } = new URL(checkedUri(dbUri));
  return `https://${hostname.replace(/^[^.]+\./, 'api.')}/sql`;
}

/** Throws HopConfigError. The connection string has the password: only TLS may carry it. */
function checkedEndpoint(url: string): string {
  const { protocol, hostname } = new URL(url);
  if (protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname))) return url;
  throw new HopConfigError('EDGEREST_SQL_URL must be https, except on loopback.');
}

export interface NeonOptions {
  /** `db-uri`, a URL. */
  readonly dbUri: string;
  /** Where the endpoint is; as Neon has it for the host of `dbUri` by default. */
  readonly endpoint?: string | null;
}

/** Throws HopConfigError. */
export class NeonDriver implements DatabaseDriver {
  readonly #dbUri: string;
  readonly #endpoint: string;

  constructor({ dbUri, endpoint }: NeonOptions) {
    this.#dbUri = checkedUri(dbUri);
    this.#endpoint = checkedEndpoint(endpoint ?? neonEndpoint(dbUri));
  }

  async run({ transaction, statements }: Batch, signal: CancelSignal | null): Promise<BatchOutcome> {
    const all = transaction.end === 'rollback' ? [...statements, ...ROLLBACK] : statements;
    const queries = all.map(({ text, parameters }) => ({ query: text, params: parameters }));
    const message = JSON.stringify({ queries });
    const init = {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        'Neon-Connection-String': this.#dbUri,
        'Neon-Raw-Text-Output': 'true',
        'Neon-Array-Mode': 'true',
        'Neon-Batch-Isolation-Level': ISOLATION[transaction.isolation],
        'Neon-Batch-Read-Only': String(transaction.readOnly),
      },
      body: transaction.readOnly ? message : sentOnce(message),
      redirect: 'manual',
      signal: abortSignalOf(signal) ?? null,
    } as const;
    let response: Response;
    let text: string;
    try {
      response = await fetch(this.#endpoint, init);
      text = await response.text();
    } catch (error) {
      if (signal?.aborted) return failed({ kind: 'cancelled' });
      return failed({
        kind: isNeverSent(error) ? 'connect' : 'unanswered',
        message: 'The database cannot be reached.',
      });
    }
    const results = response.status === 200 ? resultsOf(parsedJson(text), statements.length) : null;
    if (results !== null) return { ok: true, results };
    return failed((response.status === 400 ? errorOf(parsedJson(text)) : null) ?? strange(response));
  }
}

const failed = (failure: BatchFailure): BatchOutcome => ({ ok: false, failure });

/** An answer that is neither results nor an error of the database. Of what the endpoint refused nothing has run. */
function strange(response: Response): BatchFailure {
  const { status } = response;
  const hasNotRun = (status >= 300 && status < 500) || isNeverSentAnswer(response);
  const message = `The database's endpoint answered with status ${status}.`;
  return { kind: hasNotRun ? 'connect' : 'unanswered', message };
}
