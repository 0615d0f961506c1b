import type { Row } from './types.ts';

/** A DataRow's columns: `bytes` begins after the column count and holds each column's length and value. */
export class RawRow implements Row {
  readonly length: number;
  readonly #bytes: Buffer;

  constructor(length: number, bytes: Buffer) {
    this.length = length;
    this.#bytes = bytes;
  }

  bytes(column: number): Buffer | null {
    const at = this.#find(column);
    const length = this.#bytes.readInt32BE(at);
    return length < 0 ? null : this.#bytes.subarray(at + 4, at + 4 + length);
  }

  text(column: number): string | null {
    const at = this.#find(column);
    const length = this.#bytes.readInt32BE(at);
    return length < 0 ? null : this.#bytes.toString('utf8', at + 4, at + 4 + length);
  }

  #find(column: number): number {
    if (column < 0 || column >= this.length) throw new RangeError(`no column ${column} in a row of ${this.length}`);
    let at = 0;
    for (let i = 0; i < column; i++) at += 4 + Math.max(0, this.#bytes.readInt32BE(at));
    return at;
  }
}
