/** CSV with a header row (RFC 4180), as PostgREST's CSV library reads it, error messages included. */

import { byteStringOfBytes, decodeByteString, decodeBytes, showByteString } from './text.ts';

const QUOTE = 0x22;
const COMMA = 0x2c;
const CR = 0x0d;
const LF = 0x0a;

/** `rows` are the fields by their column's name; a row shorter than the header lacks its last names. */
export type Csv =
  | { readonly kind: 'rows'; readonly rows: readonly ReadonlyMap<string, string | null>[] }
  | { readonly kind: 'error'; readonly message: string };

/** Where and why a document ends being CSV. */
class CsvError extends Error {
  readonly at: number;

  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

class Reader {
  readonly bytes: Uint8Array;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get isOver(): boolean {
    return this.at >= this.bytes.length;
  }

  /** One row's fields. */
  row(): Uint8Array[] {
    const fields = [this.field()];
    while (this.bytes[this.at] === COMMA) {
      this.at++;
      fields.push(this.field());
    }
    return fields;
  }

  private field(): Uint8Array {
    const { bytes } = this;
    if (bytes[this.at] === QUOTE) return this.quotedField();
    const start = this.at;
    for (; this.at < bytes.length; this.at++) {
      const byte = bytes[this.at];
      if (byte === QUOTE || byte === COMMA || byte === CR || byte === LF) break;
    }
    return bytes.subarray(start, this.at);
  }

  /** A field in quotes, doubled inside. One that is never closed loses its last byte. */
  private quotedField(): Uint8Array {
    const { bytes } = this;
    const start = ++this.at;
    let afterQuote = false;
    for (; this.at < bytes.length; this.at++) {
      const isQuote = bytes[this.at] === QUOTE;
      if (afterQuote && !isQuote) break;
      afterQuote = isQuote && !afterQuote;
    }
    if (this.at === start) throw new CsvError('Failed reading: trailing double quote', this.at);
    const content = bytes.subarray(start, this.at - 1);
    if (!content.includes(QUOTE)) return content;
    const single: number[] = [];
    for (let i = 0; i < content.length; i++) {
      const byte = content[i] ?? 0;
      if (byte === QUOTE && ++i === content.length) {
        throw new CsvError('Failed reading: insufficient input', this.at);
      }
      single.push(byte);
    }
    return Uint8Array.from(single);
  }

  /** A line feed, a carriage return or both. */
  lineEnd(): void {
    const byte = this.bytes[this.at];
    if (byte === undefined) throw new CsvError('not enough input', this.at);
    if (byte !== LF && byte !== CR) throw new CsvError('Failed reading: satisfy', this.at);
    this.at += byte === CR && this.bytes[this.at + 1] === LF ? 2 : 1;
  }
}

/** A field's value: the unquoted or quoted word NULL is null. */
function fieldValue(bytes: Uint8Array): string | null {
  const text = decodeBytes(bytes);
  return text === 'NULL' ? null : text;
}

function readRows(reader: Reader): readonly ReadonlyMap<string, string | null>[] {
  const header = reader.row().map(decodeBytes);
  reader.lineEnd();
  const rows: ReadonlyMap<string, string | null>[] = [];
  for (;;) {
    const fields = reader.row();
    const isBlank = fields.length === 1 && fields[0]?.length === 0;
    if (!isBlank) {
      const row = new Map<string, string | null>();
      for (const [index, name] of header.entries()) {
        const bytes = fields[index];
        if (bytes !== undefined) row.set(name, fieldValue(bytes));
      }
      rows.push(row);
    }
    if (reader.isOver) return rows;
    reader.lineEnd();
  }
}

/** Reads a document: its first line names the columns, blank lines are skipped, fields beyond the header are dropped. */
export function readCsv(bytes: Uint8Array): Csv {
  const reader = new Reader(bytes);
  try {
    return { kind: 'rows', rows: readRows(reader) };
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const rest = byteStringOfBytes(bytes.subarray(error.at));
    // The error's text goes into a response as UTF-8; a long rest is cut and not quoted.
    const shown = rest.length > 100 ? `${decodeByteString(rest.slice(0, 100))} (truncated)` : showByteString(rest);
    return { kind: 'error', message: `parse error (${error.message}) at ${shown}` };
  }
}
