/** Reads and counts: what worker/sql/read.ts and count.ts write. */
import { SOURCE } from '../../shared/sql/fragments.ts';
import { quoteIdent } from '../../shared/sql/identifiers.ts';
import { columnName, field, limitOffset, orderBy, type Statement, selectedValue, where } from './conditions.ts';

const QUOTED_SOURCE = quoteIdent(SOURCE);

/**
 * ` FROM …`: a relation, or the function that computes it of its parent's row. `ofSource`: what a write or a call left, which
 * is a name of the statement itself. A name without a schema would else be anything that search_path finds.
 */
function from({ s, names }: Statement, ofSource: boolean): void {
  s.expect(' FROM ');
  let name = '';
  if (ofSource) s.expect(QUOTED_SOURCE);
  else {
    name = s.qualified();
    if (s.take('(')) {
      s.identifier();
      s.expect('::');
      if (!names.computesFrom(name, s.qualified())) s.fail();
      s.expect(')');
    } else if (names.table(name) === undefined) s.fail();
  }
  if (s.take(' AS ')) s.identifier();
  // The junction of a many-to-many relationship.
  if (s.take(', ') && !names.isJunction(s.qualified(), name)) s.fail();
}

const counted = (statement: Statement): void => countQuery(statement, false);

/** One `1` for every row. */
export function countQuery(statement: Statement, ofSource: boolean): void {
  statement.s.expect('SELECT 1 ');
  from(statement, ofSource);
  where(statement, counted);
}

function selectItem(statement: Statement): void {
  const { s } = statement;
  if (s.take('pg_catalog.row_to_json(')) {
    s.identifier();
    s.expect('.*)::pg_catalog.jsonb AS ');
    s.identifier();
  } else if (s.take('COALESCE( ')) {
    s.identifier();
    s.expect('.');
    s.identifier();
    s.expect(", '[]') AS ");
    s.identifier();
  } else {
    selectedValue(statement);
    if (s.take(' AS ')) s.identifier();
  }
}

/** The rows of an embed as an array, and columns of a to-many spread. */
function aggregatedRows(statement: Statement): void {
  const { s } = statement;
  s.identifier();
  s.expect(')::pg_catalog.jsonb AS ');
  s.identifier();
  while (s.take(', COALESCE(pg_catalog.json_agg(')) {
    columnName(s);
    orderBy(s);
    s.expect("),'[]')::pg_catalog.jsonb AS ");
    s.identifier();
  }
  s.expect(' FROM (');
  readQuery(statement, false);
  s.expect(' ) AS ');
  s.identifier();
}

function lateralJoin(statement: Statement): void {
  const { s } = statement;
  s.nested(() => {
    if (s.take('SELECT pg_catalog.json_agg(')) aggregatedRows(statement);
    else readQuery(statement, false);
    s.expect(' ) AS ');
    s.identifier();
    s.expect(' ON ');
    if (s.take('TRUE')) return;
    s.identifier();
    s.expect(' IS NOT NULL');
  });
}

/** A relation with everything that is embedded in it. */
export function readQuery(statement: Statement, ofSource: boolean): void {
  const { s } = statement;
  s.expect('SELECT ');
  // Where nothing but empty embeds is selected, the list is empty.
  if (!s.looksAt(' FROM ')) s.list(', ', () => selectItem(statement));
  from(statement, ofSource);
  while (s.take(' INNER JOIN LATERAL ( ') || s.take(' LEFT JOIN LATERAL ( ')) lateralJoin(statement);
  where(statement, counted);
  if (s.take(' GROUP BY ')) s.list(', ', () => field(s));
  orderBy(s);
  limitOffset(s);
}
