/** Reads and counts: what worker/sql/read.ts and count.ts write. */
import type { Table } from '../../shared/snapshot/types.ts';
import { SOURCE } from '../../shared/sql/fragments.ts';
import { quoteIdent } from '../../shared/sql/identifiers.ts';
import {
  closed,
  columnName,
  field,
  limitOffset,
  opened,
  orderBy,
  type Statement,
  selectedValue,
  where,
} from './conditions.ts';
import type { Columns, Relation } from './query.ts';

const NO_COLUMNS: ReadonlySet<string> = new Set();
const aliased = (name: string, columns: Columns): Relation => ({ name, schema: null, columns });

const LEFT = aliased(quoteIdent(SOURCE), NO_COLUMNS);

/** `"schema"."name"`: of both, and as it stands there. */
function qualified({ s }: Statement): readonly [schema: string, name: string, whole: string] {
  const schema = s.identifier();
  s.expect('.');
  const name = s.identifier();
  return [schema, name, `${schema}.${name}`];
}

/** A relation with the junction that its rows are joined through, or the function that computes it of a row. */
function relation(statement: Statement): Table | null {
  const { s, names, query } = statement;
  const [schema, name, whole] = qualified(statement);
  if (s.take('(')) {
    s.identifier();
    s.expect('::');
    if (!names.computesFrom(whole, s.qualified())) s.fail();
    s.expect(')');
    statement.callsCode = true;
    query.add(aliased(s.take(' AS ') ? s.identifier() : name, NO_COLUMNS));
    return null;
  }
  const table = names.table(whole) ?? s.fail();
  const columns = names.columns(table);
  if (s.take(' AS ')) query.add(aliased(s.identifier(), columns));
  else query.add({ name, schema, columns });
  if (s.take(', ')) {
    const [junctionSchema, junctionName, junction] = qualified(statement);
    if (!names.isJunction(junction, whole)) s.fail();
    const joined = names.table(junction);
    const columns = joined === undefined ? NO_COLUMNS : names.columns(joined);
    query.add({ name: junctionName, schema: junctionSchema, columns });
  }
  return table;
}

/**
 * ` FROM …`. Returns the relation. `ofSource`: what a write or a call left, which is a name of the statement itself. A name without
 * a schema would else be anything that search_path finds.
 */
function from(statement: Statement, ofSource: boolean): Table | null {
  const { s, query } = statement;
  s.expect(' FROM ');
  if (!ofSource) return relation(statement);
  s.expect(LEFT.name);
  query.add(s.take(' AS ') ? aliased(s.identifier(), NO_COLUMNS) : LEFT);
  return null;
}

/** One `1` for every row. Returns the relation whose rows they are. */
export function countQuery(statement: Statement, ofSource: boolean): Table | null {
  const outer = opened(statement);
  statement.s.expect('SELECT 1 ');
  const table = from(statement, ofSource);
  where(statement, countRelation);
  closed(statement, outer);
  return table;
}

const countRelation = (statement: Statement): void => {
  countQuery(statement, false);
};

/** An alias, which names a column of the result. */
function alias({ s, query }: Statement): void {
  s.expect(' AS ');
  query.put(s.identifier());
}

function selectItem(statement: Statement): void {
  const { s, query } = statement;
  if (s.take('pg_catalog.row_to_json(')) {
    s.identifier();
    s.expect('.*)::pg_catalog.jsonb');
    alias(statement);
  } else if (s.take('COALESCE( ')) {
    columnName(statement);
    s.expect(", '[]')");
    alias(statement);
  } else {
    const name = selectedValue(statement);
    if (s.looksAt(' AS ')) alias(statement);
    else query.put(name);
  }
}

/** The rows of an embed as an array, and columns of a to-many spread. Returns the columns of the result. */
function aggregatedRows(statement: Statement): ReadonlySet<string> {
  const { s } = statement;
  const outer = opened(statement);
  s.identifier();
  s.expect(')::pg_catalog.jsonb');
  alias(statement);
  while (s.take(', COALESCE(pg_catalog.json_agg(')) {
    columnName(statement);
    orderBy(statement);
    s.expect("),'[]')::pg_catalog.jsonb");
    alias(statement);
  }
  s.expect(' FROM (');
  const [, columns] = readQuery(statement, false);
  s.expect(' ) AS ');
  statement.query.add(aliased(s.identifier(), columns));
  return closed(statement, outer);
}

function lateralJoin(statement: Statement): void {
  const { s, query } = statement;
  s.deeper();
  const isArray = s.take('SELECT pg_catalog.json_agg(');
  const columns = isArray ? aggregatedRows(statement) : readQuery(statement, false)[1];
  s.expect(' ) AS ');
  query.add(aliased(s.identifier(), columns));
  s.expect(' ON ');
  if (!s.take('TRUE')) {
    s.identifier();
    s.expect(' IS NOT NULL');
  }
  s.back();
}

/** A relation with everything that is embedded in it. Returns the relation, and the columns of the result. */
export function readQuery(
  statement: Statement,
  ofSource: boolean,
): readonly [relation: Table | null, columns: ReadonlySet<string>] {
  const { s } = statement;
  const outer = opened(statement);
  s.expect('SELECT ');
  // Where nothing but empty embeds is selected, the list is empty.
  if (!s.looksAt(' FROM ')) s.list(', ', () => selectItem(statement));
  const table = from(statement, ofSource);
  while (s.take(' INNER JOIN LATERAL ( ') || s.take(' LEFT JOIN LATERAL ( ')) lateralJoin(statement);
  where(statement, countRelation);
  if (statement.names.settings.dbAggregatesEnabled && s.take(' GROUP BY ')) s.list(', ', () => field(statement));
  orderBy(statement);
  limitOffset(statement);
  return [table, closed(statement, outer)];
}
