import { ProtocolViolation } from './messages.ts';
import type { MessageStream } from './reader.ts';
import { RawRow } from './row.ts';
import type { Row, RowSink } from './types.ts';

/** Columns before the last one are collected; more than this is not a row for streaming. */
const headLimit = 1024 * 1024;

/** Passes the last column of one large DataRow to a sink while it arrives. */
export class RowStream implements MessageStream {
  readonly #sink: RowSink;
  readonly #started: (row: Row) => void;
  #head: Buffer = Buffer.alloc(0);
  /** Bytes of the last column still to come; -1 while the columns before it are being read. */
  #left = -1;
  #paused = false;
  #discarding = false;
  /** Set by the connection: continues reading. */
  resume: () => void = () => undefined;

  constructor(sink: RowSink, started: (row: Row) => void) {
    this.#sink = sink;
    this.#started = started;
  }

  piece(bytes: Buffer, start: number, end: number): boolean {
    let from = start;
    if (this.#left < 0) {
      const known = this.#head.length;
      const head = Buffer.concat([this.#head, bytes.subarray(start, end)]);
      const length = headLength(head);
      if (length < 0) {
        if (head.length > headLimit) throw new ProtocolViolation('a row too large before its last column');
        this.#head = head;
        return true;
      }
      from = start + length - known;
      this.#begin(head.subarray(0, length));
    }
    if (end > from) {
      this.#left -= end - from;
      if (this.#left < 0) throw new ProtocolViolation('a row whose lengths do not fit');
      // Copied because the bytes that were read are overwritten by the next read.
      if (!this.#discarding && !this.#sink.chunk(Buffer.from(bytes.subarray(from, end)))) this.#paused = true;
    }
    return !this.#paused;
  }

  end(): void {
    if (this.#left !== 0) throw new ProtocolViolation('a row whose lengths do not fit');
    if (!this.#discarding) this.#sink.end();
  }

  /** Drops the rest, so that the server gets on. */
  discard(): void {
    this.#discarding = true;
    if (this.#paused) {
      this.#paused = false;
      this.resume();
    }
  }

  #begin(head: Buffer): void {
    const columns = head.readUInt16BE(0);
    const length = Math.max(0, head.readInt32BE(head.length - 4));
    // In the row that is handed out the last column is NULL.
    const row = Buffer.from(head.subarray(2));
    row.writeInt32BE(-1, row.length - 4);
    this.#left = length;
    const kept = new RawRow(columns, row);
    this.#started(kept);
    if (!this.#discarding)
      this.#sink.start(kept, length, () => {
        if (!this.#paused) return;
        this.#paused = false;
        this.resume();
      });
  }
}

/** How long the row is up to and including the last column's length field, -1 while that is not yet known. */
function headLength(bytes: Buffer): number {
  if (bytes.length < 2) return -1;
  const columns = bytes.readUInt16BE(0);
  if (columns === 0) throw new ProtocolViolation('a row whose lengths do not fit');
  let at = 2;
  for (let i = 0; ; i++) {
    if (at + 4 > bytes.length) return -1;
    if (i === columns - 1) return at + 4;
    at += 4 + Math.max(0, bytes.readInt32BE(at));
  }
}
