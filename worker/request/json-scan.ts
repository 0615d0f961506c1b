/** A scan over a JSON document's bytes as they come, in pieces of any size: is it valid, and where are its objects' keys. */
import { joined } from '../../shared/bytes.ts';

/** Told of the objects that are rows: the document itself, or the elements of its array. */
export interface RowListener {
  /** A key as it is spelled, without its quotes. */
  key(bytes: Uint8Array, start: number, end: number): void;
  rowEnds(): void;
  /** An element of the top array that is no object. */
  otherElement(): void;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const MINUS_SIGN = 0x2d;
const PLUS_SIGN = 0x2b;
const POINT_SIGN = 0x2e;
const ZERO_DIGIT = 0x30;
const LOWER_E = 0x65;
const LOWER_U = 0x75;

/** What the next byte is expected to be. From MINUS to DIGITS: within a number. */
const VALUE = 0;
const VALUE_OR_CLOSE = 1;
const KEY = 2;
const KEY_OR_CLOSE = 3;
const AFTER_KEY = 4;
const AFTER_VALUE = 5;
const STRING = 6;
const ESCAPE = 7;
const UNIT = 8;
const LOW_BACKSLASH = 9;
const LOW_LETTER = 10;
const TAIL = 11;
const LITERAL = 12;
const MINUS = 13;
const ZERO = 14;
const INTEGER = 15;
const POINT = 16;
const FRACTION = 17;
const EXPONENT = 18;
const SIGN = 19;
const DIGITS = 20;
const INVALID = 21;

const isDigit = (byte: number): boolean => byte >= ZERO_DIGIT && byte <= 0x39;
const isSpace = (byte: number): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

/** What may stand in a string as it is: all of ASCII but controls, quote and backslash. */
const plain = new Uint8Array(256);
for (let byte = 0x20; byte < 0x80; byte++) plain[byte] = byte === QUOTE || byte === BACKSLASH ? 0 : 1;

/** `n` to `\n` and so on, all one-letter escapes. */
const escapes = new Uint8Array(256);
for (const letter of '"\\/bfnrt') escapes[letter.charCodeAt(0)] = 1;

/** A number's next state; AFTER_VALUE where the byte is no part of it any more. */
function numberState(state: number, byte: number): number {
  const digit = isDigit(byte);
  switch (state) {
    case MINUS:
      return byte === ZERO_DIGIT ? ZERO : digit ? INTEGER : INVALID;
    case ZERO:
    case INTEGER:
      if (digit) return state === ZERO ? INVALID : INTEGER;
      if (byte === POINT_SIGN) return POINT;
      return (byte | 0x20) === LOWER_E ? EXPONENT : AFTER_VALUE;
    case POINT:
      return digit ? FRACTION : INVALID;
    case FRACTION:
      if (digit) return FRACTION;
      return (byte | 0x20) === LOWER_E ? EXPONENT : AFTER_VALUE;
    case EXPONENT:
      if (byte === PLUS_SIGN || byte === MINUS_SIGN) return SIGN;
      return digit ? DIGITS : INVALID;
    case SIGN:
      return digit ? DIGITS : INVALID;
    default:
      return digit ? DIGITS : AFTER_VALUE;
  }
}

/** A hexadecimal digit's value; -1 for another byte. */
function hexDigit(byte: number): number {
  if (isDigit(byte)) return byte - ZERO_DIGIT;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/** RFC 8259, strict as PostgREST is: UTF-8 only, no byte order mark, no surrogate without its other half. */
export class JsonScanner {
  readonly #rows: RowListener;
  #state = VALUE;
  /** Brackets that close what the next byte is in. */
  readonly #closers: number[] = [];
  /** How deep the rows' keys are; 0 where there are no rows. */
  #rowDepth = 0;
  #top: 'object' | 'array' | 'scalar' | null = null;
  #inKey = false;
  /** Where in the present piece the row's key begins; -1 outside of one. What earlier pieces had of it is kept. */
  #keyStart = -1;
  #keyPieces: Uint8Array[] = [];
  /** Of an escape: digits so far, their value, and the value before it where that was the first half of a pair. */
  #unitDigits = 0;
  #unit = 0;
  #afterHigh = false;
  /** Of a character beyond ASCII: bytes to come, and what the next may be. */
  #tails = 0;
  #tailLeast = 0;
  #tailMost = 0;
  #word = '';
  #wordAt = 0;

  constructor(rows: RowListener) {
    this.#rows = rows;
  }

  /** What the document is; null before its first byte. */
  get top(): 'object' | 'array' | 'scalar' | null {
    return this.#top;
  }

  /** Scans the next piece. False when the document cannot become valid any more. */
  push(bytes: Uint8Array): boolean {
    if (this.#keyStart >= 0) this.#keyStart = 0;
    let at = 0;
    while (at < bytes.length && this.#state !== INVALID) at = this.#step(bytes, at);
    if (this.#keyStart >= 0) this.#keyPieces.push(bytes.slice(this.#keyStart));
    return this.#state !== INVALID;
  }

  /** Whether what was scanned is one whole document. */
  end(): boolean {
    if (this.#closers.length > 0) return false;
    const state = this.#state;
    return state === AFTER_VALUE || state === ZERO || state === INTEGER || state === FRACTION || state === DIGITS;
  }

  /** Takes one byte or more; returns the place of the next. */
  #step(bytes: Uint8Array, at: number): number {
    const byte = bytes[at] ?? 0;
    switch (this.#state) {
      case STRING:
        return this.#string(bytes, at);
      case ESCAPE:
        if (escapes[byte] === 1) this.#state = STRING;
        else this.#beginUnit(byte === LOWER_U);
        return at + 1;
      case UNIT:
        this.#unitDigit(byte);
        return at + 1;
      case LOW_BACKSLASH:
        this.#state = byte === BACKSLASH ? LOW_LETTER : INVALID;
        return at + 1;
      case LOW_LETTER:
        this.#beginUnit(byte === LOWER_U);
        return at + 1;
      case TAIL:
        this.#tail(byte);
        return at + 1;
      case LITERAL:
        if (byte !== this.#word.charCodeAt(this.#wordAt++)) this.#state = INVALID;
        else if (this.#wordAt === this.#word.length) this.#state = AFTER_VALUE;
        return at + 1;
      case VALUE:
      case VALUE_OR_CLOSE:
      case KEY:
      case KEY_OR_CLOSE:
      case AFTER_KEY:
      case AFTER_VALUE:
        if (!isSpace(byte)) this.#structure(byte, at);
        return at + 1;
      default:
        return this.#number(bytes, at);
    }
  }

  #structure(byte: number, at: number): void {
    const state = this.#state;
    switch (state) {
      case VALUE:
      case VALUE_OR_CLOSE:
        if (byte === CLOSE_ARRAY && state === VALUE_OR_CLOSE) this.#close();
        else this.#value(byte);
        return;
      case KEY:
      case KEY_OR_CLOSE:
        if (byte === CLOSE_OBJECT && state === KEY_OR_CLOSE) this.#close();
        else if (byte === QUOTE) {
          this.#inKey = true;
          this.#state = STRING;
          if (this.#closers.length === this.#rowDepth) this.#keyStart = at + 1;
        } else this.#state = INVALID;
        return;
      case AFTER_KEY:
        this.#state = byte === COLON ? VALUE : INVALID;
        return;
      default: {
        const closer = this.#closers.at(-1);
        if (closer === undefined) this.#state = INVALID;
        else if (byte === COMMA) this.#state = closer === CLOSE_OBJECT ? KEY : VALUE;
        else if (byte === closer) this.#close();
        else this.#state = INVALID;
      }
    }
  }

  /** Begins a value. */
  #value(byte: number): void {
    const closers = this.#closers;
    const depth = closers.length;
    if (depth === 0) {
      this.#top = byte === OPEN_OBJECT ? 'object' : byte === OPEN_ARRAY ? 'array' : 'scalar';
      this.#rowDepth = byte === OPEN_OBJECT ? 1 : byte === OPEN_ARRAY ? 2 : 0;
    } else if (depth === 1 && byte !== OPEN_OBJECT && this.#rowDepth === 2) this.#rows.otherElement();
    if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      closers.push(byte + 2);
      this.#state = byte === OPEN_OBJECT ? KEY_OR_CLOSE : VALUE_OR_CLOSE;
    } else if (byte === QUOTE) this.#state = STRING;
    else if (byte === MINUS_SIGN) this.#state = MINUS;
    else if (isDigit(byte)) this.#state = byte === ZERO_DIGIT ? ZERO : INTEGER;
    else this.#literal(byte === 0x6e ? 'null' : byte === 0x74 ? 'true' : byte === 0x66 ? 'false' : '');
  }

  #literal(word: string): void {
    this.#word = word;
    this.#wordAt = 1;
    this.#state = word === '' ? INVALID : LITERAL;
  }

  /** Ends an object or an array. */
  #close(): void {
    const depth = this.#closers.length;
    const closer = this.#closers.pop();
    this.#state = AFTER_VALUE;
    // In a top array an element of another kind may be an array at the same depth.
    if (depth === this.#rowDepth && closer === CLOSE_OBJECT) this.#rows.rowEnds();
  }

  #string(bytes: Uint8Array, from: number): number {
    let at = from;
    let byte = bytes[at] ?? -1;
    while (plain[byte] === 1) byte = bytes[++at] ?? -1;
    if (byte === -1) return at;
    if (byte === QUOTE) {
      if (this.#keyStart >= 0) this.#keyEnds(bytes, at);
      this.#state = this.#inKey ? AFTER_KEY : AFTER_VALUE;
      this.#inKey = false;
    } else if (byte === BACKSLASH) this.#state = ESCAPE;
    else this.#character(byte);
    return at + 1;
  }

  #keyEnds(bytes: Uint8Array, end: number): void {
    const start = this.#keyStart;
    this.#keyStart = -1;
    if (this.#keyPieces.length === 0) {
      this.#rows.key(bytes, start, end);
      return;
    }
    const key = joined([...this.#keyPieces, bytes.subarray(start, end)]);
    this.#keyPieces = [];
    this.#rows.key(key, 0, key.length);
  }

  /** The first byte of a character beyond ASCII (RFC 3629, 4). */
  #character(first: number): void {
    const tails = first < 0xc2 || first > 0xf4 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    this.#tails = tails;
    // Not longer than needed, no surrogate, nothing beyond U+10FFFF.
    this.#tailLeast = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
    this.#tailMost = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
    this.#state = tails === 0 ? INVALID : TAIL;
  }

  #tail(byte: number): void {
    if (byte < this.#tailLeast || byte > this.#tailMost) this.#state = INVALID;
    else if (--this.#tails === 0) this.#state = STRING;
    this.#tailLeast = 0x80;
    this.#tailMost = 0xbf;
  }

  #beginUnit(isUnit: boolean): void {
    this.#unit = 0;
    this.#unitDigits = 0;
    this.#state = isUnit ? UNIT : INVALID;
  }

  /** A digit of `\uXXXX`. A surrogate needs its other half, as text cannot hold it alone. */
  #unitDigit(byte: number): void {
    const digit = hexDigit(byte);
    if (digit < 0) {
      this.#state = INVALID;
      return;
    }
    this.#unit = this.#unit * 16 + digit;
    if (++this.#unitDigits < 4) return;
    const unit = this.#unit;
    const isLow = unit >= 0xdc00 && unit <= 0xdfff;
    const isHigh = unit >= 0xd800 && unit < 0xdc00;
    if (isLow !== this.#afterHigh) this.#state = INVALID;
    else this.#state = isHigh ? LOW_BACKSLASH : STRING;
    this.#afterHigh = isHigh;
  }

  #number(bytes: Uint8Array, from: number): number {
    let state = this.#state;
    let at = from;
    while (at < bytes.length) {
      state = numberState(state, bytes[at] ?? 0);
      if (state === AFTER_VALUE || state === INVALID) break;
      at++;
    }
    this.#state = state;
    return at;
  }
}
