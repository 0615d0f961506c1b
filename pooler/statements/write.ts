/** INSERT, UPDATE and DELETE: what worker/sql/mutate.ts writes. */
import type { Table } from '../../shared/snapshot/types.ts';
import { BODY } from '../../shared/sql/fragments.ts';
import { countInserted, countUpdated } from '../../shared/sql/settings.ts';
import { columnName, condition, type Statement, where } from './conditions.ts';
import type { PayloadColumn } from './names.ts';
import { once, payloadRows } from './payload.ts';

const INSERTS = ['POST', 'PUT'];
const UPDATES = ['PATCH'];
const DELETES = ['DELETE'];

/** In the conditions of a write no relation is counted. */
const noCount = ({ s }: Statement): never => s.fail();

function target({ s, names }: Statement): Table {
  return names.table(s.qualified()) ?? s.fail();
}

/** A column that the table has, of which there was none before. */
function payloadColumn({ s, names }: Statement, table: Table, columns: Map<string, PayloadColumn>): string {
  const name = s.identifier();
  once(s, name, columns);
  columns.set(name, names.columns(table).get(name) ?? s.fail());
  return name;
}

function returning(statement: Statement): void {
  const { s } = statement;
  s.expect(' RETURNING ');
  if (!s.take('1')) s.list(', ', () => columnName(statement));
}

function insert(statement: Statement): Table {
  const { s } = statement;
  const table = target(statement);
  const columns = new Map<string, PayloadColumn>();
  if (s.take('(')) {
    s.list(', ', () => payloadColumn(statement, table, columns));
    s.expect(')');
  }
  s.expect(` SELECT ${[...columns.keys()].map((name) => `${BODY}.${name}`).join(', ')} FROM `);
  payloadRows(statement, columns);
  if (s.take(` WHERE ${countInserted}`)) while (s.take(' AND ')) condition(statement, noCount);
  if (s.take(' ON CONFLICT(')) {
    s.list(', ', () => s.identifier());
    s.expect(') DO ');
    const assignments = [...columns.keys()].map((name) => `${name} = EXCLUDED.${name}`).join(', ');
    if (!s.take('NOTHING')) s.expect(`UPDATE SET ${assignments} WHERE ${countUpdated}`);
  }
  returning(statement);
  return table;
}

function update(statement: Statement): Table {
  const { s } = statement;
  const table = target(statement);
  const columns = new Map<string, PayloadColumn>();
  s.expect(' SET ');
  s.list(', ', () => {
    const name = payloadColumn(statement, table, columns);
    s.expect(` = ${BODY}.${name}`);
  });
  s.expect(' FROM ');
  payloadRows(statement, columns);
  where(statement, noCount);
  returning(statement);
  return table;
}

/** What is written, and the methods of requests for it. */
export interface Written {
  readonly table: Table;
  readonly methods: readonly string[];
}

/** A write; null where there is none next. */
export function write(statement: Statement): Written | null {
  const { s } = statement;
  if (s.take('INSERT INTO ')) return { table: insert(statement), methods: INSERTS };
  if (s.take('UPDATE ')) return { table: update(statement), methods: UPDATES };
  if (!s.take('DELETE FROM ')) return null;
  const table = target(statement);
  where(statement, noCount);
  returning(statement);
  return { table, methods: DELETES };
}

/** An UPDATE that changes nothing, after its SELECT. */
export function emptyUpdate(statement: Statement): Written {
  const { s } = statement;
  if (!s.take('NULL')) s.list(', ', () => columnName(statement));
  s.expect(' FROM ');
  const table = target(statement);
  s.expect(' WHERE false');
  return { table, methods: UPDATES };
}
