/** Inserts, updates, upserts of one row and deletes. */
import type { Table } from '../../shared/snapshot/types.ts';
import type { QualifiedIdentifier } from '../../shared/sql/identifiers.ts';
import type { ApiRequest, Mutation } from '../request/types.ts';
import type { ColumnIndex } from './columns.ts';
import { invalidUpsertFilters, noColumn } from './errors.ts';
import { payloadField } from './fields.ts';
import { planFilter, planLogic } from './filters.ts';
import { returningColumns } from './returning.ts';
import type { CoercibleField, MutatePlan, PayloadSource, PlanLogic, ReadPlan } from './types.ts';

/**
 * The write of a request on a table, whose answer `read` describes. Throws PGRST204 for a column that the table has
 * not, PGRST105 for a PUT whose filters are not exactly its key.
 */
export function planMutation(
  request: ApiRequest,
  mutation: Mutation,
  target: QualifiedIdentifier,
  columns: ColumnIndex,
  read: ReadPlan,
): MutatePlan {
  const { preferences, query } = request;
  const { primaryKey } = columns.table;
  const returns = preferences.representation === 'representation' || preferences.representation === 'headers-only';
  const returning = returns ? returningColumns(read, primaryKey) : [];
  const applyDefaults = preferences.missing === 'default';
  switch (mutation) {
    case 'create':
      return {
        kind: 'insert',
        target,
        columns: payloadColumns(request, columns),
        payload: payloadSource(request),
        onConflict:
          preferences.resolution === null
            ? null
            : { resolution: preferences.resolution, columns: query.onConflict ?? primaryKey },
        where: [],
        returning,
        primaryKey,
        applyDefaults,
      };
    case 'update':
      return {
        kind: 'update',
        target,
        columns: payloadColumns(request, columns),
        payload: payloadSource(request),
        where: conditions(request, columns),
        returning,
        applyDefaults,
      };
    case 'single-upsert':
      if (!filtersAreKey(request, columns.table)) throw invalidUpsertFilters();
      return {
        kind: 'insert',
        target,
        columns: payloadColumns(request, columns),
        payload: payloadSource(request),
        onConflict: { resolution: 'merge-duplicates', columns: primaryKey },
        where: conditions(request, columns),
        returning,
        primaryKey: [],
        applyDefaults: false,
      };
    case 'delete':
      return { kind: 'delete', target, where: conditions(request, columns), returning };
    default:
      return mutation satisfies never;
  }
}

function payloadColumns(request: ApiRequest, columns: ColumnIndex): readonly CoercibleField[] {
  return request.columns.map((name) => {
    const field = payloadField(columns, name);
    if (!field) throw noColumn(columns.table.name, name);
    return field;
  });
}

function payloadSource({ payload }: ApiRequest): PayloadSource {
  const isObject = (payload?.kind === 'json' || payload?.kind === 'raw-json') && payload.isObject;
  return { kind: 'json', isObject };
}

/**
 * The rows to be written. Logic trees count whatever level they address, as in PostgREST: `embed.or=(…)` restricts the
 * write as well as the embed.
 */
function conditions({ query }: ApiRequest, columns: ColumnIndex): readonly PlanLogic[] {
  const filters = query.filters.filter(({ path }) => path.length === 0);
  return [
    ...filters.map(({ filter }) => planFilter(columns, filter)),
    ...query.logic.map(({ tree }) => planLogic(columns, tree)),
  ];
}

/** PUT addresses one row: `eq` on each column of the primary key and nothing else. */
function filtersAreKey({ query }: ApiRequest, { primaryKey }: Table): boolean {
  const names = new Set(query.filterFields);
  return (
    primaryKey.length > 0 &&
    query.logic.length === 0 &&
    names.size === new Set(primaryKey).size &&
    primaryKey.every((column) => names.has(column)) &&
    query.filters.every(
      ({ path, filter: { field, expression } }) =>
        path.length === 0 &&
        field.path.length === 0 &&
        !expression.negated &&
        expression.operation.kind === 'quant' &&
        expression.operation.operator === 'eq' &&
        expression.operation.quantifier === null,
    )
  );
}
