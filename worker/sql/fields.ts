/** Columns and what is selected of them: paths into JSON, conversions, casts, aggregates. */
import { type QualifiedIdentifier, quoteIdent, quoteQualified, SqlSyntaxError } from '../../shared/sql/identifiers.ts';
import { AGGREGATES } from '../../shared/sql/operators.ts';
import type { CoercibleField, SelectField } from '../plan/types.ts';
import type { AggregateFunction, JsonOperation } from '../request/types.ts';
import type { Parameters } from './parameters.ts';

/** What columns are taken from: a relation, or the alias that stands for it. */
export interface Source {
  /** Quoted, to stand in front of a column. */
  readonly text: string;
  /** Quoted name without schema: the whole row. */
  readonly row: string;
}

export const sourceOf = (id: QualifiedIdentifier): Source => ({ text: quoteQualified(id), row: quoteIdent(id.name) });

/** A source known by its alias alone. */
export const aliased = (alias: string): Source => {
  const text = quoteIdent(alias);
  return { text, row: text };
};

/** `source."column"`, or `source.*`. */
export const column = (source: string, name: string): string => `${source}.${name === '*' ? '*' : quoteIdent(name)}`;

/** `->`, `->>`: keys and indexes are values. */
export function jsonPath(path: readonly JsonOperation[], parameters: Parameters): string {
  let text = '';
  for (const { operator, operand } of path) {
    text += operator + parameters.bind(operand.value);
    if (operand.kind === 'index') text += '::int';
  }
  return text;
}

/** A text search configuration in front of the function's other argument. */
export const languageArgument = (language: string | null, parameters: Parameters): string =>
  language === null ? '' : `${parameters.bind(language)}, `;

/** A field as it stands in filters, orders and groups: not converted for output. */
export function field(source: Source, f: CoercibleField, parameters: Parameters): string {
  if (f.toTsVector !== null) {
    const language = languageArgument(f.toTsVector.language, parameters);
    return `pg_catalog.to_tsvector(${language}${plainField(source, f, parameters)})`;
  }
  return plainField(source, f, parameters);
}

function plainField(source: Source, f: CoercibleField, parameters: Parameters): string {
  if (f.fullRow) return source.row;
  const name = column(source.text, f.name);
  if (f.path.length === 0) return name;
  return (f.toJson ? `pg_catalog.to_jsonb(${name})` : name) + jsonPath(f.path, parameters);
}

// The grammar of casts in `select`; a plan that carries anything else was not made by it.
const CAST = /^[\p{L}\p{N}_$ ]+$/u;

/**
 * `CAST( … AS type )`. A type's name stays unquoted, since quoting would disable those that the SQL grammar knows
 * (`int`, `double precision`): it may only consist of letters, digits, `_`, `$` and blanks. Throws RangeError otherwise,
 * and SqlSyntaxError where there is none.
 */
export function cast(text: string, type: string | null): string {
  if (type === null) return text;
  if (type === '') throw new SqlSyntaxError('syntax error at or near ")"');
  if (!CAST.test(type))
    throw new RangeError('A cast names a type with other characters than letters, digits, _, $ and blanks');
  return `CAST( ${text} AS ${type} )`;
}

/** Wraps in an aggregate and casts its result. */
export const aggregate = (text: string, name: AggregateFunction | null, type: string | null): string =>
  name === null ? text : cast(`${AGGREGATES[name]}(${text})`, type);

/** An item of the select list, with its alias. */
export function selectItem(source: Source, item: SelectField, parameters: Parameters): string {
  const plain = field(source, item.field, parameters);
  const converted = item.field.transform === null ? plain : `${item.field.transform}(${plain})`;
  const text = aggregate(cast(converted, item.cast), item.aggregate, item.aggregateCast);
  return item.alias === null ? text : `${text} AS ${quoteIdent(item.alias)}`;
}
