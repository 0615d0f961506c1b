/** The worker's statements under one snapshot. Texts that were found good are remembered. */
import type { Statement } from '../../shared/hop/types.ts';
import type { Snapshot } from '../../shared/snapshot/types.ts';
import { type Kind, readStatement } from './main.ts';
import { Names } from './names.ts';
import { NotOurs } from './scanner.ts';

/** Characters of the texts that are remembered, all together; longer ones than the second are read every time. */
const MEMORY = 8 * 1024 * 1024;
const LONGEST = 32 * 1024;

/** Texts that are compared with before the others are looked up. */
const RECENT = 16;

interface Known {
  readonly text: string;
  readonly kind: Kind;
}

export class KnownStatements {
  readonly snapshot: Snapshot;
  readonly #good = new Map<string, Kind>();
  /** Some of them. */
  readonly #recent: Known[] = [];
  /** The last that was too long to be remembered: it is asked about twice. */
  #long: Known | null = null;
  #names: Names | null = null;
  #remembered = 0;

  constructor(snapshot: Snapshot) {
    this.snapshot = snapshot;
  }

  /** What a statement is, or how far it is one of the worker's. */
  kindOf(text: string): Kind | number {
    const recent = this.#recently(text);
    if (recent !== null) return recent;
    const known = this.#good.get(text);
    if (known !== undefined) {
      this.#seen(text, known);
      return known;
    }
    this.#names ??= new Names(this.snapshot);
    try {
      const kind = readStatement(text, this.#names);
      if (text.length > LONGEST) this.#long = { text, kind };
      else {
        this.#remember(text, kind);
        this.#seen(text, kind);
      }
      return kind;
    } catch (error) {
      if (error instanceof NotOurs) return error.at;
      throw error;
    }
  }

  /** Whether code of the database's users may run: all but reads, and reads that name such code. */
  callCode(statements: readonly Statement[]): boolean {
    return statements.some(({ text }) => {
      const kind = this.kindOf(text);
      return typeof kind === 'number' || (kind.kind !== 'read' && kind.kind !== 'estimate') || kind.callsCode;
    });
  }

  /** Comparing with a text of the same length costs a small part of what hashing it for the map does. */
  #recently(text: string): Kind | null {
    const recent = this.#recent;
    for (let i = 0; i < recent.length; i++) {
      const entry = recent[i];
      if (entry?.text !== text) continue;
      // What is asked for most gets to the front.
      const before = recent[i - 1];
      if (before !== undefined) {
        recent[i - 1] = entry;
        recent[i] = before;
      }
      return entry.kind;
    }
    return this.#long?.text === text ? this.#long.kind : null;
  }

  /** It takes the place of the one that was seen least. */
  #seen(text: string, kind: Kind): void {
    if (this.#recent.length === RECENT) this.#recent.pop();
    this.#recent.push({ text, kind });
  }

  #remember(text: string, kind: Kind): void {
    this.#good.set(text, kind);
    this.#remembered += text.length;
    // The oldest go first: what is asked for again is soon known again.
    for (const [oldest] of this.#good) {
      if (this.#remembered <= MEMORY) break;
      this.#good.delete(oldest);
      this.#remembered -= oldest.length;
    }
  }
}
