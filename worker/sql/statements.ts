/** A plan becomes the statements of one flight: the main one, then what guards or completes it. */
import type { Statement } from '../../shared/hop/types.ts';
import type { Routine } from '../../shared/snapshot/types.ts';
import type { MutatePlan, Plan } from '../plan/types.ts';
import type { Preferences, RowRange } from '../request/types.ts';
import { bodyAggregate, ROWS, SOURCE } from './body.ts';
import { callQuery } from './call.ts';
import { COLUMN } from './columns.ts';
import { countQuery } from './count.ts';
import { estimate, explain } from './explain.ts';
import { type Guard, guardColumn, guardOf, guardStatement } from './guards.ts';
import { isPut, mutateQuery } from './mutate.ts';
import { isWhole } from './order.ts';
import { arrayLiteral, Parameters } from './parameters.ts';
import { readQuery } from './read.ts';
import { insertedRows, responseHeaders, responseStatus } from './settings.ts';

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
  const isPlan = plan.mediaType.kind === 'plan';
  const guard = isPlan ? null : guardFor(plan, facts.preferences);
  const text = mainText(plan, facts, guard, parameters);
  const main: Statement =
    plan.mediaType.kind === 'plan'
      ? { text: explain(plan.mediaType, text), parameters: parameters.values, result: { kind: 'lines' } }
      : { text, parameters: parameters.values, result: { kind: 'row', body: COLUMN.body } };
  if (guard !== null) return [main, guardStatement(guard)];
  const { count } = facts.preferences;
  if (plan.kind === 'read' && !isPlan && (count === 'planned' || count === 'estimated')) {
    return [main, estimate(plan.read)];
  }
  return [main];
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

const ROW_COUNT = `pg_catalog.count(${ROWS})`;

function mainText(plan: DatabasePlan, facts: Facts, guard: Guard | null, parameters: Parameters): string {
  switch (plan.kind) {
    case 'read': {
      const source = `WITH ${SOURCE} AS ( ${readQuery(plan.read, parameters)} )`;
      const [countCte, total] = totalCount(plan, facts, ROW_COUNT, parameters);
      const columns = standardColumns(total, ROW_COUNT, bodyAggregate(plan.handler, null), "''");
      return `${source}${countCte} SELECT ${columns} FROM ( SELECT * FROM ${SOURCE} ) ${ROWS}`;
    }
    case 'mutate': {
      const source = `WITH ${SOURCE} AS (${mutateQuery(plan.write, parameters)})`;
      const inserted = isUpsert(plan.write, facts.preferences) ? insertedRows : "''";
      const columns =
        standardColumns("''", ROW_COUNT, bodyAggregate(plan.handler, null), inserted) +
        locationColumn(plan.write, facts.preferences, parameters) +
        (guard === null ? '' : `, ${guardColumn(ROW_COUNT)}`);
      // Without a body nothing is selected by name: the write returned no such columns.
      const rows = plan.handler.kind === 'none' ? `SELECT * FROM ${SOURCE}` : readQuery(plan.read, parameters);
      return `${source} SELECT ${columns} FROM (${rows}) ${ROWS}`;
    }
    case 'call': {
      const source = `WITH ${SOURCE} AS (${callQuery(plan.call, parameters)})`;
      const page = pageCount(plan.routine);
      const [countCte, total] = totalCount(plan, facts, page, parameters);
      const columns =
        standardColumns(total, page, bodyAggregate(plan.handler, plan.routine), "''") +
        (guard === null ? '' : `, ${guardColumn(page)}`);
      return `${source}${countCte} SELECT ${columns} FROM (${readQuery(plan.read, parameters)}) ${ROWS}`;
    }
    default:
      return plan satisfies never;
  }
}

/** In the order of COLUMN. */
const standardColumns = (total: string, page: string, body: string, inserted: string): string =>
  `${total} AS total_result_set, ${page} AS page_total, ${body} AS body, ` +
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
  if (preferences.count !== 'exact' && preferences.count !== 'estimated') return ['', 'null::bigint'];
  if (maxRows === null && isWhole(topLevelRange)) return ['', page];
  let query = countQuery(plan.read, parameters);
  // One row beyond max-rows tells that an estimate will do.
  if (plan.kind === 'read' && preferences.count === 'estimated' && maxRows !== null) query += ` LIMIT ${maxRows + 1}`;
  return [`, ${SOURCE}_count AS (${query})`, `(SELECT pg_catalog.count(*) FROM ${SOURCE}_count)`];
}

const isUpsert = (write: MutatePlan, preferences: Preferences): boolean =>
  write.kind === 'insert' && (isPut(write) || preferences.resolution === 'merge-duplicates');

/** `, … AS location`: where the one inserted row is found, as JSON. */
function locationColumn(write: MutatePlan, preferences: Preferences, parameters: Parameters): string {
  if (write.kind !== 'insert' || preferences.representation !== 'headers-only') return '';
  const keys = parameters.bind(arrayLiteral(write.primaryKey));
  return (
    `, CASE WHEN ${ROW_COUNT} = 1 THEN (` +
    `WITH data AS (SELECT pg_catalog.row_to_json(_) AS row FROM ${SOURCE} AS _ LIMIT 1) ` +
    "SELECT pg_catalog.json_agg(json_data.key || '=' || COALESCE('eq.' || json_data.value, 'is.null')) " +
    'FROM data CROSS JOIN pg_catalog.json_each_text(data.row) AS json_data ' +
    `WHERE json_data.key = ANY (${keys}::pg_catalog.text[])) END AS location`
  );
}
