/** Milliseconds after which a text is parsed anew for whoever prepares it: what was changed elsewhere is not seen for so long. */
const trusted = 1000;

/**
 * When the database's tables and types may last have become others. A text that was parsed before such a change is refused by PostgreSQL where
 * its result is of another type now, and its parameters are still read as of their old types, be they a date for a timestamp. Nobody who
 * prepares it after the change may meet that: for him the text is parsed anew.
 *
 * A change that was not made here, or was made by a function, is not noticed: therefore what was parsed is only trusted for a second.
 */
export class Changes {
  #last = 0;

  /** When a text has to have been parsed for somebody who prepares it now; by `performance.now`. */
  get since(): number {
    return Math.max(this.#last, performance.now() - trusted);
  }

  /** There was one. */
  happened(): void {
    this.#last = performance.now();
  }
}

/** Whether the tag is of a command that may change what a text means. CREATE TABLE AS has another one. */
export const isChange = (tag: string): boolean => /^(CREATE|ALTER|DROP|DISCARD|DO$|CALL$)/.test(tag);
