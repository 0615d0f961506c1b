import { noTraces, type Traces, tracesOf } from './words.ts';

/** A text that a client has prepared, with its parameters' types: what follows the name in Parse, byte by byte. */
export interface Text {
  /** Latin-1, so that every byte is one character. */
  readonly key: string;
  readonly traces: Traces;
}

/** What a client knows by a name. */
export interface Prepared {
  readonly text: Text;
  /** The settings it was parsed under: the same text may mean something else under others. */
  readonly scope: string;
  /** What was parsed before does not do. */
  readonly since: number;
}

/** Longer ones are kept by whoever prepared them, alone. */
const longest = 64 * 1024;

/** The texts that sessions have prepared, once each: those of thousands of clients of one program are the same. */
export class Texts {
  readonly #limit: number;
  /** Two generations: what is used moves to the young one, and what is not goes with the old one. */
  #young = new Map<string, Text>();
  #old = new Map<string, Text>();
  #size = 0;

  /** `limit`: how many characters are kept at most. What is dropped lives on with those who use it. */
  constructor(limit = 16 * 1024 * 1024) {
    this.#limit = limit;
  }

  /** `bytes`: the part of a Parse after the name. */
  of(bytes: Buffer): Text {
    const key = bytes.toString('latin1');
    const known = this.#young.get(key);
    if (known !== undefined) return known;
    const text = this.#old.get(key) ?? textOf(key);
    if (key.length > longest) return text;
    this.#young.set(key, text);
    this.#size += key.length;
    if (this.#size > this.#limit / 2) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#size = 0;
    }
    return text;
  }
}

function textOf(key: string): Text {
  const end = key.indexOf('\0');
  return { key, traces: end < 0 ? noTraces : tracesOf(key.slice(0, end)) };
}

/** How many names one client may have, and the characters of all their texts. */
const nameLimit = 2000;
const textLimit = 32 * 1024 * 1024;

/** The names of one client's prepared statements, the unnamed one included. They mean something on no server connection in particular. */
export class Names {
  readonly #names = new Map<string, Prepared>();
  #size = 0;

  get(name: string): Prepared | undefined {
    return this.#names.get(name);
  }

  /** False when the client has too many. */
  set(name: string, prepared: Prepared): boolean {
    const size = this.#size + prepared.text.key.length - this.#sizeOf(name);
    if (size > textLimit || (this.#names.size >= nameLimit && !this.#names.has(name))) return false;
    this.#put(name, prepared);
    return true;
  }

  /** Puts back what there was before. */
  restore(name: string, before: Prepared | undefined): void {
    if (before === undefined) this.delete(name);
    else this.#put(name, before);
  }

  delete(name: string): void {
    this.#size -= this.#sizeOf(name);
    this.#names.delete(name);
  }

  /** Forgets all but the unnamed one, which DEALLOCATE ALL and DISCARD ALL leave alone. */
  clear(): void {
    const unnamed = this.#names.get('');
    this.#size = 0;
    this.#names.clear();
    this.restore('', unnamed);
  }

  #put(name: string, prepared: Prepared): void {
    this.#size += prepared.text.key.length - this.#sizeOf(name);
    this.#names.set(name, prepared);
  }

  #sizeOf(name: string): number {
    return this.#names.get(name)?.text.key.length ?? 0;
  }
}
