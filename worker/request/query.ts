/** The query parameters: which of them mean what, in PostgREST's order of errors. */

import { columnNames } from './columns.ts';
import { treePath } from './field.ts';
import { filterExpression, filterOrArgument } from './filter.ts';
import { logicPath, logicTree } from './logic.ts';
import { orderTerms } from './order.ts';
import { parseText } from './parsec.ts';
import { canonicalQuery, parseQueryString, type QueryPair } from './query-string.ts';
import { type LimitParameters, limitParameters } from './range.ts';
import { selectAll, selectItems } from './select.ts';
import { decodeByteString, sortedSet } from './text.ts';
import type { EmbedPath, Field, QueryParams } from './types.ts';

type Parameter = readonly [key: string, value: string];

/** The parameters of a query by their kind, unparsed. */
interface SortedParameters {
  select: string | null;
  columns: string | null;
  onConflict: string | null;
  readonly order: Parameter[];
  readonly logic: Parameter[];
  readonly limits: Parameter[];
  readonly offsets: Parameter[];
  readonly filters: Parameter[];
}

function sortParameters(pairs: readonly QueryPair[]): SortedParameters {
  const sorted: SortedParameters = {
    select: null,
    columns: null,
    onConflict: null,
    order: [],
    logic: [],
    limits: [],
    offsets: [],
    filters: [],
  };
  // The first of these counts, even when it has no value.
  const seen = new Set<string>();
  for (const [rawKey, rawValue] of pairs) {
    const key = decodeByteString(rawKey);
    const value = rawValue === null ? null : decodeByteString(rawValue);
    if (key === 'select' || key === 'columns' || key === 'on_conflict') {
      if (seen.has(key)) continue;
      seen.add(key);
      if (key === 'select') sorted.select = value;
      else if (key === 'columns') sorted.columns = value;
      else sorted.onConflict = value;
      continue;
    }
    if (value === null) continue;
    switch (key.slice(key.lastIndexOf('.') + 1)) {
      case 'order':
        sorted.order.push([key, value]);
        break;
      case 'limit':
        sorted.limits.push([key, value]);
        break;
      case 'offset':
        sorted.offsets.push([key, value]);
        break;
      case 'and':
      case 'or':
        sorted.logic.push([key, value]);
        break;
      default:
        sorted.filters.push([key, value]);
    }
  }
  return sorted;
}

const parseTreePath = (key: string): { readonly path: EmbedPath; readonly field: Field } =>
  parseText(treePath, key, 'tree path');

function parseOrder([key, value]: Parameter): QueryParams['order'][number] {
  const { path } = parseTreePath(key);
  return { path, terms: parseText(orderTerms, value, 'order') };
}

function parseLogic([key, value]: Parameter): QueryParams['logic'][number] {
  const { path, operator } = parseText(logicPath, key, 'logic path');
  return { path, tree: parseText(logicTree, operator + value, 'logic tree', value) };
}

const NO_LIMITS: LimitParameters = new Map();

/** The query without its ranges, which need the Range header too: those come as `limits`. */
export interface ParsedQuery {
  readonly params: Omit<QueryParams, 'ranges'>;
  readonly limits: LimitParameters;
}

/**
 * Parses a raw query string. With `hasArguments` (GET and HEAD of a routine), a parameter without operator is an argument.
 * Throws PGRST100.
 */
export function parseQuery(query: string, hasArguments: boolean): ParsedQuery {
  const pairs = parseQueryString(query);
  const sorted = sortParameters(pairs);

  const order = sorted.order.map(parseOrder);
  const logic = sorted.logic.map(parseLogic);
  const columns =
    sorted.columns === null ? null : sortedSet(parseText(columnNames, sorted.columns, 'columns parameter'));
  const select = sorted.select === null ? selectAll : parseText(selectItems, sorted.select, 'select parameter');
  const filters: QueryParams['filters'][number][] = [];
  const params: QueryParams['params'][number][] = [];
  for (const [key, value] of sorted.filters) {
    const { path, field } = parseTreePath(key);
    const expression = parseText(hasArguments ? filterOrArgument : filterExpression, value, 'filter');
    if (expression === null) params.push([field.name, value]);
    else filters.push({ path, filter: { field, expression } });
  }
  const onConflict =
    sorted.onConflict === null ? null : parseText(columnNames, sorted.onConflict, 'on_conflict parameter');

  return {
    params: {
      canonical: canonicalQuery(pairs),
      params,
      order,
      logic,
      columns,
      select,
      filters,
      filterFields: sortedSet(sorted.filters.map(([key]) => key)),
      onConflict,
    },
    limits:
      sorted.limits.length + sorted.offsets.length === 0 ? NO_LIMITS : limitParameters(sorted.limits, sorted.offsets),
  };
}
