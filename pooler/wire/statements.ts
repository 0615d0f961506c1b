import { randomBytes } from 'node:crypto';
import type { FlightStatement, StatementUses } from './types.ts';

/**
 * A statement known to the server by a name. `new` is not sent yet, `parsing` is sent and not acknowledged, `ready` is acknowledged.
 */
export type NamedStatement = {
  readonly name: string;
  readonly text: string;
  readonly scope: string;
  /** The part of Bind before the parameter count: the unnamed portal, the statement's name, no format codes. */
  readonly bindHead: Uint8Array;
  state: 'new' | 'parsing' | 'ready';
  /** When its Parse was written; by `performance.now`. */
  parsed: number;
  /** The number of the batch that used it last. */
  batch: number;
  newer: NamedStatement | null;
  older: NamedStatement | null;
};

/** The part of Bind before the parameter count for a statement's name; '' is the unnamed one. */
export function bindHead(name: string): Uint8Array {
  const head = new Uint8Array(name.length + 4);
  for (let i = 0; i < name.length; i++) head[i + 1] = name.charCodeAt(i);
  return head;
}

/**
 * What one connection has prepared: least recently used first out, bounded. The server keeps named statements whatever becomes of the
 * transaction, so a name is `ready` from its ParseComplete on, and gone from its CloseComplete on.
 */
export class StatementRegistry {
  readonly #capacity: number;
  /** Characters of all texts. */
  #characters = 0;
  readonly #uses: StatementUses;
  readonly #scopes = new Map<string, Map<string, NamedStatement>>();
  #newest: NamedStatement | null = null;
  #oldest: NamedStatement | null = null;
  #size = 0;
  /** Behind a transaction pooler several connections share a backend, and functions may prepare statements: no name is met by chance. */
  readonly #prefix = `e${randomBytes(3).toString('hex')}_`;
  #counter = 0;
  /** Names that the server may still have and that nobody uses any more. */
  #closing: string[] = [];
  /** What the unnamed statement holds. SQL cannot reach it: PREPARE and DEALLOCATE only know names. */
  unnamed: FlightStatement | null = null;

  constructor(capacity: number, uses: StatementUses = { hits: 0, misses: 0 }) {
    this.#capacity = capacity;
    this.#uses = uses;
  }

  get size(): number {
    return this.#size;
  }

  /** Whether there is a statement in the scope. */
  has(scope: string): boolean {
    return this.#scopes.has(scope);
  }

  /** Whether another one can be kept without one having to go. */
  get hasRoom(): boolean {
    return this.#size < this.#capacity;
  }

  /**
   * Finds or names a statement for a batch. A statement of the same batch is never evicted for another. `since`: one that was parsed before
   * is not to be used again.
   */
  use(text: string, scope: string, batch: number, since = 0): NamedStatement {
    const known = this.#recent(text, scope) ?? this.#scopes.get(scope)?.get(text);
    if (known?.state === 'ready' && known.parsed < since) this.discard(known);
    else if (known !== undefined) {
      this.#uses.hits++;
      known.batch = batch;
      if (known !== this.#newest) {
        this.#unlink(known);
        this.#link(known);
      }
      return known;
    }
    this.#uses.misses++;
    let texts = this.#scopes.get(scope);
    if (texts === undefined) {
      texts = new Map();
      this.#scopes.set(scope, texts);
    }
    const name = this.#prefix + (this.#counter++).toString(36);
    const statement: NamedStatement = {
      name,
      text,
      scope,
      bindHead: bindHead(name),
      state: 'new',
      parsed: 0,
      batch,
      newer: null,
      older: null,
    };
    texts.set(text, statement);
    this.#link(statement);
    this.#size++;
    this.#characters += text.length;
    while (this.#isOverfull && this.#oldest !== null && this.#oldest.batch !== batch) this.discard(this.#oldest);
    return statement;
  }

  /** The server does not have the name: its Parse failed or was never reached. */
  forget(statement: NamedStatement): void {
    const texts = this.#scopes.get(statement.scope);
    if (texts?.get(statement.text) !== statement) return;
    texts.delete(statement.text);
    if (texts.size === 0) this.#scopes.delete(statement.scope);
    this.#unlink(statement);
    this.#size--;
    this.#characters -= statement.text.length;
  }

  /** The name is not to be used again; the next batch closes it. */
  discard(statement: NamedStatement): void {
    this.forget(statement);
    if (statement.state !== 'new') this.#closing.push(statement.name);
  }

  /** No name is to be used again: the schema has changed, or somebody has deallocated them. */
  discardAll(): void {
    while (this.#oldest !== null) this.discard(this.#oldest);
    this.unnamed = null;
  }

  /** The names to close now. They are given back with `unclosed` when the Close was not acknowledged. */
  takeClosing(): readonly string[] {
    if (this.#closing.length === 0) return none;
    const names = this.#closing;
    this.#closing = [];
    return names;
  }

  unclosed(names: readonly string[]): void {
    this.#closing.push(...names);
  }

  get #isOverfull(): boolean {
    return this.#size > this.#capacity || this.#characters > mostCharacters;
  }

  /** One of those used last. Comparing a text of a few hundred characters costs less than hashing it for the map. */
  #recent(text: string, scope: string): NamedStatement | undefined {
    let statement = this.#newest;
    for (let i = 0; i < recentStatements && statement !== null; i++) {
      if (statement.text === text && statement.scope === scope) return statement;
      statement = statement.older;
    }
    return undefined;
  }

  #link(statement: NamedStatement): void {
    statement.older = this.#newest;
    statement.newer = null;
    if (this.#newest !== null) this.#newest.newer = statement;
    this.#newest = statement;
    this.#oldest ??= statement;
  }

  #unlink(statement: NamedStatement): void {
    if (statement.newer === null) this.#newest = statement.older;
    else statement.newer.older = statement.older;
    if (statement.older === null) this.#oldest = statement.newer;
    else statement.older.newer = statement.newer;
    statement.newer = null;
    statement.older = null;
  }
}

const none: readonly string[] = [];
/** Of the texts that are kept, be they fewer than there is room for: a client of the driver endpoint may send long ones. */
const mostCharacters = 8 * 1024 * 1024;
/** The settings, the main statement and what comes with it. */
const recentStatements = 4;
