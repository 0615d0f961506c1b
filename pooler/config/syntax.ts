/**
 * The language of PostgREST's configuration files (configurator-pg): `key = value` lines, groups in braces, imports, comments.
 * From text to directives; what they amount to is file.ts's.
 */

/** A value as it stands in the file. Numbers are unsigned. */
export type FileValue = string | number | boolean | readonly FileValue[];

export type Directive =
  | { readonly kind: 'bind'; readonly key: string; readonly value: FileValue; readonly line: number }
  | { readonly kind: 'group'; readonly key: string; readonly directives: readonly Directive[] }
  | { readonly kind: 'import'; readonly path: string; readonly line: number };

/** The text is not in this language: where, and what could have stood there. */
export class FileSyntaxError extends Error {
  override readonly name = 'FileSyntaxError';
  /** The line and the column, both from 1. */
  readonly line: number;
  readonly column: number;

  constructor(expected: string, line: number, column: number) {
    super(`${expected} is expected`);
    this.line = line;
    this.column = column;
  }
}

const KEY = /\p{L}[\p{L}\p{N}_-]*(?:\.\p{L}[\p{L}\p{N}_-]*)*/uy;
const NUMBER = /\d+(?:\.\d+)?(?:e[+-]?\d+)?/iy;
const WORD = /on|off|true|false/y;
/** Blanks, line ends and comments. `#;` is none: it takes the directive after it away. */
const SPACE = /(?:\s|#(?!;)[^\r\n]*)*/y;
/** What may follow a directive on its line. */
const BLANKS = /(?:[ \t]|#[^\n]*)*/y;
const LINE_END = /\r?\n/y;
const IMPORT = /import(?![\p{L}\p{N}_.-])/uy;

const escapes: ReadonlyMap<string, string> = new Map([
  ['n', '\n'],
  ['t', '\t'],
  ['r', '\r'],
  ['"', '"'],
  ['\\', '\\'],
]);
const ESCAPED = /u[0-9a-fA-F]{4}|[ntr"\\]/y;

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  file(): readonly Directive[] {
    this.#take(SPACE);
    const directives = this.#directives();
    if (this.#at < this.#text.length) throw this.#expected('a key');
    return directives;
  }

  /** The text that the pattern matches here, passed over; null where it does not. */
  #take(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? null;
    if (found !== null) this.#at += found.length;
    return found;
  }

  #takeText(text: string): boolean {
    const found = this.#text.startsWith(text, this.#at);
    if (found) this.#at += text.length;
    return found;
  }

  #line(): number {
    return this.#text.slice(0, this.#at).split('\n').length;
  }

  #expected(what: string): FileSyntaxError {
    return new FileSyntaxError(what, this.#line(), this.#at - this.#text.lastIndexOf('\n', this.#at - 1));
  }

  /** One directive on each line. */
  #directives(): readonly Directive[] {
    const directives: Directive[] = [];
    while (this.#at < this.#text.length && this.#text[this.#at] !== '}') {
      directives.push(...this.#directive());
      this.#take(BLANKS);
      const more = this.#take(LINE_END) !== null;
      this.#take(SPACE);
      if (!more) break;
    }
    return directives;
  }

  #directive(): readonly Directive[] {
    if (this.#takeText('#;')) {
      this.#take(BLANKS);
      this.#directive();
      return [];
    }
    const line = this.#line();
    if (this.#take(IMPORT) !== null) {
      this.#take(SPACE);
      return [{ kind: 'import', path: this.#string(), line }];
    }
    const key = this.#take(KEY);
    if (key === null) throw this.#expected('a key');
    this.#take(SPACE);
    if (this.#takeText('=')) {
      this.#take(SPACE);
      return [{ kind: 'bind', key, value: this.#value(), line }];
    }
    if (!this.#takeText('{')) throw this.#expected('= or {');
    this.#take(SPACE);
    const directives = this.#directives();
    if (!this.#takeText('}')) throw this.#expected('}');
    return [{ kind: 'group', key, directives }];
  }

  #value(): FileValue {
    if (this.#text[this.#at] === '"') return this.#string();
    if (this.#takeText('[')) return this.#list();
    const word = this.#take(WORD);
    if (word !== null) return word === 'on' || word === 'true';
    const number = this.#take(NUMBER);
    if (number === null) throw this.#expected('a text in double quotes, a number, true or false');
    return Number(number);
  }

  #list(): FileValue {
    const values: FileValue[] = [];
    this.#take(SPACE);
    while (!this.#takeText(']')) {
      if (values.length > 0 && !this.#takeText(',')) throw this.#expected(', or ]');
      this.#take(SPACE);
      values.push(this.#value());
      this.#take(SPACE);
    }
    return values;
  }

  #string(): string {
    if (!this.#takeText('"')) throw this.#expected('a text in double quotes');
    let value = '';
    for (;;) {
      const end = this.#text.slice(this.#at).search(/["\\]/);
      if (end < 0) {
        this.#at = this.#text.length;
        throw this.#expected('"');
      }
      value += this.#text.slice(this.#at, this.#at + end);
      this.#at += end;
      if (this.#takeText('"')) return value.isWellFormed() ? value : this.#unpaired();
      this.#at += 1;
      const escaped = this.#take(ESCAPED);
      if (escaped === null) throw this.#expected('one of n t r " \\ u0000 after a backslash');
      value += escapes.get(escaped) ?? String.fromCharCode(Number.parseInt(escaped.slice(1), 16));
    }
  }

  #unpaired(): never {
    throw this.#expected('the other half of a surrogate pair');
  }
}

/** Parses a file's text. Throws FileSyntaxError. */
export function parseFile(text: string): readonly Directive[] {
  return new Reader(text).file();
}

/** Pieces of a text: `$$` is a dollar sign, `$(name)` stands for a value. */
export type Piece = { readonly kind: 'text' | 'name'; readonly value: string };

/** Takes a text apart; null where a dollar sign is followed by neither. */
export function interpolation(text: string): readonly Piece[] | null {
  const pieces: Piece[] = [];
  let at = 0;
  while (at < text.length) {
    const dollar = text.indexOf('$', at);
    const end = dollar < 0 ? text.length : dollar;
    if (end > at) pieces.push({ kind: 'text', value: text.slice(at, end) });
    if (dollar < 0) break;
    const close = text.indexOf(')', dollar);
    if (text[dollar + 1] === '$') {
      pieces.push({ kind: 'text', value: '$' });
      at = dollar + 2;
    } else if (text[dollar + 1] === '(' && close > dollar + 2) {
      pieces.push({ kind: 'name', value: text.slice(dollar + 2, close) });
      at = close + 1;
    } else return null;
  }
  return pieces;
}
