/**
 * The hop: the one message with which the worker asks the pooler to run a request's transaction, and its answer.
 * The bytes on the wire are described in docs/hop.md and made by shared/hop/codec.ts.
 */

import type { IsolationLevel } from '../snapshot/types.ts';
import type { CancelSignal } from './cancellation.ts';

export const HOP_VERSION = 1;

/**
 * A statement's parameter. Text goes as PostgreSQL's text format. `payload` is the request's body as it came:
 * `text` for a parameter of any textual or JSON type, `binary` for bytea (its binary format is the bytes themselves).
 */
export type Parameter = string | null | { readonly payload: 'text' | 'binary' };

/**
 * What is wanted of a statement's result.
 * `none`: nothing is kept. `row`: the last row; its column `body` (an index) is handed on as raw bytes, the others as text.
 * `lines`: the first column of every row, each followed by a newline, as the body (EXPLAIN's text format).
 */
export type ResultShape =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'row';
      readonly body: number | null;
      /** The body is the last column of a single row and no later statement can fail: a large one may be handed on while it arrives. */
      readonly stream?: true;
      /** All columns are asked for in binary format: the body may be of any type, the others are of type text. */
      readonly binary?: true;
    }
  | { readonly kind: 'lines' };

export interface Statement {
  /** SQL with `$n` placeholders; equal shapes give equal text. */
  readonly text: string;
  readonly parameters: readonly Parameter[];
  readonly result: ResultShape;
}

/** One request as one transaction. What the configuration decides (pre-request, role settings, …) the pooler adds. */
export interface TransactionRequest {
  readonly version: typeof HOP_VERSION;
  /** The snapshot's version that was planned on. */
  readonly snapshot: string;
  /** The bearer token, verified again by the pooler; null for the anonymous role. */
  readonly token: string | null;
  /** Empty where the worker could not verify the token: the pooler, which can, takes role and claims from it. */
  readonly role: string;
  /** `request.jwt.claims`: JSON text. */
  readonly claims: string;
  /** The schema in front of `db-extra-search-path`. */
  readonly schema: string;
  readonly method: string;
  readonly path: string;
  /** `request.headers`, `request.cookies`: JSON objects as text. */
  readonly headers: string;
  readonly cookies: string;
  /** The request's `traceparent`, where it has a valid one. */
  readonly traceparent?: string;
  /** The client's address, where the transport vouches for it. It decides on nothing but the queue. */
  readonly address?: string;
  /** `Prefer: timezone=`; null leaves the server's. */
  readonly timezone: string | null;
  /** A function's own isolation level; null leaves it to the role's or the default. */
  readonly isolation: IsolationLevel | null;
  readonly access: 'read only' | 'read write';
  /** The called function's hoisted settings. */
  readonly settings: readonly (readonly [string, string])[];
  /** In order; the first is the main one, guards and counts follow. */
  readonly statements: readonly Statement[];
  /** The body shall be the OpenAPI document of `schema`, as the role may see it: the pooler's own statements take the list's place. */
  readonly document?: true;
  /** `Prefer: tx=`, already checked against the override rule; null leaves the configuration's end. */
  readonly end: 'commit' | 'rollback' | null;
  /** Milliseconds that the request may still take; null without a limit. */
  readonly deadline: number | null;
}

/** A statement's outcome: the row's columns as text (the body's place holds null) and the number of rows. */
export interface StatementResult {
  readonly rows: number;
  readonly columns: readonly (string | null)[];
}

/** The bytes of the body column as PostgreSQL sent them. */
export type ResultBody = Uint8Array | ReadableStream<Uint8Array>;

/** What an outcome says to the process that ran the transaction, and to no other. */
interface Sent {
  /** With `log-query`: the texts of the statements, the pooler's own as well. */
  readonly sent?: readonly string[];
}

export interface TransactionResult extends Sent {
  readonly ok: true;
  /** The pooler's current snapshot version. */
  readonly snapshot: string;
  readonly statements: readonly StatementResult[];
  readonly body: ResultBody | null;
  /** Bytes of `body`. */
  readonly length: number;
}

/** Why a transaction gave no result. Each is answered differently; none carries a secret. */
export type TransactionFailure =
  /** The database refused; `statement` is the index in the request's list, -1 before it (settings, pre-request), null at commit. */
  | {
      readonly kind: 'database';
      readonly code: string;
      readonly message: string;
      readonly detail: string | null;
      readonly hint: string | null;
      readonly statement: number | null;
    }
  /** No connection came free in time (PGRST003), or the queue was full at once. */
  | { readonly kind: 'admission'; readonly reason: 'timeout' | 'full'; readonly message: string }
  /** The database cannot be reached (PGRST000 with `connect`, PGRST001 with `lost`, PGRST002 with `no snapshot`). */
  | {
      readonly kind: 'unavailable';
      readonly reason: 'connect' | 'lost' | 'no snapshot';
      readonly message: string;
      readonly detail: string | null;
    }
  /** The connection was lost after the transaction was sent: it may or may not have been committed. */
  | { readonly kind: 'unknown outcome'; readonly message: string }
  /** The deadline passed or the caller went away; the statement was cancelled. */
  | { readonly kind: 'cancelled'; readonly message: string }
  /** The pooler did not accept the message: secret, version, size, form, role, token. `status` is the hop's own. */
  | { readonly kind: 'refused'; readonly reason: string; readonly message: string; readonly status: number };

export interface TransactionError extends Sent {
  readonly ok: false;
  readonly snapshot: string | null;
  readonly failure: TransactionFailure;
}

export type TransactionOutcome = TransactionResult | TransactionError;

/**
 * A request's body: whole, or in pieces, which may still be arriving. Nothing runs before the last one has. What iterating over them
 * throws is thrown on.
 */
export type TransactionPayload = Uint8Array | readonly Uint8Array[] | AsyncIterable<Uint8Array>;

/** Where transactions go: in the same process, or over HTTP. The transport's own errors come back as failures, never thrown. */
export interface Hop {
  transaction(
    request: TransactionRequest,
    payload: TransactionPayload | null,
    signal: CancelSignal | null,
  ): Promise<TransactionOutcome>;
}
