/** What planning looks up in one table: its columns by name and what is derived from them, made once a table. */
import type { Schema } from '../../shared/snapshot/schema.ts';
import type { Column, Table } from '../../shared/snapshot/types.ts';
import type { QualifiedIdentifier } from '../../shared/sql/identifiers.ts';
import type { CoercibleField } from './types.ts';

export interface ColumnIndex {
  readonly schema: Schema;
  readonly table: Table;
  readonly byName: ReadonlyMap<string, Column>;
  /** Fields made for a plain `select=column`, shared by plans. */
  readonly outputs: Map<string, CoercibleField>;
  /** Some column has a representation as json (a domain with a cast), so that `*` has to name its columns. */
  readonly represented: boolean;
}

/** By schema and not by table alone: representations belong to the snapshot. */
const indexes = new WeakMap<Schema, WeakMap<Table, ColumnIndex>>();

function indexOf(schema: Schema, table: Table): ColumnIndex {
  return {
    schema,
    table,
    byName: new Map(table.columns.map((column) => [column.name, column])),
    outputs: new Map(),
    represented: table.columns.some((column) => schema.representation(column.type, 'json') !== undefined),
  };
}

/** The columns of a relation; null when the snapshot has no such relation (a function's record, a wrong name). */
export function columnIndex(schema: Schema, relation: QualifiedIdentifier): ColumnIndex | null {
  const table = schema.table(relation);
  if (!table) return null;
  let ofSchema = indexes.get(schema);
  if (!ofSchema) {
    ofSchema = new WeakMap();
    indexes.set(schema, ofSchema);
  }
  let index = ofSchema.get(table);
  if (!index) {
    index = indexOf(schema, table);
    ofSchema.set(table, index);
  }
  return index;
}
