/** Fields, conditions, orders and ranges: what worker/sql/fields.ts, filters.ts and order.ts write. */
import { AGGREGATES, FTS, IS, QUANT, SIMPLE } from '../../shared/sql/operators.ts';
import type { Names } from './names.ts';
import type { Scanner } from './scanner.ts';

/** What is read, and the names that may be in it. */
export interface Statement {
  readonly s: Scanner;
  readonly names: Names;
}

const AGGREGATE_CALLS = Object.values(AGGREGATES).map((name) => `${name}(`);
const OPERATORS: ReadonlySet<string> = new Set([...Object.values(SIMPLE), ...Object.values(QUANT)]);
const FTS_CALLS = Object.values(FTS).map((name) => `${name}(`);
// The longer ones first.
const IS_WORDS = [...Object.values(IS), 'DISTINCT FROM NULL', 'NOT DISTINCT FROM NULL'].toSorted(
  (a, b) => b.length - a.length,
);

/**
 * `"a"`, `"a"."b"` or `"a"."b"."c"`, the last may be `*`. What a column's name may call is a function of one row, which the API
 * lets anybody select as well.
 */
export function columnName(s: Scanner): void {
  s.identifier();
  for (let dots = 0; dots < 2 && s.take('.'); dots++) {
    if (s.take('*')) return;
    s.identifier();
  }
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

function plainField(s: Scanner): void {
  if (!s.take('pg_catalog.to_jsonb(')) {
    columnName(s);
    jsonPath(s);
    return;
  }
  columnName(s);
  s.expect(')');
  if (!jsonPath(s)) s.fail();
}

function language(s: Scanner): void {
  if (!s.looksAt('$')) return;
  s.placeholder();
  s.expect(', ');
}

export function field(s: Scanner): void {
  if (!s.take('pg_catalog.to_tsvector(')) {
    plainField(s);
    return;
  }
  language(s);
  plainField(s);
  s.expect(')');
}

function convertedField({ s, names }: Statement): void {
  const converted = s.takeOneOf(names.conversions);
  field(s);
  if (converted) s.expect(')');
}

/** An item of a select list without its alias: an aggregate, and casts within and around it. */
export function selectedValue(statement: Statement): void {
  const { s, names } = statement;
  const cast = s.take('CAST( ');
  if (names.settings.dbAggregatesEnabled && s.takeOneOf(AGGREGATE_CALLS)) {
    const inner = s.take('CAST( ');
    convertedField(statement);
    if (inner) castEnd(s);
    s.expect(')');
  } else convertedField(statement);
  if (cast) castEnd(s);
}

function castEnd(s: Scanner): void {
  s.expect(' AS ');
  s.castEnd();
}

function operand({ s, names }: Statement): void {
  const converted = s.takeOneOf(names.conversions);
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
  s.expectOneOf(names.conversions);
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
    columnName(s);
  } else operand(statement);
}

/** How the rows of a relation whose presence is asked for are counted; what can be counted is not known here. */
export type Counted = (statement: Statement) => void;

/** A condition, or a tree of them. */
export function condition(statement: Statement, counted: Counted): void {
  const { s } = statement;
  s.nested(() => {
    if (s.take('(') || s.take('NOT (')) {
      do condition(statement, counted);
      while (s.take(' AND ') || s.take(' OR '));
      s.expect(')');
    } else if (s.take('EXISTS (') || s.take('NOT EXISTS (')) {
      counted(statement);
      s.expectOneOf([')', ' )']);
    } else {
      s.take('NOT ');
      field(s);
      s.expect(' ');
      operation(statement);
    }
  });
}

/** ` WHERE a AND b`, or nothing. */
export function where(statement: Statement, counted: Counted): void {
  if (statement.s.take(' WHERE ')) statement.s.list(' AND ', () => condition(statement, counted));
}

/** ` ORDER BY …`, or nothing. */
export function orderBy(s: Scanner): void {
  if (!s.take(' ORDER BY ')) return;
  s.list(', ', () => {
    field(s);
    s.takeOneOf([' ASC', ' DESC']);
    s.takeOneOf([' NULLS FIRST', ' NULLS LAST']);
  });
}

/** ` LIMIT … OFFSET …`, or nothing. */
export function limitOffset(s: Scanner): void {
  if (!s.take(' LIMIT ')) return;
  if (!s.take('ALL')) s.placeholder();
  s.expect(' OFFSET ');
  s.placeholder();
}
