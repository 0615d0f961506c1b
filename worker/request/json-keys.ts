/** What a JSON document is as a payload: valid or not, its top level, and the keys of its rows. */

import { JsonScanner, type RowListener } from './json-scan.ts';
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

/** Where a key is spelled, without its quotes. */
interface Spelling {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** The text of a valid string. */
function stringText({ bytes, start, end }: Spelling): string {
  const text = decodeBytes(bytes.subarray(start, end));
  if (!text.includes('\\')) return text;
  const value: unknown = JSON.parse(`"${text}"`);
  return typeof value === 'string' ? value : text;
}

function isSame(a: Spelling, bytes: Uint8Array, start: number, end: number): boolean {
  const length = end - start;
  if (a.end - a.start !== length) return false;
  for (let i = 0; i < length; i++) if (a.bytes[a.start + i] !== bytes[start + i]) return false;
  return true;
}

/** Compares the keys of rows with those of the first: as bytes and in order first, as sets where that differs. */
class KeyComparison implements RowListener {
  /** The first row's keys as they are spelled, and as a set once it has ended. */
  readonly #spelled: Spelling[] = [];
  #names: ReadonlySet<string> | null = null;
  /** Of the present row: how many keys equal the first row's in order; else its names. */
  #count = 0;
  #own: Set<string> | null = null;
  #isMixed = false;

  /** The first row's names; null before its end. */
  get names(): ReadonlySet<string> | null {
    return this.#names;
  }

  /** Whether some element has other keys than the first, or none. */
  get isMixed(): boolean {
    return this.#isMixed;
  }

  key(bytes: Uint8Array, start: number, end: number): void {
    if (this.#isMixed) return;
    if (this.#names === null) {
      this.#spelled.push({ bytes, start, end });
      return;
    }
    if (this.#own === null) {
      const expected = this.#spelled[this.#count];
      if (expected !== undefined && isSame(expected, bytes, start, end)) {
        this.#count++;
        return;
      }
      this.#own = this.#firstNames(this.#count);
    }
    this.#own.add(stringText({ bytes, start, end }));
  }

  rowEnds(): void {
    if (this.#isMixed) return;
    if (this.#names === null) {
      this.#names = this.#firstNames(this.#spelled.length);
      return;
    }
    const names = this.#names;
    if (this.#own !== null || this.#count !== this.#spelled.length) {
      const found = this.#own ?? this.#firstNames(this.#count);
      this.#isMixed = found.size !== names.size || ![...found].every((name) => names.has(name));
    }
    this.#own = null;
    this.#count = 0;
  }

  otherElement(): void {
    this.#isMixed = true;
  }

  #firstNames(count: number): Set<string> {
    return new Set(this.#spelled.slice(0, count).map(stringText));
  }
}

/** Looks into a document that comes in pieces. */
export class JsonRows {
  readonly #keys = new KeyComparison();
  readonly #scanner = new JsonScanner(this.#keys);
  #isValid = true;

  /** Takes the next piece. */
  push(bytes: Uint8Array): void {
    this.#isValid &&= this.#scanner.push(bytes);
  }

  /** The first row's keys, which are all that a valid document can have: a sorted set; null while they are not known. */
  get keys(): readonly string[] | null {
    const { names, isMixed } = this.#keys;
    return names === null || isMixed || !this.#isValid ? null : sortedSet([...names]);
  }

  /** Whether what has come cannot be, or be the beginning of, rows with the same keys. */
  get isRefused(): boolean {
    return !this.#isValid || this.#keys.isMixed;
  }

  get isObject(): boolean {
    return this.#scanner.top === 'object';
  }

  /** The document has ended. */
  end(): JsonShape {
    if (!this.#isValid || !this.#scanner.end()) return { kind: 'invalid' };
    if (this.#keys.isMixed) return { kind: 'mixed' };
    const { keys } = this;
    if (keys === null) return { kind: 'empty' };
    return { kind: this.isObject ? 'object' : 'objects', keys };
  }
}

/** The shape of a whole JSON document in UTF-8. */
export function jsonShape(bytes: Uint8Array): JsonShape {
  const rows = new JsonRows();
  rows.push(bytes);
  return rows.end();
}

/** Whether the first byte that is no white space opens an object. */
export function looksLikeObject(pieces: readonly Uint8Array[]): boolean {
  for (const piece of pieces) {
    for (const byte of piece) {
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return byte === 0x7b;
    }
  }
  return false;
}
