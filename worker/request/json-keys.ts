/** A scan over a JSON document's bytes: is it valid, what is its top level, and which keys do its objects have. */

import { decodeBytes, sortedSet } from './text.ts';

export type JsonShape =
  | { readonly kind: 'invalid' }
  | { readonly kind: 'object'; readonly keys: readonly string[] }
  /** An array of objects that all have these keys. */
  | { readonly kind: 'objects'; readonly keys: readonly string[] }
  /** An array of something else, or of objects with different keys. */
  | { readonly kind: 'mixed' }
  /** An empty array, or a scalar. */
  | { readonly kind: 'empty' };

const INVALID: JsonShape = { kind: 'invalid' };
const MIXED: JsonShape = { kind: 'mixed' };
const EMPTY: JsonShape = { kind: 'empty' };

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39;

/** What may stand in a string as it is: all of ASCII but controls, quote and backslash. */
const plain = new Uint8Array(256);
for (let byte = 0x20; byte < 0x80; byte++) plain[byte] = byte === QUOTE || byte === BACKSLASH ? 0 : 1;

/** `n` to `\n` and so on, all one-letter escapes. */
const escapes = new Uint8Array(256);
for (const letter of '"\\/bfnrt') escapes[letter.charCodeAt(0)] = 1;

/** A valid string's text, quotes included in the range. */
function stringText(bytes: Uint8Array, start: number, end: number): string {
  const text = decodeBytes(bytes.subarray(start + 1, end - 1));
  if (!text.includes('\\')) return text;
  const value: unknown = JSON.parse(`"${text}"`);
  return typeof value === 'string' ? value : text;
}

class Scanner {
  readonly bytes: Uint8Array;
  at = 0;
  /** Brackets that close what `value` is in. */
  private readonly closers: number[] = [];

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** The next byte that is no white space; -1 at the end. */
  next(): number {
    const { bytes } = this;
    let { at } = this;
    let byte = bytes[at] ?? -1;
    while (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) byte = bytes[++at] ?? -1;
    this.at = at;
    return byte;
  }

  /** Scans a string from its opening quote. */
  string(): boolean {
    const { bytes } = this;
    let at = this.at + 1;
    for (;;) {
      let byte = bytes[at] ?? -1;
      while (plain[byte] === 1) byte = bytes[++at] ?? -1;
      if (byte === QUOTE) {
        this.at = at + 1;
        return true;
      }
      const units = byte === BACKSLASH ? this.escapeLength(at) : byte < 0x80 ? 0 : this.characterLength(at, byte);
      if (units === 0) return false;
      at += units;
    }
  }

  /** How long the escape at a position is; 0 for none. A surrogate needs its other half, as text cannot hold it alone. */
  private escapeLength(at: number): number {
    const letter = this.bytes[at + 1] ?? 0;
    if (escapes[letter] === 1) return 2;
    const unit = this.escapedUnit(at);
    if (unit < 0xd800) return unit < 0 ? 0 : 6;
    if (unit > 0xdfff) return 6;
    const low = unit < 0xdc00 ? this.escapedUnit(at + 6) : -1;
    return low >= 0xdc00 && low <= 0xdfff ? 12 : 0;
  }

  /** The UTF-16 unit of a `\uXXXX`; -1 for none. */
  private escapedUnit(at: number): number {
    if (this.bytes[at] !== BACKSLASH || this.bytes[at + 1] !== 0x75) return -1;
    let unit = 0;
    for (let i = at + 2; i < at + 6; i++) {
      const byte = this.bytes[i] ?? 0;
      const lower = byte | 0x20;
      if (isDigit(byte)) unit = unit * 16 + byte - 0x30;
      else if (lower >= 0x61 && lower <= 0x66) unit = unit * 16 + lower - 0x57;
      else return -1;
    }
    return unit;
  }

  /** How long the UTF-8 character beyond ASCII at a position is; 0 for none (RFC 3629, 4). */
  private characterLength(at: number, first: number): number {
    const { bytes } = this;
    const second = bytes[at + 1] ?? 0;
    const isTail = (i: number): boolean => ((bytes[i] ?? 0) & 0xc0) === 0x80;
    if (first < 0xc2 || first > 0xf4 || !isTail(at + 1)) return 0;
    if (first < 0xe0) return 2;
    if (first < 0xf0) {
      const isOverlong = first === 0xe0 && second < 0xa0;
      const isSurrogate = first === 0xed && second > 0x9f;
      return isOverlong || isSurrogate || !isTail(at + 2) ? 0 : 3;
    }
    const isOutside = (first === 0xf0 && second < 0x90) || (first === 0xf4 && second > 0x8f);
    return isOutside || !isTail(at + 2) || !isTail(at + 3) ? 0 : 4;
  }

  private digits(): boolean {
    const { bytes } = this;
    const start = this.at;
    while (isDigit(bytes[this.at] ?? 0)) this.at++;
    return this.at > start;
  }

  private number(): boolean {
    const { bytes } = this;
    if (bytes[this.at] === 0x2d) this.at++;
    const first = bytes[this.at];
    if (first === 0x30) {
      this.at++;
      if (isDigit(bytes[this.at] ?? 0)) return false;
    } else if (!this.digits()) return false;
    if (bytes[this.at] === 0x2e) {
      this.at++;
      if (!this.digits()) return false;
    }
    if (((bytes[this.at] ?? 0) | 0x20) !== 0x65) return true;
    this.at++;
    const sign = bytes[this.at];
    if (sign === 0x2b || sign === 0x2d) this.at++;
    return this.digits();
  }

  private literal(word: string): boolean {
    for (let i = 0; i < word.length; i++) if (this.bytes[this.at + i] !== word.charCodeAt(i)) return false;
    this.at += word.length;
    return true;
  }

  private scalar(first: number): boolean {
    switch (first) {
      case QUOTE:
        return this.string();
      case 0x6e:
        return this.literal('null');
      case 0x74:
        return this.literal('true');
      case 0x66:
        return this.literal('false');
      default:
        return (first === 0x2d || isDigit(first)) && this.number();
    }
  }

  /** Scans a key and its colon. */
  key(): boolean {
    if (this.next() !== QUOTE || !this.string() || this.next() !== COLON) return false;
    this.at++;
    return true;
  }

  /** Scans a value with all that is in it, however deep. */
  value(): boolean {
    const { closers } = this;
    for (;;) {
      const first = this.next();
      if (first === OPEN_OBJECT || first === OPEN_ARRAY) {
        this.at++;
        const closer = first + 2;
        if (this.next() !== closer) {
          if (first === OPEN_OBJECT && !this.key()) return false;
          closers.push(closer);
          continue;
        }
        this.at++;
      } else if (!this.scalar(first)) return false;
      // A value is complete: close what ends with it, up to a comma.
      for (;;) {
        const closer = closers.at(-1);
        if (closer === undefined) return true;
        const byte = this.next();
        this.at++;
        if (byte === COMMA) {
          if (closer === CLOSE_OBJECT && !this.key()) return false;
          break;
        }
        if (byte !== closer) return false;
        closers.pop();
      }
    }
  }

  /** Scans an object's members, telling each key's place (quotes included) before its value. */
  object(onKey: (start: number, end: number) => void): boolean {
    this.at++;
    if (this.next() === CLOSE_OBJECT) {
      this.at++;
      return true;
    }
    for (;;) {
      if (this.next() !== QUOTE) return false;
      const start = this.at;
      if (!this.string()) return false;
      onKey(start, this.at);
      if (this.next() !== COLON) return false;
      this.at++;
      if (!this.value()) return false;
      const byte = this.next();
      this.at++;
      if (byte === CLOSE_OBJECT) return true;
      if (byte !== COMMA) return false;
    }
  }
}

/** Compares the keys of objects with those of the first: as bytes and in order first, as sets where that differs. */
class KeyComparison {
  private readonly bytes: Uint8Array;
  private readonly starts: number[] = [];
  private readonly ends: number[] = [];
  private names: ReadonlySet<string> | null = null;
  /** Of the current object: the keys so far equal the first object's in order; else its names. */
  private count = 0;
  private own: Set<string> | null = null;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  readonly onKey = (start: number, end: number): void => {
    if (this.names === null) {
      this.starts.push(start);
      this.ends.push(end);
      return;
    }
    if (this.own === null) {
      if (this.isSameKey(this.count, start, end)) {
        this.count++;
        return;
      }
      this.own = this.firstNames(this.count);
    }
    this.own.add(stringText(this.bytes, start, end));
  };

  private isSameKey(index: number, start: number, end: number): boolean {
    const { bytes } = this;
    const first = this.starts[index];
    if (first === undefined || (this.ends[index] ?? 0) - first !== end - start) return false;
    for (let i = 1; i < end - start - 1; i++) if (bytes[first + i] !== bytes[start + i]) return false;
    return true;
  }

  private firstNames(count: number): Set<string> {
    const names = new Set<string>();
    for (let i = 0; i < count; i++) names.add(stringText(this.bytes, this.starts[i] ?? 0, this.ends[i] ?? 0));
    return names;
  }

  /** Ends an object: whether it has the first one's keys. */
  objectEnds(): boolean {
    if (this.names === null) {
      this.names = this.firstNames(this.starts.length);
      return true;
    }
    const { names, own, count } = this;
    this.own = null;
    this.count = 0;
    if (own === null && count === this.starts.length) return true;
    const found = own ?? this.firstNames(count);
    return found.size === names.size && [...found].every((name) => names.has(name));
  }

  keys(): readonly string[] {
    return sortedSet([...(this.names ?? [])]);
  }
}

/** The shape of a JSON document in UTF-8 (RFC 8259), strict as PostgREST is: no byte order mark, no lone surrogates. */
export function jsonShape(bytes: Uint8Array): JsonShape {
  const scanner = new Scanner(bytes);
  const keys = new KeyComparison(bytes);
  const isOver = (): boolean => scanner.next() === -1;
  const first = scanner.next();
  if (first === OPEN_OBJECT) {
    if (!scanner.object(keys.onKey) || !isOver()) return INVALID;
    keys.objectEnds();
    return { kind: 'object', keys: keys.keys() };
  }
  if (first !== OPEN_ARRAY) return scanner.value() && isOver() ? EMPTY : INVALID;
  scanner.at++;
  if (scanner.next() === CLOSE_ARRAY) {
    scanner.at++;
    return isOver() ? EMPTY : INVALID;
  }
  let isMixed = false;
  for (;;) {
    if (scanner.next() === OPEN_OBJECT && !isMixed) {
      if (!scanner.object(keys.onKey)) return INVALID;
      isMixed = !keys.objectEnds();
    } else {
      isMixed = true;
      if (!scanner.value()) return INVALID;
    }
    const byte = scanner.next();
    scanner.at++;
    if (byte === CLOSE_ARRAY) break;
    if (byte !== COMMA) return INVALID;
  }
  if (!isOver()) return INVALID;
  return isMixed ? MIXED : { kind: 'objects', keys: keys.keys() };
}

/** Whether the first byte that is no white space opens an object. */
export const looksLikeObject = (bytes: Uint8Array): boolean => new Scanner(bytes).next() === OPEN_OBJECT;
