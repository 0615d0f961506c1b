/**
 * Names in a request become fields that know their type and the function that converts them, by where they stand:
 * in a select, a filter, an order or a payload. A name that the snapshot does not know stays as it is (computed
 * fields, columns of a function's record): PostgreSQL decides about it.
 */
import type { Column } from '../../shared/snapshot/types.ts';
import type { Field, JsonOperation, Operation } from '../request/types.ts';
import type { ColumnIndex } from './columns.ts';
import type { CoercibleField } from './types.ts';

const NO_PATH: readonly JsonOperation[] = [];

/** A field of which nothing is known but its name. */
export const unknownField = (name: string, path: readonly JsonOperation[] = NO_PATH): CoercibleField => ({
  name,
  path,
  toJson: false,
  toTsVector: null,
  type: '',
  baseType: '',
  transform: null,
  default: null,
  fullRow: false,
});

const columnField = (column: Column): CoercibleField => ({
  name: column.name,
  path: NO_PATH,
  toJson: false,
  toTsVector: null,
  type: column.type,
  baseType: column.baseType,
  transform: null,
  default: column.default,
  fullRow: false,
});

function typedField(
  index: ColumnIndex | null,
  field: Field,
  toTsVector: CoercibleField['toTsVector'] = null,
): CoercibleField {
  const column = index?.byName.get(field.name);
  if (!column) return { ...unknownField(field.name, field.path), toJson: true };
  return {
    name: column.name,
    path: field.path,
    // Arrows work on json as it is: to_jsonb around it would keep an index from being used.
    toJson: column.type !== 'json' && column.type !== 'jsonb',
    toTsVector: column.baseType === 'tsvector' ? null : toTsVector,
    type: column.type,
    baseType: column.baseType,
    transform: null,
    default: column.default,
    fullRow: false,
  };
}

/**
 * With the representation from `source` to `target`, where there is one. The type becomes the source's: it is what
 * stands before the conversion.
 */
function transformed(index: ColumnIndex | null, source: string, target: string, field: CoercibleField): CoercibleField {
  if (field.type === '') return field;
  const representation = index?.schema.representation(source, target);
  return representation ? { ...field, type: source, transform: representation.function } : field;
}

/** A field of a select list, to be rendered as json. */
export function outputField(index: ColumnIndex | null, field: Field): CoercibleField {
  if (!index || field.path.length > 0) {
    const typed = typedField(index, field);
    return transformed(index, typed.type, 'json', typed);
  }
  let output = index.outputs.get(field.name);
  if (!output) {
    const typed = typedField(index, field);
    output = transformed(index, typed.type, 'json', typed);
    // Names that are no columns come from requests without bound; only columns are kept.
    if (index.byName.has(field.name)) index.outputs.set(field.name, output);
  }
  return output;
}

/** Every column of a relation as a field of a select list, in the table's order. */
export const allOutputFields = (index: ColumnIndex): readonly CoercibleField[] =>
  index.table.columns.map((column) => transformed(index, column.type, 'json', columnField(column)));

/** A field of a filter; full-text operators turn what is no tsvector into one. */
export function filterField(index: ColumnIndex | null, field: Field, operation: Operation): CoercibleField {
  const typed = typedField(index, field, operation.kind === 'fts' ? { language: operation.language } : null);
  return transformed(index, 'text', typed.type, typed);
}

/** A field of an order. */
export const orderField = (index: ColumnIndex | null, field: Field): CoercibleField => typedField(index, field);

/** A column of a payload, read from json; null when the table has no such column. */
export function payloadField(index: ColumnIndex, name: string): CoercibleField | null {
  const column = index.byName.get(name);
  if (!column || column.type === '') return null;
  const field = columnField(column);
  return transformed(index, 'json', field.type, field);
}
