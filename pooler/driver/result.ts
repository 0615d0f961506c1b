/** A statement's result as JSON, written while its rows arrive. */

import type { Claim } from '../memory.ts';
import type { Field, Row, RowTaker, StatementResult } from '../wire/index.ts';
import { jsonOf } from './values.ts';

export interface ResultFormat {
  readonly rawText: boolean;
  readonly arrayMode: boolean;
}

/** How much the results of one answer may take. `exceeded` is called once, when they want more. */
export class Budget {
  #left: number;
  readonly #claim: Claim;
  readonly #exceeded: () => void;
  #lacking: 'size' | 'memory' | null = null;

  /** `bytes` of its own, and of what there is for all the claim's. */
  constructor(bytes: number, claim: Claim, exceeded: () => void) {
    this.#left = bytes;
    this.#claim = claim;
    this.#exceeded = exceeded;
  }

  /** What was not enough: its own size, or the memory that all answers share; null where it was. */
  get lacking(): 'size' | 'memory' | null {
    return this.#lacking;
  }

  fits(bytes: number): boolean {
    if (bytes > this.#left) this.#exceed('size');
    return this.#lacking === null;
  }

  take(bytes: number): void {
    this.#left -= bytes;
    if (this.#left < 0) this.#exceed('size');
  }

  /** What has been taken is kept in pieces of this size. */
  keep(bytes: number): void {
    if (!this.#claim.take(bytes)) this.#exceed('memory');
  }

  giveBack(taken: number, kept: number): void {
    this.#left += taken;
    this.#claim.giveBack(kept);
  }

  #exceed(what: 'size' | 'memory'): void {
    if (this.#lacking !== null) return;
    this.#lacking = what;
    this.#exceeded();
  }
}

/** Text is made into bytes in pieces of about this size. */
const PIECE = 64 * 1024;

/** Takes the rows of a statement and gives its result as pieces of JSON. */
export class ResultWriter implements RowTaker {
  readonly #format: ResultFormat;
  readonly #budget: Budget;
  #fields: readonly Field[] = [];
  #keys: readonly string[] = [];
  #values: readonly ((text: string) => string)[] = [];
  #pieces: Buffer[] = [];
  #text = '';
  #taken = 0;
  #kept = 0;
  #rows = 0;

  constructor(format: ResultFormat, budget: Budget) {
    this.#format = format;
    this.#budget = budget;
  }

  start(fields: readonly Field[]): void {
    const { rawText, arrayMode } = this.#format;
    this.#fields = fields;
    this.#keys = fields.map(({ name }, i) => (i > 0 ? ',' : '') + (arrayMode ? '' : `${JSON.stringify(name)}:`));
    this.#values = fields.map(({ typeOid }) => (rawText ? JSON.stringify : jsonOf(typeOid)));
    this.#budget.giveBack(this.#taken, this.#kept);
    this.#pieces = [];
    this.#text = '';
    this.#taken = 0;
    this.#kept = 0;
    this.#rows = 0;
  }

  row(row: Row): void {
    if (this.#budget.lacking !== null) return;
    const [open, close] = this.#format.arrayMode ? '[]' : '{}';
    let text = this.#rows++ > 0 ? `,${open}` : `${open}`;
    for (let i = 0; i < row.length; i++) {
      const value = row.text(i);
      text += this.#keys[i];
      text += value === null ? 'null' : this.#values[i]?.(value);
    }
    this.#text += text + close;
    this.#taken += text.length + 1;
    this.#budget.take(text.length + 1);
    if (this.#text.length > PIECE) this.#cut();
  }

  accepts(length: number): boolean {
    return this.#budget.fits(length);
  }

  /** The whole result as JSON, in pieces, which are the caller's then. */
  end({ tag, count }: StatementResult): readonly (string | Buffer)[] {
    const fields = JSON.stringify(this.#fields.map(fieldOf));
    const known = { command: tag.split(' ', 1)[0] ?? '', rowCount: count, rowAsArray: this.#format.arrayMode };
    const tail = `],${JSON.stringify(known).slice(1)}`;
    const head = `{"fields":${fields},"rows":[`;
    const pieces = this.#pieces;
    this.#pieces = [];
    return pieces.length === 0 ? [head + this.#text + tail] : [head, ...pieces, this.#text + tail];
  }

  #cut(): void {
    const piece = Buffer.from(this.#text);
    // Characters were counted so far, and these are bytes.
    this.#taken += piece.length - this.#text.length;
    this.#budget.take(piece.length - this.#text.length);
    this.#budget.keep(piece.length);
    this.#kept += piece.length;
    this.#pieces.push(piece);
    this.#text = '';
  }
}

const fieldOf = (field: Field): object => ({
  name: field.name,
  dataTypeID: field.typeOid,
  tableID: field.tableOid,
  columnID: field.column,
  dataTypeSize: field.typeSize,
  dataTypeModifier: field.typeModifier,
  format: 'text',
});
