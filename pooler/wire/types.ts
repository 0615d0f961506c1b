import type { CancelSignal } from '../../shared/hop/cancellation.ts';
import type { DatabaseError, ErrorFields } from './errors.ts';

/** A value bound to `$n`: text, bytes in PostgreSQL's text format, the same in pieces (never joined), pieces in binary format, or NULL. */
export type ParameterValue =
  | string
  | Uint8Array
  | readonly Uint8Array[]
  | { readonly binary: readonly Uint8Array[] }
  | null;

/**
 * One statement of a flight. It is parsed where it stands in the batch: after the Execute of every statement before it, so it sees their
 * search_path and role.
 */
export type FlightStatement = {
  readonly text: string;
  readonly parameters: readonly ParameterValue[];
  /** OIDs of the parameters' types, 0 or missing where the server shall infer them. */
  readonly types?: readonly number[];
  /** `named` keeps the plan on the connection; `unnamed` parses every time and is right for one-off text. */
  readonly prepare: 'named' | 'unnamed';
  /** What the plan depends on besides the text (role and search_path): the same text in another scope gets a name of its own. */
  readonly scope?: string;
  /**
   * The types of its parameters hang on columns that may be changed: input that an old name does not take is tried once more on a fresh one.
   */
  readonly inferred?: boolean;
  /** With a name: what was parsed under it before does not do; by `performance.now`. */
  readonly since?: number;
  /** `none` drops rows, `row` keeps the last one, `rows` keeps all. */
  readonly result: 'none' | 'row' | 'rows';
  /** Asks for the description of the columns too. */
  readonly describe?: boolean;
  /** Asks for all columns in binary format. Text is the same in both. */
  readonly binary?: boolean;
  /** For `row`: receives the last column in pieces when the row does not arrive at once. At most one statement of a flight has one. */
  readonly sink?: RowSink;
  /** For `rows` with `describe`: takes the rows as they arrive, and none is kept. */
  readonly taker?: RowTaker;
};

/**
 * An explicit transaction inside the same flight; without it the batch is one implicit transaction at the session's defaults. They also
 * hold for what is null here.
 */
export type TransactionWrapper = {
  readonly isolation: 'read uncommitted' | 'read committed' | 'repeatable read' | 'serializable' | null;
  readonly readOnly: boolean | null;
  readonly deferrable?: boolean;
  /** `rollback` checks deferred constraints first, so that they fail as they would at commit. */
  readonly end: 'commit' | 'rollback';
};

export type { CancelSignal };

/** Everything sent to the database for one request: one write, one Sync (two with the reset), one round trip. */
export type Flight = {
  readonly statements: readonly FlightStatement[];
  readonly transaction?: TransactionWrapper;
  /** Follows the flight with the reset batch. The result does not wait for it, the connection does. */
  readonly reset: boolean;
  /** It is not sent a second time on fresh names: a statement of it may have committed what came before. */
  readonly once?: boolean;
  /** Milliseconds since the epoch; passing it sends a CancelRequest. */
  readonly deadline?: number;
  /** Aborting it sends a CancelRequest. */
  readonly signal?: CancelSignal;
};

/** A DataRow. Columns are as the server sent them: in text format, unless binary was asked for. */
export interface Row {
  /** Number of columns. */
  readonly length: number;
  /** The column's bytes, null for NULL. The bytes belong to the caller. */
  bytes(column: number): Buffer | null;
  /** The column as a string, null for NULL. */
  text(column: number): string | null;
}

/**
 * Takes a large last column while it arrives. It is only called when the row is larger than what one read delivered; otherwise the row is
 * in the result as usual. Nothing is certain before the flight's result: pass a sink for reads only.
 */
export interface RowSink {
  /** The columns before the last one, and the last one's length in bytes. `resume` continues after a chunk() that returned false. */
  start(row: Row, length: number, resume: () => void): void;
  /** The next piece, owned by the sink. Returning false pauses the connection until `resume` is called. */
  chunk(bytes: Buffer): boolean;
  /** All pieces of the column have been delivered. The flight's result is still to come. */
  end(): void;
}

/** Takes a statement's rows while they arrive. Nothing is certain before the flight's result. It does not throw. */
export interface RowTaker {
  /** The columns, before the first row. What was taken before this counts no more: the flight is on its way a second time. */
  start(fields: readonly Field[]): void;
  /** The next row, valid during the call only. */
  row(row: Row): void;
  /** Asked before a large row is collected: whether it may have so many bytes. Where not, it is dropped. */
  accepts(length: number): boolean;
}

/** A column's description. */
export type Field = {
  readonly name: string;
  readonly tableOid: number;
  readonly column: number;
  readonly typeOid: number;
  readonly typeSize: number;
  readonly typeModifier: number;
  readonly format: number;
};

/** What a completed statement gave. */
export type StatementResult = {
  /** The command tag, such as `INSERT 0 1`. Empty for an empty statement. */
  readonly tag: string;
  /** The tag's row count, null where it has none. */
  readonly count: number | null;
  /** With `row`: the last row. */
  readonly row: Row | null;
  /** True when the last column of `row` went to the sink; it then reads as null. */
  readonly streamed: boolean;
  /** With `rows`: all of them, in order. */
  readonly rows: readonly Row[];
  /** With `describe`: the columns. */
  readonly fields: readonly Field[] | null;
};

/** Why we asked the server to cancel. */
export type CancelReason = 'deadline' | 'signal';

/**
 * `completed`: the transaction ended as asked. `failed`: the server reported an error and nothing of the flight remains.
 * A lost connection is neither: the flight's promise is rejected with a ConnectionError whose kind says whether it may have committed.
 */
export type FlightResult =
  | {
      readonly outcome: 'completed';
      readonly results: readonly StatementResult[];
      /** Set when we had asked for a cancellation that came too late. */
      readonly cancelled: CancelReason | null;
      /** 2 when stale names made us send the whole flight a second time. */
      readonly attempts: number;
    }
  | {
      readonly outcome: 'failed';
      readonly error: DatabaseError;
      /** Index of the statement that failed; statements.length when the end of the transaction failed, -1 when its beginning did. */
      readonly statement: number;
      /** Results of the statements before it. They were rolled back. */
      readonly results: readonly StatementResult[];
      /** Set when we had asked for the cancellation. */
      readonly cancelled: CancelReason | null;
      readonly attempts: number;
    };

/** A NOTIFY received by the connection. */
export type Notification = { readonly processId: number; readonly channel: string; readonly payload: string };

/** How often a named statement was there, and how often it had to be prepared. */
export type StatementUses = { hits: number; misses: number };

/** What a connection may be told about itself. */
export type ConnectionOptions = {
  /** Counts uses of named statements, for all connections that are given it. */
  readonly statementUses?: StatementUses;
  /** How many named statements are kept prepared; default 256. */
  readonly statementCapacity?: number;
  /** Milliseconds that the server has to stop when it is asked to cancel, or to reset, before the connection is given up; default 5000. */
  readonly cancelTimeout?: number;
  /** Milliseconds that the server has to close its side of the connection, before the socket is destroyed; default 1000. */
  readonly closeTimeout?: number;
  readonly onNotice?: (fields: ErrorFields) => void;
  readonly onNotification?: (notification: Notification) => void;
};
