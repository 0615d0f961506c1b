/**
 * What the names of a query mean. PostgreSQL takes the innermost relation of that name, then its column, then a function of its row
 * that search_path finds (its docs, 8.16.5): so a name that is no column calls code of the database's users.
 */

/** The quoted names of columns. */
export interface Columns {
  has(name: string): boolean;
  keys(): Iterable<string>;
}

/** A relation of a FROM clause. Names are quoted. */
export interface Relation {
  readonly name: string;
  /** Null where it has an alias. */
  readonly schema: string | null;
  readonly columns: Columns;
}

/** A name of two or three parts, as it stands there; `*` may be the last. */
export type Name = readonly string[];

/** Comparisons that one statement's names are worth. Beyond any request's; who sends more has them taken for code. */
const STEPS = 100_000;

/** One SELECT with what it is within. Its names are looked up at its end: a select list comes before what it is of. */
export class Query {
  readonly #outer: Query | null;
  readonly #relations: Relation[] = [];
  readonly #names: Name[] = [];
  readonly #outputs: (string | Name)[] = [];
  /** Of the whole statement. */
  readonly #steps: { left: number };

  constructor(outer: Query | null) {
    this.#outer = outer;
    this.#steps = outer === null ? { left: STEPS } : outer.#steps;
  }

  add(relation: Relation): void {
    this.#relations.push(relation);
  }

  use(name: Name): void {
    this.#names.push(name);
  }

  /** A column of its result: under an alias, or under the name that it has. */
  put(output: string | Name): void {
    this.#outputs.push(output);
  }

  /** Whether some name is no column. A name by itself is one, or a whole row. */
  callsCode(): boolean {
    return this.#names.some((name) => {
      const column = name.at(-1);
      if (name.length === 1 || column === '*' || column === undefined) return false;
      return this.#relationOf(name)?.columns.has(column) !== true;
    });
  }

  /** The columns of its result, as far as they are known. */
  columns(): ReadonlySet<string> {
    const columns = new Set<string>();
    for (const output of this.#outputs) {
      const name = typeof output === 'string' ? output : output.at(-1);
      if (typeof output !== 'string' && name === '*') {
        for (const column of this.#relationOf(output)?.columns.keys() ?? []) {
          if (this.#steps.left-- <= 0) return columns;
          columns.add(column);
        }
      } else if (name !== undefined) columns.add(name);
    }
    return columns;
  }

  /** The relation that a name is of; null where there is none. */
  #relationOf(name: Name): Relation | null {
    const table = name.at(-2);
    const schema = name.at(-3);
    for (let query: Query | null = this; query !== null; query = query.#outer) {
      this.#steps.left -= query.#relations.length + 1;
      if (this.#steps.left <= 0) return null;
      const found = query.#relations.find((r) => r.name === table && (schema === undefined || schema === r.schema));
      if (found !== undefined) return found;
    }
    return null;
  }
}
