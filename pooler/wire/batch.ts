import type { DatabaseError } from './errors.ts';
import { readError, readRowDescription } from './fields.ts';
import { backend, ProtocolViolation } from './messages.ts';
import { RawRow } from './row.ts';
import { RowStream } from './row-stream.ts';
import type { NamedStatement, StatementRegistry } from './statements.ts';
import type { Field, FlightStatement, Row, StatementResult } from './types.ts';

type Collected = { -readonly [name in keyof StatementResult]: StatementResult[name] };

const noRows: readonly Row[] = [];
const uncollected: Collected = { tag: '', count: null, row: null, streamed: false, rows: noRows, fields: null };

/** Statements under one Sync, and what the server has answered to them so far. */
export class Batch {
  readonly statements: readonly FlightStatement[];
  /** Results of completed statements, in order. */
  readonly results: StatementResult[] = [];
  error: DatabaseError | null = null;
  /** Index of the statement during which the error came; statements.length when it came after all of them. */
  failedAt = -1;
  /** True when the failed statement had not been bound: it had not begun to run. */
  failedUnbound = false;
  /** True when the failed statement had been parsed by an earlier batch. */
  failedOnOldName = false;
  /** Set when the server asked for (`in`) or sent (`out`) COPY data. */
  copying: 'in' | 'out' | null = null;
  /** True when any answer to this batch has arrived. */
  answered = false;
  /** True when a sink has been called: what it got cannot be taken back. */
  streamed = false;

  // Filled by encode: the names that are used, and what the server has to acknowledge.
  named: readonly (NamedStatement | null)[] = [];
  closing: readonly string[] = [];
  readonly parsing: (NamedStatement | null)[] = [];
  /** For each statement: was it parsed in this batch? */
  readonly fresh: boolean[] = [];
  #parsed = 0;
  #closed = 0;
  #bound = 0;
  #current: Collected | null = null;
  #rows: Row[] | null = null;

  readonly #collect: boolean;

  /** With `collect` false nobody wants the results: they are only counted. */
  constructor(statements: readonly FlightStatement[], collect = true) {
    this.statements = statements;
    this.#collect = collect;
  }

  /** Takes one message other than ReadyForQuery and the asynchronous ones. Throws a ProtocolViolation. */
  message(type: number, bytes: Buffer, start: number, end: number, owned: boolean, registry: StatementRegistry): void {
    this.answered = true;
    switch (type) {
      case backend.bindComplete:
        if (this.#current !== null || this.#bound === this.statements.length || this.error !== null) unexpected(type);
        this.#bound++;
        this.#current = this.#collect
          ? { tag: '', count: null, row: null, streamed: false, rows: noRows, fields: null }
          : uncollected;
        return;
      case backend.dataRow:
        this.#dataRow(bytes, start, end, owned);
        return;
      case backend.commandComplete:
        this.#complete(bytes, start, end);
        return;
      case backend.parseComplete: {
        const statement = this.parsing[this.#parsed++];
        if (statement === undefined || this.error !== null) unexpected(type);
        else if (statement !== null) statement.state = 'ready';
        return;
      }
      case backend.closeComplete:
        if (++this.#closed > this.closing.length) unexpected(type);
        return;
      case backend.rowDescription:
        if (this.#current === null) unexpected(type);
        else this.#described(this.#current, readRowDescription(bytes, start, end));
        return;
      case backend.noData:
        if (this.#current === null) unexpected(type);
        return;
      case backend.emptyQueryResponse:
        this.#complete(bytes, start, start);
        return;
      case backend.errorResponse:
        // The first one counts: after it everything up to Sync is skipped, but a commit can fail again while it cleans up.
        this.error ??= readError(bytes, start, end);
        if (this.failedAt < 0) {
          this.failedAt = this.results.length;
          this.failedUnbound = this.#current === null;
          this.failedOnOldName = this.fresh[this.failedAt] === false;
        }
        this.#current = null;
        registry.unnamed = null;
        return;
      case backend.copyInResponse:
        this.copying = 'in';
        return;
      case backend.copyOutResponse:
      case backend.copyBothResponse:
        this.copying = 'out';
        return;
      default:
        unexpected(type);
    }
  }

  /** Whether a large row is not wanted. */
  refuses(length: number): boolean {
    const taker = this.statements[this.#bound - 1]?.taker;
    return this.#current !== null && taker !== undefined && !taker.accepts(length);
  }

  /** For a large row of a statement that has a sink. */
  rowStream(): RowStream | null {
    const sink = this.statements[this.#bound - 1]?.sink;
    const current = this.#current;
    if (sink === undefined || current === null || this.streamed) return null;
    return new RowStream(sink, (row) => {
      this.streamed = true;
      current.row = row;
      current.streamed = true;
    });
  }

  /** True when every statement of the batch has been completed. */
  get complete(): boolean {
    return this.results.length === this.statements.length;
  }

  /**
   * ReadyForQuery has come: settles the registry. Throws a ProtocolViolation when the server claims to be done without having answered
   * everything.
   */
  finish(registry: StatementRegistry): void {
    this.abandon(registry);
    if (this.error !== null) return;
    if (!this.complete || this.#current !== null || this.#parsed !== this.parsing.length) {
      throw new ProtocolViolation('ready before everything was answered');
    }
  }

  /** Names that were not acknowledged do not exist; Closes that were not acknowledged have to be sent again. */
  abandon(registry: StatementRegistry): void {
    for (let i = this.#parsed; i < this.parsing.length; i++) {
      const statement = this.parsing[i];
      if (statement) registry.forget(statement);
    }
    if (this.#closed < this.closing.length) registry.unclosed(this.closing.slice(this.#closed));
  }

  #described(current: Collected, fields: readonly Field[]): void {
    current.fields = fields;
    this.statements[this.#bound - 1]?.taker?.start(fields);
  }

  #dataRow(bytes: Buffer, start: number, end: number, owned: boolean): void {
    const current = this.#current;
    const statement = this.statements[this.#bound - 1];
    if (current === null || statement === undefined) unexpected(backend.dataRow);
    if (statement.result === 'none') return;
    if (statement.taker !== undefined) {
      statement.taker.row(readRow(bytes, start, end, true));
      return;
    }
    const row = readRow(bytes, start, end, owned);
    if (statement.result === 'row') current.row = row;
    else {
      if (this.#rows === null) {
        this.#rows = [];
        current.rows = this.#rows;
      }
      this.#rows.push(row);
    }
  }

  #complete(bytes: Buffer, start: number, end: number): void {
    const current = this.#current;
    if (current === null) unexpected(backend.commandComplete);
    if (this.#collect) readTag(current, bytes, start, end);
    this.results.push(current);
    this.#current = null;
    this.#rows = null;
  }
}

function unexpected(type: number): never {
  throw new ProtocolViolation(`unexpected message '${String.fromCharCode(type)}'`);
}

/** The tag ends with a zero byte; its last word is the count, where it has one. */
function readTag(into: Collected, bytes: Buffer, start: number, end: number): void {
  let scale = 1;
  let count = 0;
  let at = end - 2;
  for (; at >= start; at--) {
    const digit = (bytes[at] ?? 0) - 48;
    if (digit < 0 || digit > 9) break;
    count += digit * scale;
    scale *= 10;
  }
  if (scale > 1 && bytes[at] === 32) into.count = count;
  if (end > start) into.tag = bytes.toString('latin1', start, end - 1);
}

/** Checks a DataRow's lengths and keeps its bytes. */
function readRow(bytes: Buffer, start: number, end: number, owned: boolean): Row {
  const count = end - start < 2 ? -1 : bytes.readUInt16BE(start);
  let at = start + 2;
  let left = count;
  for (; left > 0 && at + 4 <= end; left--) {
    const length = bytes.readInt32BE(at);
    at += length < 0 ? 4 : 4 + length;
  }
  if (left !== 0 || at !== end) throw new ProtocolViolation('a row whose lengths do not fit');
  if (owned) return new RawRow(count, bytes.subarray(start + 2, end));
  const copy = Buffer.allocUnsafe(end - start - 2);
  bytes.copy(copy, 0, start + 2, end);
  return new RawRow(count, copy);
}
