import type { NamedStatement } from '../../wire/index.ts';

/**
 * How often the database's tables and types may have become others. Where a text was parsed before such a change, PostgreSQL refuses to run it
 * once its result is of another type. A client that has prepared it after the change must not meet that error: for it the text is parsed anew.
 *
 * What is changed elsewhere, or inside of a function, is only noticed by such an error.
 */
export class Changes {
  #count = 0;
  readonly #parsed = new WeakMap<NamedStatement, number>();

  /** Those that have happened so far. */
  get count(): number {
    return this.#count;
  }

  /** Another one has happened. */
  happened(): void {
    this.#count++;
  }

  /** A statement is being parsed now. */
  parse(statement: NamedStatement): void {
    this.#parsed.set(statement, this.#count);
  }

  /** Whether a statement was parsed after as many changes, or more. */
  covers(statement: NamedStatement, since: number): boolean {
    return (this.#parsed.get(statement) ?? -1) >= since;
  }
}

/** Whether the tag is of a command that changes what a text means. Some that do have others: CREATE TABLE AS. */
export const isChange = (tag: string): boolean => /^(CREATE|ALTER|DROP|DISCARD) /.test(tag);
