/** A plan becomes the statements of one flight: the main one, then what guards or completes it. */
import type { ResultShape, Statement } from '../../shared/hop/types.ts';
import type { Routine } from '../../shared/snapshot/types.ts';
import { COLUMN, EARLY_BODY } from '../../shared/sql/columns.ts';
import { location, NOT_COUNTED, ROW_COUNT, ROWS, SOURCE, TOTAL_COUNT } from '../../shared/sql/fragments.ts';
import { insertedRows, leaveCount, responseHeaders, responseStatus } from '../../shared/sql/settings.ts';
import type { MutatePlan, Plan } from '../plan/types.ts';
import type { Preferences, RowRange } from '../request/types.ts';
import { bodyAggregate } from './body.ts';
import { callQuery } from './call.ts';
import { countQuery } from './count.ts';
import { estimate, explain } from './explain.ts';
import { type Guard, guardOf, guardStatement } from './guards.ts';
import { isPut, mutateQuery } from './mutate.ts';
import { isWhole } from './order.ts';
import { arrayLiteral, Parameters } from './parameters.ts';
import { readQuery } from './read.ts';

/** Plans that the database answers. */
export type DatabasePlan = Extract<Plan, { readonly kind: 'read' | 'mutate' | 'call' }>;

/** What of the request and the settings decides on the statements besides the plan. */
export interface Facts {
  readonly preferences: Preferences;
  readonly topLevelRange: RowRange;
  /** `db-max-rows` */
  readonly maxRows: number | null;
}

/**
 * Compiles a plan. The first statement is the main one: its row's columns are COLUMN, its body the answer's
 * (for the plan media type: lines of EXPLAIN). A guard, or an estimated count's EXPLAIN, follows as the second.
 */
export function compile(plan: DatabasePlan, facts: Facts): readonly Statement[] {
  const parameters = new Parameters();
  if (plan.mediaType.kind === 'plan') {
    const text = explain(plan.mediaType, mainText(plan, facts, explainedColumns, parameters));
    return [{ text, parameters: parameters.values, result: { kind: 'lines' } }];
  }
  const guard = guardFor(plan, facts.preferences);
  const columns = plan.handler.kind === 'custom' ? customColumns : rowColumns;
  const text = mainText(plan, facts, (values) => columns(values, guard !== null), parameters);
  const next = guard === null ? estimateFor(plan, facts.preferences) : guardStatement(guard);
  const main: Statement = { text, parameters: parameters.values, result: shapeOf(plan, next === null) };
  return next === null ? [main] : [main, next];
}

function shapeOf(plan: DatabasePlan, isAlone: boolean): ResultShape {
  // What a handler of the database makes may be of any type.
  if (plan.handler.kind === 'custom') return { kind: 'row', body: EARLY_BODY, binary: true };
  const onlyReads = plan.kind === 'read' || (plan.kind === 'call' && plan.access === 'read only');
  const streams = isAlone && onlyReads && plan.handler.kind !== 'none';
  return streams ? { kind: 'row', body: COLUMN.body, stream: true } : { kind: 'row', body: COLUMN.body };
}

function estimateFor(plan: DatabasePlan, { count }: Preferences): Statement | null {
  return plan.kind === 'read' && (count === 'planned' || count === 'estimated') ? estimate(plan.read) : null;
}

/** Reads need no guard: their number of rows is looked at afterwards. */
function guardFor(plan: DatabasePlan, preferences: Preferences): Guard | null {
  const one = plan.mediaType.kind === 'singular' ? 'PGRST116' : null;
  switch (plan.kind) {
    case 'read':
      return null;
    case 'mutate':
      if (plan.mutation === 'single-upsert') return guardOf('PGRST115', null);
      return guardOf(one, plan.mutation === 'create' ? null : preferences);
    case 'call':
      return plan.access === 'read only' || !plan.routine.returns.set ? null : guardOf(one, preferences);
    default:
      return plan satisfies never;
  }
}

/** The main row's values as SQL. */
interface Values {
  readonly total: string;
  readonly page: string;
  readonly body: string;
  readonly inserted: string;
  /** Null where there can be none. */
  readonly location: string | null;
  readonly isWrite: boolean;
}

const NO_UPSERT = "''";
const NO_VALUE = 'null';

function mainText(
  plan: DatabasePlan,
  facts: Facts,
  columns: (values: Values) => string,
  parameters: Parameters,
): string {
  switch (plan.kind) {
    case 'read': {
      const source = `WITH ${SOURCE} AS ( ${readQuery(plan.read, parameters)} )`;
      const [countCte, total] = totalCount(plan, facts, ROW_COUNT, parameters);
      const body = bodyAggregate(plan.handler, null);
      const values = { total, page: ROW_COUNT, body, inserted: NO_UPSERT, location: null, isWrite: false };
      return `${source}${countCte} SELECT ${columns(values)} FROM ( SELECT * FROM ${SOURCE} ) ${ROWS}`;
    }
    case 'mutate': {
      const source = `WITH ${SOURCE} AS (${mutateQuery(plan.write, parameters)})`;
      const values = {
        total: "''",
        page: ROW_COUNT,
        body: bodyAggregate(plan.handler, null),
        inserted: isUpsert(plan.write, facts.preferences) ? insertedRows : NO_UPSERT,
        location: locationOf(plan.write, facts.preferences, parameters),
        isWrite: true,
      };
      // Without a body nothing is selected by name: the write returned no such columns.
      const rows = plan.handler.kind === 'none' ? `SELECT * FROM ${SOURCE}` : readQuery(plan.read, parameters);
      return `${source} SELECT ${columns(values)} FROM (${rows}) ${ROWS}`;
    }
    case 'call': {
      const source = `WITH ${SOURCE} AS (${callQuery(plan.call, parameters)})`;
      const page = pageCount(plan.routine);
      const [countCte, total] = totalCount(plan, facts, page, parameters);
      const body = bodyAggregate(plan.handler, plan.routine);
      const values = { total, page, body, inserted: NO_UPSERT, location: null, isWrite: false };
      return `${source}${countCte} SELECT ${columns(values)} FROM (${readQuery(plan.read, parameters)}) ${ROWS}`;
    }
    default:
      return plan satisfies never;
  }
}

/** In the order of COLUMN. */
const rowColumns = ({ total, page, inserted, location, body }: Values, guarded: boolean): string =>
  `${total} AS total_result_set, ${page} AS page_total, ${inserted} AS response_inserted, ` +
  `${location ?? NO_VALUE} AS location, ${guarded ? leaveCount(page) : NO_VALUE} AS guard, ` +
  `${responseHeaders} AS response_headers, ${responseStatus} AS response_status, ${body} AS body`;

/** The same with the body at EARLY_BODY. The row comes in binary format, where the bytes of text are the text. */
function customColumns({ total, page, inserted, location, body }: Values, guarded: boolean): string {
  const text = (value: string): string => `(${value})::pg_catalog.text`;
  return (
    `${text(total)} AS total_result_set, ${text(page)} AS page_total, ${text(inserted)} AS response_inserted, ` +
    `${text(location ?? NO_VALUE)} AS location, ${body} AS body, ${responseHeaders} AS response_headers, ` +
    `${responseStatus} AS response_status, ${guarded ? leaveCount(page) : NO_VALUE} AS guard`
  );
}

/** What EXPLAIN shows is compared with PostgREST's by position. */
const explainedColumns = ({ total, page, inserted, location, body, isWrite }: Values): string =>
  `${total} AS total_result_set, ${page} AS page_total, ` +
  `${isWrite ? `${location ?? 'ARRAY[]::pg_catalog.text[]'} AS header, ` : ''}${body} AS body, ` +
  `${responseHeaders} AS response_headers, ${responseStatus} AS response_status, ${inserted} AS response_inserted`;

// A function that returns no set has one result, be it null.
const pageCount = (routine: Routine): string => (routine.returns.set ? ROW_COUNT : '1');

/** The CTE that counts all rows, where the page is not the whole, and the expression of the total. */
function totalCount(
  plan: Extract<DatabasePlan, { readonly kind: 'read' | 'call' }>,
  { preferences, maxRows, topLevelRange }: Facts,
  page: string,
  parameters: Parameters,
): readonly [string, string] {
  if (preferences.count !== 'exact' && preferences.count !== 'estimated') return ['', NOT_COUNTED];
  if (maxRows === null && isWhole(topLevelRange)) return ['', page];
  let query = countQuery(plan.read, parameters);
  // One row beyond max-rows tells that an estimate will do.
  if (plan.kind === 'read' && preferences.count === 'estimated' && maxRows !== null) query += ` LIMIT ${maxRows + 1}`;
  return [`, ${SOURCE}_count AS (${query})`, TOTAL_COUNT];
}

const isUpsert = (write: MutatePlan, preferences: Preferences): boolean =>
  write.kind === 'insert' && (isPut(write) || preferences.resolution === 'merge-duplicates');

/** The location of the one inserted row, where it is asked for. */
function locationOf(write: MutatePlan, preferences: Preferences, parameters: Parameters): string | null {
  if (write.kind !== 'insert' || preferences.representation !== 'headers-only') return null;
  return location(parameters.bind(arrayLiteral(write.primaryKey)));
}
