/** The main statement's row as numbers, and the total that the client asked for. */
import type { StatementResult, TransactionResult } from '../../shared/hop/types.ts';
import { COLUMN } from '../../shared/sql/columns.ts';
import type { Preferences } from '../request/types.ts';
import type { DatabasePlan } from '../sql/statements.ts';

const NOTHING: StatementResult = { rows: 0, columns: [] };

/** The main statement's result; a HEAD of a call whose only row was filtered away has none. */
export const mainResult = (result: TransactionResult): StatementResult => result.statements[0] ?? NOTHING;

/** A column of the main row as text; null too where there is no row. */
export const columnOf = (main: StatementResult, index: number): string | null => main.columns[index] ?? null;

/** A number of rows. '' stands for "does not apply" and counts as none. */
const number = (text: string | null): bigint | null => (text === null ? null : BigInt(text));

/** Rows of the answer. */
export const pageTotal = (main: StatementResult): bigint => number(columnOf(main, COLUMN.page)) ?? 0n;

/** Rows that an upsert inserted; null when none of its rows was looked at. */
export const insertedTotal = (main: StatementResult): bigint | null => number(columnOf(main, COLUMN.inserted));

/** All rows of the read or call; null when nobody asked. */
export function tableTotal(
  plan: DatabasePlan,
  preferences: Preferences,
  maxRows: number | null,
  result: TransactionResult,
): bigint | null {
  const main = mainResult(result);
  if (main.rows === 0) return plan.kind === 'call' ? 0n : null;
  const counted = number(columnOf(main, COLUMN.total));
  if (plan.kind !== 'read') return counted;
  switch (preferences.count) {
    case 'planned':
      return planRows(result);
    case 'estimated': {
      if (counted === null || (maxRows !== null && counted <= BigInt(maxRows))) return counted;
      const planned = planRows(result);
      return planned === null || counted > planned ? counted : planned;
    }
    default:
      return counted;
  }
}

/** The planner's guess in the second statement's EXPLAIN. */
function planRows(result: TransactionResult): bigint | null {
  const text = result.statements[1]?.columns[0];
  if (typeof text !== 'string') return null;
  const document: unknown = JSON.parse(text);
  const root: unknown = Array.isArray(document) ? document[0] : null;
  const rows = property(property(root, 'Plan'), 'Plan Rows');
  return typeof rows === 'number' && Number.isFinite(rows) ? BigInt(Math.trunc(rows)) : null;
}

function property(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.entries(value).find(([key]) => key === name)?.[1];
}
