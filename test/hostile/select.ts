/** `select` for a relation: columns, aggregates, and what is embedded along the relationships that there are. */
import type { Schema } from '../../shared/snapshot/schema.ts';
import type { Relationship, Table } from '../../shared/snapshot/types.ts';
import type { QualifiedIdentifier } from '../../shared/sql/identifiers.ts';
import type { Choices } from './choices.ts';
import { columnOf, jsonPath, written } from './columns.ts';
import { join, joined, type Template } from './template.ts';
import { hostileText } from './words.ts';

/** A relation of the request, as the other parameters address it. */
export interface Level {
  readonly id: QualifiedIdentifier;
  readonly table: Table | undefined;
  readonly path: readonly string[];
  /** The names of what is embedded in it. */
  readonly embeds: string[];
}

/** Types that PostgreSQL's grammar knows, and others. Blanks around and odd case belong to the grammar of casts. */
const CASTS = [
  'text',
  'int',
  'INT',
  'double precision',
  'character varying',
  ' json ',
  'jsonb',
  'interval day to second',
  'nonesuch',
  'color',
];
const AGGREGATES = ['count', 'max', 'min', 'sum', 'avg'] as const;
const DEPTH = 3;

export class SelectWriter {
  readonly #choices: Choices;
  readonly #schema: Schema;
  /** All relations of what has been written, the root first. */
  readonly levels: Level[] = [];

  constructor(choices: Choices, schema: Schema) {
    this.#choices = choices;
    this.#schema = schema;
  }

  /** The root's list; it may be empty. */
  write(id: QualifiedIdentifier): Template {
    return this.#list(this.#level(id, []), 0);
  }

  /** Adds a level without writing a list for it. */
  root(id: QualifiedIdentifier): void {
    this.#level(id, []);
  }

  #level(id: QualifiedIdentifier, path: readonly string[]): Level {
    const level = { id, table: this.#schema.table(id), path, embeds: [] };
    this.levels.push(level);
    return level;
  }

  #list(level: Level, depth: number): Template {
    const choices = this.#choices;
    return joined(
      choices.some(4, () => (choices.below(5) < 3 || depth === DEPTH ? this.#field(level) : this.#embed(level, depth))),
      ',',
    );
  }

  #field(level: Level): Template {
    const choices = this.#choices;
    if (choices.oneIn(5)) return [choices.of(['*', 'count()', 'n:count()', 'count()::text'])];
    const column = columnOf(choices, level.table);
    const alias = choices.oneIn(4)
      ? choices.from(
          () => 'other',
          () => column.name,
          () => hostileText(choices),
        )
      : null;
    // Without an alias the last key names the column.
    const path = jsonPath(choices, column, alias === null);
    const cast = choices.oneIn(6) ? `::${choices.of(CASTS)}` : '';
    const aggregate = choices.oneIn(6)
      ? `.${choices.of(AGGREGATES)}()${choices.oneIn(4) ? `::${choices.of(CASTS)}` : ''}`
      : '';
    return join(alias === null ? '' : `${written(alias)}:`, written(column.name), path, cast, aggregate);
  }

  #embed(level: Level, depth: number): Template {
    const choices = this.#choices;
    const relationships = this.#schema.relationships(level.id, level.id.schema);
    if (relationships.length === 0 || choices.oneIn(20)) return this.#nothing(level);
    const found = choices.of(relationships);
    const name = choices.oneIn(4) ? choices.of(namesOf(found)) : nameOf(found);
    const spread = choices.oneIn(3);
    const alias =
      !spread && choices.oneIn(3)
        ? choices.from(
            () => 'e',
            () => hostileText(choices),
          )
        : null;
    const hint = choices.oneIn(3)
      ? `!${written(choices.oneIn(8) ? hostileText(choices) : choices.of(namesOf(found)))}`
      : '';
    const way = choices.of(['', '', '!inner', '!left']);
    level.embeds.push(alias ?? name);
    const child = this.#level(found.foreignTable, [...level.path, alias ?? name]);
    const list = this.#list(child, depth + 1);
    return join(spread ? '...' : alias === null ? '' : `${written(alias)}:`, written(name), hint, way, '(', list, ')');
  }

  /** What is not related. */
  #nothing(level: Level): Template {
    const name = this.#choices.from(
      () => level.id.name,
      () => hostileText(this.#choices),
    );
    return [`${written(name)}(*)`];
  }
}

const nameOf = (r: Relationship): string => (r.kind === 'computed' ? r.function.name : r.foreignTable.name);

/** All names that a relationship may be asked for by, or hinted at with. */
function namesOf(r: Relationship): readonly string[] {
  if (r.kind === 'computed') return [r.function.name];
  const { cardinality } = r;
  if (cardinality.kind === 'many-to-many')
    return [r.foreignTable.name, cardinality.junction.table.name, cardinality.junction.constraint1];
  return [r.foreignTable.name, cardinality.constraint, ...cardinality.columns.flat()];
}
