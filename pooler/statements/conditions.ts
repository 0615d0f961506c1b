/** Fields, conditions, orders and ranges: what worker/sql/fields.ts, filters.ts and order.ts write. */
import { AGGREGATES, FTS, IS, QUANT, SIMPLE } from '../../shared/sql/operators.ts';
import type { Names } from './names.ts';
import { type Name, Query } from './query.ts';
import type { Scanner } from './scanner.ts';
import { isBuiltin } from './types.ts';

/** What is read, the names that may be in it, and what was found so far. */
export interface Statement {
  readonly s: Scanner;
  readonly names: Names;
  /** Where it is being read. */
  query: Query;
  /** Whether it names code of the database's users. */
  callsCode: boolean;
  /** The parameters that bound rows; null where nothing bounds them. */
  limits: number[] | null;
}

/** A query begins, which has names of its own. Returns the one around it, for `closed`. */
export function opened(statement: Statement): Query {
  const outer = statement.query;
  statement.query = new Query(outer);
  return outer;
}

/** It has ended. Returns the columns of its result. */
export function closed(statement: Statement, outer: Query): ReadonlySet<string> {
  const { query } = statement;
  statement.callsCode ||= query.callsCode();
  statement.query = outer;
  return query.columns();
}

const AGGREGATE_CALLS = Object.values(AGGREGATES).map((name) => `${name}(`);
const OPERATORS: ReadonlySet<string> = new Set([...Object.values(SIMPLE), ...Object.values(QUANT)]);
const FTS_CALLS = Object.values(FTS).map((name) => `${name}(`);
// The longer ones first.
const IS_WORDS = [...Object.values(IS), 'DISTINCT FROM NULL', 'NOT DISTINCT FROM NULL'].toSorted(
  (a, b) => b.length - a.length,
);

/** `"a"`, `"a"."b"` or `"a"."b"."c"`, the last may be `*`. */
export function columnName({ s, query }: Statement): Name {
  const parts = [s.identifier()];
  while (parts.length < 3 && s.take('.')) {
    if (s.take('*')) {
      parts.push('*');
      break;
    }
    parts.push(s.identifier());
  }
  query.use(parts);
  return parts;
}

function jsonPath(s: Scanner): boolean {
  let found = false;
  while (s.take('->>') || s.take('->')) {
    s.placeholder();
    s.take('::int');
    found = true;
  }
  return found;
}

function plainField(statement: Statement): Name {
  const { s } = statement;
  if (!s.take('pg_catalog.to_jsonb(')) {
    const name = columnName(statement);
    jsonPath(s);
    return name;
  }
  const name = columnName(statement);
  s.expect(')');
  return jsonPath(s) ? name : s.fail();
}

function language(s: Scanner): void {
  if (!s.looksAt('$')) return;
  s.placeholder();
  s.expect(', ');
}

export function field(statement: Statement): Name {
  const { s } = statement;
  if (!s.take('pg_catalog.to_tsvector(')) return plainField(statement);
  language(s);
  const name = plainField(statement);
  s.expect(')');
  return name;
}

/** The start of a call that converts a value, if it is next. */
export function conversion(statement: Statement, conversions: readonly string[]): boolean {
  if (!statement.s.takeOneOf(conversions)) return false;
  statement.callsCode = true;
  return true;
}

function convertedField(statement: Statement): Name {
  const { s, names } = statement;
  const converted = conversion(statement, names.outputs);
  const name = field(statement);
  if (converted) s.expect(')');
  return name;
}

/** An item of a select list without its alias: an aggregate, and casts within and around it. Returns what it is of. */
export function selectedValue(statement: Statement): Name {
  const { s, names } = statement;
  const cast = s.take('CAST( ');
  let name: Name;
  const called = names.settings.dbAggregatesEnabled ? AGGREGATE_CALLS.find((start) => s.take(start)) : undefined;
  if (called === undefined) name = convertedField(statement);
  else {
    // Of types that have none of PostgreSQL's own these are whatever search_path finds.
    if (!called.startsWith('pg_catalog.')) statement.callsCode = true;
    const inner = s.take('CAST( ');
    name = convertedField(statement);
    if (inner) castEnd(statement);
    s.expect(')');
  }
  if (cast) castEnd(statement);
  return name;
}

/** A domain's checks are code, and so may be a type's casts. */
function castEnd(statement: Statement): void {
  statement.s.expect(' AS ');
  if (!isBuiltin(statement.s.castEnd())) statement.callsCode = true;
}

function operand(statement: Statement): void {
  const { s, names } = statement;
  const converted = conversion(statement, names.inputs);
  s.placeholder();
  if (converted) s.expect(')');
}

function anyOf(statement: Statement): void {
  const { s, names } = statement;
  if (s.take("'{}'")) return;
  if (!s.take('(SELECT ')) {
    operand(statement);
    return;
  }
  if (!conversion(statement, names.inputs)) s.fail();
  s.expect('pg_catalog.unnest(');
  s.placeholder();
  s.expect('::pg_catalog.text[])))');
}

function operation(statement: Statement): void {
  const { s } = statement;
  if (s.take('IS ')) {
    if (s.takeOneOf(IS_WORDS)) return;
    s.expect('DISTINCT FROM ');
    s.placeholder();
    return;
  }
  if (s.takeOneOf(FTS_CALLS)) {
    s.placeholder();
    if (s.take(', ')) s.placeholder();
    s.expect(')');
    return;
  }
  const end = s.text.indexOf(' ', s.at);
  if (end < 0 || !OPERATORS.has(s.text.slice(s.at, end))) s.fail();
  s.at = end + 1;
  if (s.take('ANY(') || s.take('ALL(')) {
    anyOf(statement);
    s.expect(')');
  } else if (s.looksAt('"')) {
    // Equality with a column of the relation that this one is joined to.
    columnName(statement);
  } else operand(statement);
}

/** How the rows of a relation whose presence is asked for are counted; what can be counted is not known here. */
export type Counted = (statement: Statement) => void;

/** A condition, or a tree of them. */
export function condition(statement: Statement, counted: Counted): void {
  const { s } = statement;
  s.deeper();
  if (s.take('(') || s.take('NOT (')) {
    do condition(statement, counted);
    while (s.take(' AND ') || s.take(' OR '));
    s.expect(')');
  } else if (s.take('EXISTS (') || s.take('NOT EXISTS (')) {
    counted(statement);
    s.expectOneOf([')', ' )']);
  } else {
    s.take('NOT ');
    field(statement);
    s.expect(' ');
    operation(statement);
  }
  s.back();
}

/** ` WHERE a AND b`, or nothing. */
export function where(statement: Statement, counted: Counted): void {
  if (!statement.s.take(' WHERE ')) return;
  do condition(statement, counted);
  while (statement.s.take(' AND '));
}

/** ` ORDER BY …`, or nothing. */
export function orderBy(statement: Statement): void {
  const { s } = statement;
  if (!s.take(' ORDER BY ')) return;
  s.list(', ', () => {
    field(statement);
    s.takeOneOf([' ASC', ' DESC']);
    s.takeOneOf([' NULLS FIRST', ' NULLS LAST']);
  });
}

/** ` LIMIT … OFFSET …`, or nothing where nothing bounds the rows. */
export function limitOffset({ s, limits }: Statement): void {
  if (!s.take(' LIMIT ')) {
    if (limits !== null) s.fail();
    return;
  }
  if (limits !== null) limits.push(s.placeholder());
  else if (!s.take('ALL')) s.placeholder();
  s.expect(' OFFSET ');
  s.placeholder();
}
