/** INSERT, UPDATE and DELETE: what worker/sql/mutate.ts writes. */
import type { Table } from '../../shared/snapshot/types.ts';
import { BODY } from '../../shared/sql/fragments.ts';
import { countInserted, countUpdated } from '../../shared/sql/settings.ts';
import { columnName, condition, type Statement, where } from './conditions.ts';
import { type PayloadColumns, payloadRows } from './payload.ts';

/** In the conditions of a write no relation is counted. */
const noCount = ({ s }: Statement): never => s.fail();

function target({ s, names }: Statement): Table {
  return names.table(s.qualified()) ?? s.fail();
}

/** A column that the table has. */
function payloadColumn({ s, names }: Statement, table: Table): PayloadColumns[number] {
  const name = s.identifier();
  return [name, names.columns(table).get(name) ?? s.fail()];
}

function returning({ s }: Statement): void {
  s.expect(' RETURNING ');
  if (!s.take('1')) s.list(', ', () => columnName(s));
}

function insert(statement: Statement): void {
  const { s } = statement;
  const table = target(statement);
  const columns: PayloadColumns[number][] = [];
  if (s.take('(')) {
    s.list(', ', () => columns.push(payloadColumn(statement, table)));
    s.expect(')');
  }
  s.expect(` SELECT ${columns.map(([name]) => `${BODY}.${name}`).join(', ')} FROM `);
  payloadRows(statement, columns);
  if (s.take(` WHERE ${countInserted}`)) while (s.take(' AND ')) condition(statement, noCount);
  if (s.take(' ON CONFLICT(')) {
    s.list(', ', () => s.identifier());
    s.expect(') DO ');
    const assignments = columns.map(([name]) => `${name} = EXCLUDED.${name}`).join(', ');
    if (!s.take('NOTHING')) s.expect(`UPDATE SET ${assignments} WHERE ${countUpdated}`);
  }
  returning(statement);
}

function update(statement: Statement): void {
  const { s } = statement;
  const table = target(statement);
  const columns: PayloadColumns[number][] = [];
  s.expect(' SET ');
  s.list(', ', () => {
    const column = payloadColumn(statement, table);
    s.expect(` = ${BODY}.${column[0]}`);
    columns.push(column);
  });
  s.expect(' FROM ');
  payloadRows(statement, columns);
  where(statement, noCount);
  returning(statement);
}

/** A write, if there is one next. */
export function write(statement: Statement): boolean {
  const { s } = statement;
  if (s.take('INSERT INTO ')) insert(statement);
  else if (s.take('UPDATE ')) update(statement);
  else if (s.take('DELETE FROM ')) {
    target(statement);
    where(statement, noCount);
    returning(statement);
  } else return false;
  return true;
}

/** An UPDATE that changes nothing, after its SELECT. */
export function emptyUpdate(statement: Statement): void {
  const { s } = statement;
  if (!s.take('NULL')) s.list(', ', () => columnName(s));
  s.expect(' FROM ');
  target(statement);
  s.expect(' WHERE false');
}
