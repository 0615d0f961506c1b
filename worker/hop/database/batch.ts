/** What a worker without a pooler asks of a driver: statements that run one after the other as one transaction. */
import type { CancelSignal } from '../../../shared/hop/cancellation.ts';
import type { ExplicitTransaction } from '../../../shared/transaction/plan.ts';

/** A value for `$n`, in PostgreSQL's text format. */
export type Value = string | null;

export interface BatchStatement {
  readonly text: string;
  readonly parameters: readonly Value[];
}

export interface Batch {
  readonly transaction: ExplicitTransaction;
  readonly statements: readonly BatchStatement[];
}

/** A column of a row in PostgreSQL's text format, as the driver has it; null for NULL. */
export type Cell = string | Uint8Array | null;

export interface BatchResult {
  readonly rows: readonly (readonly Cell[])[];
  /** OIDs of the columns' types, domains as what is under them. */
  readonly types: readonly number[];
  /** The number of rows in the command's tag. */
  readonly count: number;
}

/** Why there are no results. */
export type BatchFailure =
  /** `statement`: which one was refused; null at the commit, `unknown` where the driver is not told. */
  | {
      readonly kind: 'database';
      readonly code: string;
      readonly message: string;
      readonly detail: string | null;
      readonly hint: string | null;
      readonly statement: number | null | 'unknown';
    }
  /** Nothing has run: the database, or what stands in front of it, could not be reached or did not let us in. */
  | { readonly kind: 'connect'; readonly message: string }
  /** The connection was lost before the commit was sent, so that there was none. */
  | { readonly kind: 'lost'; readonly message: string }
  /** It was lost while the answer to all of it was waited for. */
  | { readonly kind: 'unanswered'; readonly message: string }
  | { readonly kind: 'cancelled' };

export type BatchOutcome =
  | { readonly ok: true; readonly results: readonly BatchResult[] }
  | { readonly ok: false; readonly failure: BatchFailure };

/** Runs batches. What it throws is a mistake of ours. */
export interface DatabaseDriver {
  run(batch: Batch, signal: CancelSignal | null): Promise<BatchOutcome>;
}

const decoder = new TextDecoder();
const encoder = new TextEncoder();

export const textOf = (cell: Cell | undefined): string | null =>
  cell instanceof Uint8Array ? decoder.decode(cell) : (cell ?? null);

const BYTEA = 17;
const JSONB = 3802;
const JSONB_VERSION = '\u0001';

/** The bytes of a column; where it was asked for in binary format, those that would have come. Others than these are the same in both. */
export function bytesOf(cell: Cell | undefined, type: number | undefined, binary: boolean): Uint8Array | null {
  if (cell === null || cell === undefined) return null;
  if (binary && type === BYTEA) return byteaBytes(textOf(cell) ?? '');
  if (binary && type === JSONB) return encoder.encode(JSONB_VERSION + textOf(cell));
  return typeof cell === 'string' ? encoder.encode(cell) : cell;
}

/** PostgreSQL docs, 8.4 Binary Data Types: the hex format, `bytea_output`'s default, and the escape format. */
function byteaBytes(text: string): Uint8Array {
  if (text.startsWith('\\x')) {
    return Uint8Array.from({ length: (text.length - 2) / 2 }, (_, i) =>
      Number.parseInt(text.slice(2 + 2 * i, 4 + 2 * i), 16),
    );
  }
  const binary = text.replace(/\\(\\|[0-3][0-7]{2})/g, (_, escaped: string) =>
    escaped === '\\' ? '\\' : String.fromCharCode(Number.parseInt(escaped, 8)),
  );
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** Bytes as a bytea in text format. */
export function byteaText(bytes: Uint8Array): string {
  let text = '\\x';
  for (const byte of bytes) text += HEX[byte];
  return text;
}
