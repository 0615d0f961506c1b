/** What a request over HTTP asks for: its body and its headers. */
import type { IncomingHttpHeaders } from 'node:http';
import type { TransactionWrapper } from '../wire/index.ts';
import { arrayLiteral } from './array-literal.ts';
import { driverError } from './errors.ts';

export interface Query {
  readonly text: string;
  /** As PostgreSQL's text, null for NULL. */
  readonly parameters: readonly (string | null)[];
  /** Rows as arrays; null where the request's header says. */
  readonly arrayMode: boolean | null;
}

export type SqlRequest =
  | { readonly kind: 'single'; readonly query: Query }
  | { readonly kind: 'batch'; readonly queries: readonly Query[] };

export interface SqlHeaders {
  /** Values as PostgreSQL's text, whatever their type. */
  readonly rawText: boolean;
  readonly arrayMode: boolean;
  readonly transaction: TransactionWrapper;
  /** The isolation level in the header's own word. */
  readonly isolation: string | null;
}

const ISOLATION: Readonly<Record<string, NonNullable<TransactionWrapper['isolation']>>> = {
  ReadUncommitted: 'read uncommitted',
  ReadCommitted: 'read committed',
  RepeatableRead: 'repeatable read',
  Serializable: 'serializable',
};

/** Throws a DriverError for an isolation level that there is none of. */
export function readHeaders(headers: IncomingHttpHeaders): SqlHeaders {
  const isTrue = (name: string): boolean => headers[name] === 'true';
  const word = headers['neon-batch-isolation-level'];
  const isolation = typeof word === 'string' && Object.hasOwn(ISOLATION, word) ? (ISOLATION[word] ?? null) : null;
  if (word !== undefined && isolation === null) {
    throw driverError('22023', 'the isolation level is not one of those that there are', {
      hint: `Neon-Batch-Isolation-Level is one of ${Object.keys(ISOLATION).join(', ')}.`,
    });
  }
  return {
    rawText: isTrue('neon-raw-text-output'),
    arrayMode: isTrue('neon-array-mode'),
    isolation: typeof word === 'string' ? word : null,
    transaction: {
      isolation,
      readOnly: isTrue('neon-batch-read-only') ? true : null,
      deferrable: isTrue('neon-batch-deferrable'),
      end: 'commit',
    },
  };
}

const malformed = (what: string) =>
  driverError('08P01', `the request is not right: ${what}`, {
    hint: 'It is {"query": "…", "params": […]}, or {"queries": […]} with such objects.',
  });

/** A number that JavaScript may not hold exactly, or an exponent. */
const LONG_NUMBER = /\d[\d.]{15,}|\d[eE]/;
const EXACT_DIGITS = 15;
const rawJson: unknown = Reflect.get(JSON, 'rawJSON');

/** Keeps the digits that would be lost: an int8 or a numeric may have more than a double. */
function exact(_: string, value: unknown, context?: { readonly source?: string }): unknown {
  const source = context?.source;
  if (typeof value !== 'number' || source === undefined || typeof rawJson !== 'function') return value;
  if (Number.isFinite(value) && (source.length <= EXACT_DIGITS || String(value) === source)) return value;
  return Reflect.apply(rawJson, JSON, [source]);
}

function parseJson(text: string): unknown {
  try {
    return LONG_NUMBER.test(text) ? JSON.parse(text, exact) : JSON.parse(text);
  } catch {
    throw malformed('the body is not JSON');
  }
}

/** A JSON value as a parameter's text: objects stay JSON, arrays become PostgreSQL's. */
function parameterOf(value: unknown): string | null {
  if (typeof value === 'string') return value;
  if (value === null || value === undefined) return null;
  return Array.isArray(value) ? arrayLiteral(value) : JSON.stringify(value);
}

function queryOf(value: unknown): Query {
  if (typeof value !== 'object' || value === null || !('query' in value)) throw malformed('a query is missing');
  const { query: text } = value;
  if (typeof text !== 'string') throw malformed('a query is not a text');
  const params: unknown = 'params' in value ? value.params : null;
  const mode: unknown = 'arrayMode' in value ? value.arrayMode : null;
  if (params !== null && !Array.isArray(params)) throw malformed('params is not an array');
  return {
    text,
    parameters: params === null ? [] : params.map(parameterOf),
    arrayMode: typeof mode === 'boolean' ? mode : null,
  };
}

/** What surrounds an empty query is many times its own size. */
const MOST_QUERIES = 10_000;

/** Reads a body, whatever its content type says. Throws a DriverError. */
export function readRequest(body: string): SqlRequest {
  const value = parseJson(body);
  if (typeof value !== 'object' || value === null || !('queries' in value)) {
    return { kind: 'single', query: queryOf(value) };
  }
  if (!Array.isArray(value.queries)) throw malformed('queries is not an array');
  if (value.queries.length > MOST_QUERIES) throw driverError('54000', `a batch has at most ${MOST_QUERIES} queries`);
  return { kind: 'batch', queries: value.queries.map(queryOf) };
}
