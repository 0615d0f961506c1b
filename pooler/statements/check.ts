/** Which messages of workers are taken: those that the worker's compiler makes of the API's requests, under one snapshot. */
import { type Refused, refuse } from '../../shared/hop/codec.ts';
import type { TransactionRequest } from '../../shared/hop/types.ts';
import type { Routine, Snapshot } from '../../shared/snapshot/types.ts';
import { type Kind, readStatement } from './main.ts';
import { Names } from './names.ts';
import { NotOurs } from './scanner.ts';

/** Characters of the texts that are remembered, all together; longer ones than the second are read every time. */
const MEMORY = 8 * 1024 * 1024;
const LONGEST = 32 * 1024;

/** Texts that are compared with before the others are looked up. */
const RECENT = 16;

const NONE: readonly Routine[] = [];
type Settings = TransactionRequest['settings'];

const sameSettings = (a: Settings, b: Settings): boolean =>
  a.length === b.length && a.every(([name, value], i) => b[i]?.[0] === name && b[i]?.[1] === value);

/** The check under one snapshot. Texts that were found good are remembered. */
export class MessageCheck {
  readonly snapshot: Snapshot;
  readonly #schemas: ReadonlySet<string>;
  readonly #good = new Map<string, Kind>();
  /** Some of them. */
  readonly #recent: { readonly text: string; readonly kind: Kind }[] = [];
  #names: Names | null = null;
  #remembered = 0;

  constructor(snapshot: Snapshot) {
    this.snapshot = snapshot;
    this.#schemas = new Set(snapshot.settings.dbSchemas);
  }

  /** Why a message is not taken; null when it is. */
  refusal(request: TransactionRequest): Refused | null {
    if (!this.#schemas.has(request.schema)) return refuse(403, 'schema', 'db-schemas does not list this schema.');
    const [first, second, ...more] = request.statements;
    let called = NONE;
    if (first !== undefined) {
      const main = this.#kindOf(first.text);
      if (typeof main === 'number') return notOurs(0, main);
      if (main.kind === 'guard' || main.kind === 'estimate') return notOurs(0, 0);
      if (main.kind !== 'read' && !request.runsCode) {
        return refuse(403, 'statement', 'The message says of a write or a call that it runs no code.');
      }
      if (second !== undefined) {
        const next = this.#kindOf(second.text);
        if (typeof next === 'number') return notOurs(1, next);
        if (next.kind !== (main.kind === 'read' ? 'estimate' : 'guard')) return notOurs(1, 0);
      }
      if (more.length > 0) return notOurs(2, 0);
      if (main.kind === 'call') called = main.routines;
    }
    return settingsAreOf(request, called);
  }

  /** What a statement is, or how far it is one of the worker's. */
  #kindOf(text: string): Kind | number {
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
      if (text.length <= LONGEST) {
        this.#remember(text, kind);
        this.#seen(text, kind);
      }
      return kind;
    } catch (error) {
      if (error instanceof NotOurs) return error.at;
      throw error;
    }
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
    return null;
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

const notOurs = (statement: number, at: number): Refused =>
  refuse(403, 'statement', `Statement ${statement + 1} is none that a worker makes, from character ${at + 1} on.`);

/** What a message adds to a transaction is the called function's own. */
function settingsAreOf({ settings, isolation }: TransactionRequest, called: readonly Routine[]): Refused | null {
  if (settings.length === 0 && isolation === null) return null;
  const owned = called.some((routine) => routine.isolation === isolation && sameSettings(routine.settings, settings));
  return owned ? null : refuse(403, 'setting', 'No function that the message calls has these settings.');
}
