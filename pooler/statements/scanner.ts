/** Reads a statement's text from left to right. */

/** Thrown where the text goes on otherwise than any statement of the worker. Carries no text: only where it was. */
export class NotOurs extends Error {
  override readonly name = 'NotOurs';
  /** How many characters were as they should be. */
  readonly at: number;

  constructor(at: number) {
    super(`not a statement of the worker from character ${at + 1} on`);
    this.at = at;
  }
}

/** More nesting than requests are allowed: 500 levels of embeds with as many of conditions in the last. */
const MAX_DEPTH = 1100;

// PostgreSQL knows at most 65,535 parameters.
const PLACEHOLDER = /\$[1-9]\d{0,4}/y;
const DIGITS = /\d{1,20}/y;
/** A type as the worker's grammar of casts has it, with the end of CAST. */
const CAST_END = /[\p{L}\p{N}_$ ]+ \)/uy;
/** A type's name as PostgreSQL writes it, without modifiers. */
const TYPE = /(?:[^",()]|"[^"]*")+/y;

export class Scanner {
  readonly text: string;
  at = 0;
  #depth = 0;

  /** Throws NotOurs for a text with a NUL: the protocol's strings end there. */
  constructor(text: string) {
    this.text = text;
    const nul = text.indexOf('\0');
    if (nul >= 0) throw new NotOurs(nul);
  }

  fail(): never {
    throw new NotOurs(this.at);
  }

  get atEnd(): boolean {
    return this.at === this.text.length;
  }

  looksAt(piece: string): boolean {
    return this.text.startsWith(piece, this.at);
  }

  /** Goes past a piece if it is next. */
  take(piece: string): boolean {
    if (!this.text.startsWith(piece, this.at)) return false;
    this.at += piece.length;
    return true;
  }

  /** Goes past the first of these that is next. */
  takeOneOf(pieces: readonly string[]): boolean {
    return pieces.some((piece) => this.take(piece));
  }

  expect(piece: string): void {
    if (!this.take(piece)) this.fail();
  }

  expectOneOf(pieces: readonly string[]): void {
    if (!this.takeOneOf(pieces)) this.fail();
  }

  /** A quoted identifier, as it stands there. */
  identifier(): string {
    const start = this.at;
    if (this.text[start] !== '"') this.fail();
    let end = this.#quoteFrom(start + 1);
    // Doubled it is a character of the name.
    while (this.text[end + 1] === '"') end = this.#quoteFrom(end + 2);
    // `""` is no name.
    if (end === start + 1) this.fail();
    this.at = end + 1;
    return this.text.slice(start, this.at);
  }

  /** `"schema"."name"`, as it stands there. */
  qualified(): string {
    const schema = this.identifier();
    this.expect('.');
    return `${schema}.${this.identifier()}`;
  }

  /** `$n`. Returns n. */
  placeholder(): number {
    return Number(this.#match(PLACEHOLDER).slice(1));
  }

  digits(): void {
    this.#match(DIGITS);
  }

  /** Returns the type. */
  castEnd(): string {
    return this.#match(CAST_END).slice(0, -2);
  }

  type(): string {
    return this.#match(TYPE);
  }

  /** Reads something and, as long as the separator follows, more of it. */
  list(separator: string, read: () => void): void {
    do read();
    while (this.take(separator));
  }

  /** What may be within itself begins. Reading it takes as little of the stack as it can: hence no function around it. */
  deeper(): void {
    if (++this.#depth > MAX_DEPTH) this.fail();
  }

  /** It has ended. */
  back(): void {
    this.#depth--;
  }

  #quoteFrom(at: number): number {
    const found = this.text.indexOf('"', at);
    return found < 0 ? this.fail() : found;
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.at;
    const [found] = pattern.exec(this.text) ?? [];
    if (found === undefined) this.fail();
    this.at += found.length;
    return found;
  }
}
