/** A table or view in the document: its definition, its parameters, its path. */
import type { Column, Relationship, Table } from '../snapshot/types.ts';
import { splitComment } from './comment.ts';
import type { ColumnFacts, TableFacts } from './facts.ts';
import { array, arrayOrNone, type Member, member, object, objectOrNone, optional, reference, text } from './json.ts';
import { isString, valueType } from './swagger-types.ts';

export interface DocumentedTable {
  readonly table: Table;
  readonly facts: TableFacts;
  /** The relationships whose target is in the table's own schema, in the order of the snapshot. */
  readonly relationships: readonly Relationship[];
}

const NO_FACTS: ColumnFacts = { comment: null, maxLength: null, labels: [] };

const factsOf = ({ facts }: DocumentedTable, column: Column): ColumnFacts => facts.columns.get(column.name) ?? NO_FACTS;

/**
 * A default's expression as JSON, where it is a constant: of a string the text between the quotes, of anything else what
 * is JSON as it stands. A number keeps all its digits.
 */
function defaultValue({ baseType, default: expression }: Column): string | null {
  if (expression === null) return null;
  try {
    if (!isString(baseType)) {
      JSON.parse(expression);
      return expression;
    }
    const cast = `::${baseType}`;
    const constant = expression.endsWith(cast) ? expression.slice(0, -cast.length).replace(/^'+|'+$/g, '') : expression;
    const value: unknown = JSON.parse(`"${constant}"`);
    return JSON.stringify(value);
  } catch {
    return null;
  }
}

/** What a column alone refers to, tables before views: `[table, column]`. */
function foreignKey(relationships: readonly Relationship[], column: string): readonly [string, string] | null {
  let found: readonly [string, string] | null = null;
  for (const relationship of relationships) {
    if (relationship.kind !== 'detected') continue;
    const { cardinality, foreignTable, foreignTableIsView } = relationship;
    if (cardinality.kind === 'many-to-many' || cardinality.kind === 'one-to-many') continue;
    if (cardinality.kind === 'one-to-one' && cardinality.isParent) continue;
    const [pair, ...more] = cardinality.columns;
    if (pair === undefined || more.length > 0 || pair[0] !== column) continue;
    if (!foreignTableIsView) return [foreignTable.name, pair[1]];
    found ??= [foreignTable.name, pair[1]];
  }
  return found;
}

/** A column's comment, and what is known of its keys. Tools read the tags. */
function columnDescription(documented: DocumentedTable, column: Column, comment: string | null): string | null {
  const notes: string[] = [];
  if (documented.table.primaryKey.includes(column.name)) notes.push('This is a Primary Key.<pk/>');
  const target = foreignKey(documented.relationships, column.name);
  if (target !== null) {
    const [table, name] = target;
    notes.push(`This is a Foreign Key to \`${table}.${name}\`.<fk table='${table}' column='${name}'/>`);
  }
  if (notes.length === 0) return comment;
  const front = comment === null ? '' : `${comment}\n\n`;
  return `${front}${['Note:', ...notes].join('\n')}`;
}

function property(documented: DocumentedTable, column: Column): Member {
  const { comment, maxLength, labels } = factsOf(documented, column);
  const { format, items, type } = valueType(column.baseType);
  return [
    column.name,
    object([
      ['default', defaultValue(column)],
      ['description', optional(columnDescription(documented, column, comment))],
      ['enum', arrayOrNone(labels.map(text))],
      ['format', format],
      ['items', items],
      ['maxLength', maxLength === null ? null : String(maxLength)],
      ['type', type],
    ]),
  ];
}

/** The definition of a row. */
export function definition(documented: DocumentedTable): string {
  const { table, facts } = documented;
  return object([
    ['description', optional(facts.comment)],
    ['required', arrayOrNone(table.columns.filter((column) => !column.nullable).map(({ name }) => text(name)))],
    ['properties', objectOrNone(table.columns.map((column) => property(documented, column)))],
    ['type', text('object')],
  ]);
}

const bodyName = (table: Table): string => `body.${table.name}`;
const filterName = (table: Table, column: Column): string => `rowFilter.${table.name}.${column.name}`;

/** The parameters that the table's paths refer to. */
export function tableParameters(documented: DocumentedTable): readonly Member[] {
  const { table } = documented;
  const body = object([
    ['name', text(table.name)],
    ['description', text(table.name)],
    ['required', 'false'],
    ['in', text('body')],
    ['schema', reference('definitions', table.name)],
  ]);
  const filters = table.columns.map(
    (column): Member => [
      filterName(table, column),
      object([
        ['name', text(column.name)],
        ['description', optional(factsOf(documented, column).comment)],
        ['required', 'false'],
        ['in', text('query')],
        ['type', text('string')],
      ]),
    ],
  );
  return [[bodyName(table), body], ...filters];
}

export const tablePath = (table: Table): string => `/${table.name}`;

const toParameter = (name: string): string => reference('parameters', name);

const READ_PARAMETERS = ['select', 'order', 'range', 'rangeUnit', 'offset', 'limit', 'preferCount'].map(toParameter);
const SELECT = toParameter('select');
const PREFER_POST = toParameter('preferPost');
const PREFER_RETURN = toParameter('preferReturn');

const answer = (status: string, description: string): string =>
  member(status, object([['description', text(description)]]));

/** The operations on the table: what it can do at all, whoever may do it. */
export function tableOperations({ table, facts }: DocumentedTable): string {
  const comment = splitComment(facts.comment);
  const filters = table.columns.map((column) => toParameter(filterName(table, column)));
  const body = toParameter(bodyName(table));
  const operation = (parameters: readonly string[], responses: readonly string[]): string =>
    object([
      ['description', optional(comment?.rest || null)],
      ['parameters', array(parameters)],
      ['responses', `{${responses.join()}}`],
      ['summary', optional(comment?.title ?? null)],
      ['tags', array([text(table.name)])],
    ]);
  const rows = object([
    ['items', reference('definitions', table.name)],
    ['type', text('array')],
  ]);
  const found = object([
    ['description', text('OK')],
    ['schema', rows],
  ]);
  const get = operation([...filters, ...READ_PARAMETERS], [member('200', found), answer('206', 'Partial Content')]);
  if (!table.insertable && !table.updatable && !table.deletable) return object([['get', get]]);
  return object([
    ['get', get],
    ['post', operation([body, SELECT, PREFER_POST], [answer('201', 'Created')])],
    ['delete', operation([...filters, PREFER_RETURN], [answer('204', 'No Content')])],
    ['patch', operation([...filters, body, PREFER_RETURN], [answer('204', 'No Content')])],
  ]);
}
