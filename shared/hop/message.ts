/** The hop's JSON parts: what goes into the head, and readers that take unknown JSON and give typed values or nothing. */
import { isObject } from '../json.ts';
import type { IsolationLevel } from '../snapshot/types.ts';
import type { ResultFacts } from './codec.ts';
import { isTraceparent } from './traceparent.ts';
import {
  HOP_VERSION,
  type Parameter,
  type ResultShape,
  type Statement,
  type StatementResult,
  type TransactionError,
  type TransactionFailure,
  type TransactionRequest,
} from './types.ts';

const STATEMENT_LIMIT = 64;
/** Bind counts its parameters in 16 bits (PostgreSQL docs, 54.7 Message Formats). */
const PARAMETER_LIMIT = 65_535;

/** The head of a request: everything but the version, which is a byte of its own. */
export function headOf(request: TransactionRequest): Omit<TransactionRequest, 'version'> {
  const { version: _, ...head } = request;
  return head;
}

export type Read<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly at: string };

/** Signals the place in the head that is wrong; never leaves this file. */
class Wrong extends Error {
  readonly at: string;
  constructor(at: string) {
    super(at);
    this.at = at;
  }
}

function object(value: unknown, at: string): { readonly [key: string]: unknown } {
  if (!isObject(value)) throw new Wrong(at);
  return value;
}

function list<T>(value: unknown, at: string, limit: number, read: (item: unknown, at: string) => T): readonly T[] {
  if (!Array.isArray(value) || value.length > limit) throw new Wrong(at);
  return value.map((item, index) => read(item, `${at}[${index}]`));
}

function text(value: unknown, at: string): string {
  if (typeof value !== 'string') throw new Wrong(at);
  return value;
}

/** SQL text: a NUL would end the protocol's string and what follows would be read as another message. */
function sql(value: unknown, at: string): string {
  const result = text(value, at);
  if (result.includes('\0')) throw new Wrong(at);
  return result;
}

const textOrNull = (value: unknown, at: string): string | null => (value === null ? null : text(value, at));

function count(value: unknown, at: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw new Wrong(at);
  return value;
}

const countOrNull = (value: unknown, at: string): number | null => (value === null ? null : count(value, at));

function oneOf<T extends string>(value: unknown, at: string, allowed: readonly T[]): T {
  const found = allowed.find((candidate) => candidate === value);
  if (found === undefined) throw new Wrong(at);
  return found;
}

function pair(value: unknown, at: string): readonly [string, string] {
  if (!Array.isArray(value) || value.length !== 2) throw new Wrong(at);
  return [text(value[0], at), text(value[1], at)];
}

function parameter(value: unknown, at: string): Parameter {
  if (value === null || typeof value === 'string') return value;
  return { payload: oneOf(object(value, at).payload, at, ['text', 'binary']) };
}

function shape(value: unknown, at: string): ResultShape {
  const fields = object(value, at);
  const kind = oneOf(fields.kind, `${at}.kind`, ['none', 'row', 'lines']);
  if (kind !== 'row') return { kind };
  const row = { kind, body: countOrNull(fields.body, `${at}.body`) };
  return {
    ...row,
    ...(fields.stream === true ? { stream: true } : {}),
    ...(fields.binary === true ? { binary: true } : {}),
  };
}

function statement(value: unknown, at: string): Statement {
  const fields = object(value, at);
  return {
    text: sql(fields.text, `${at}.text`),
    parameters: list(fields.parameters, `${at}.parameters`, PARAMETER_LIMIT, parameter),
    result: shape(fields.result, `${at}.result`),
  };
}

/** As text, an address of IPv6 with its zone has no more characters. */
const ADDRESS_LIMIT = 64;

function address(value: unknown, at: string): string {
  const result = text(value, at);
  if (result.length > ADDRESS_LIMIT) throw new Wrong(at);
  return result;
}

function traceparent(value: unknown, at: string): string {
  const result = text(value, at);
  if (!isTraceparent(result)) throw new Wrong(at);
  return result;
}

const ISOLATION: readonly IsolationLevel[] = ['read committed', 'repeatable read', 'serializable'];

function attempt<T>(read: () => T): Read<T> {
  try {
    return { ok: true, value: read() };
  } catch (error) {
    if (error instanceof Wrong) return { ok: false, at: error.at };
    throw error;
  }
}

/** Reads a request's head. `at` is the place that is wrong, as a path into the JSON. */
export const readHead = (json: unknown): Read<TransactionRequest> =>
  attempt(() => {
    const head = object(json, 'the top');
    return {
      version: HOP_VERSION,
      snapshot: text(head.snapshot, 'snapshot'),
      token: textOrNull(head.token, 'token'),
      role: text(head.role, 'role'),
      claims: text(head.claims, 'claims'),
      schema: text(head.schema, 'schema'),
      method: text(head.method, 'method'),
      path: text(head.path, 'path'),
      headers: text(head.headers, 'headers'),
      cookies: text(head.cookies, 'cookies'),
      ...(head.traceparent === undefined ? {} : { traceparent: traceparent(head.traceparent, 'traceparent') }),
      ...(head.address === undefined ? {} : { address: address(head.address, 'address') }),
      timezone: textOrNull(head.timezone, 'timezone'),
      isolation: head.isolation === null ? null : oneOf(head.isolation, 'isolation', ISOLATION),
      access: oneOf(head.access, 'access', ['read only', 'read write']),
      settings: list(head.settings, 'settings', 1000, pair),
      statements: list(head.statements, 'statements', STATEMENT_LIMIT, statement),
      ...(head.document === true ? { document: true } : {}),
      end: head.end === null ? null : oneOf<'commit' | 'rollback'>(head.end, 'end', ['commit', 'rollback']),
      deadline: countOrNull(head.deadline, 'deadline'),
    };
  });

function statementResult(value: unknown, at: string): StatementResult {
  const fields = object(value, at);
  return {
    rows: count(fields.rows, `${at}.rows`),
    columns: list(fields.columns, `${at}.columns`, PARAMETER_LIMIT, textOrNull),
  };
}

/** Reads the facts of a result; null when the JSON is not of this form. */
export function readResult(json: unknown): ResultFacts | null {
  const result = attempt(() => {
    const facts = object(json, 'the top');
    return {
      snapshot: text(facts.snapshot, 'snapshot'),
      statements: list(facts.statements, 'statements', STATEMENT_LIMIT, statementResult),
      body: countOrNull(facts.body, 'body'),
    };
  });
  return result.ok ? result.value : null;
}

const KINDS = ['database', 'admission', 'unavailable', 'unknown outcome', 'cancelled', 'refused'] as const;

function failure(value: unknown): TransactionFailure {
  const fields = object(value, 'failure');
  const message = text(fields.message, 'message');
  const kind = oneOf(fields.kind, 'kind', KINDS);
  switch (kind) {
    case 'database': {
      const index = fields.statement;
      return {
        kind,
        message,
        code: text(fields.code, 'code'),
        detail: textOrNull(fields.detail, 'detail'),
        hint: textOrNull(fields.hint, 'hint'),
        statement: index === -1 ? -1 : countOrNull(index, 'statement'),
      };
    }
    case 'admission':
      return { kind, message, reason: oneOf(fields.reason, 'reason', ['timeout', 'full']) };
    case 'unavailable':
      return {
        kind,
        message,
        reason: oneOf(fields.reason, 'reason', ['connect', 'lost', 'no snapshot']),
        detail: textOrNull(fields.detail, 'detail'),
      };
    case 'unknown outcome':
    case 'cancelled':
      return { kind, message };
    case 'refused':
      return { kind, message, reason: text(fields.reason, 'reason'), status: count(fields.status, 'status') };
    default:
      return kind satisfies never;
  }
}

/** Reads a failure; null when the JSON is not of this form. */
export function readFailure(json: unknown): TransactionError | null {
  const result = attempt(() => {
    const fields = object(json, 'the top');
    return { ok: false as const, snapshot: textOrNull(fields.snapshot, 'snapshot'), failure: failure(fields.failure) };
  });
  return result.ok ? result.value : null;
}
