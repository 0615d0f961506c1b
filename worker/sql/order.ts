/** ORDER BY, LIMIT and OFFSET. */
import type { PlanOrder } from '../plan/types.ts';
import type { RowRange } from '../request/types.ts';
import { aliased, column, field, jsonPath, type Source } from './fields.ts';
import type { Parameters } from './parameters.ts';

function term(source: Source, order: PlanOrder, parameters: Parameters): string {
  let text: string;
  if (order.kind === 'field') text = field(source, order.field, parameters);
  else text = column(aliased(order.relation).text, order.field.name) + jsonPath(order.field.path, parameters);
  if (order.direction !== null) text += order.direction === 'asc' ? ' ASC' : ' DESC';
  if (order.nulls !== null) text += order.nulls === 'nullsfirst' ? ' NULLS FIRST' : ' NULLS LAST';
  return text;
}

/** ` ORDER BY …`, or nothing. */
export function orderBy(source: Source, order: readonly PlanOrder[], parameters: Parameters): string {
  return order.length === 0 ? '' : ` ORDER BY ${order.map((o) => term(source, o, parameters)).join(', ')}`;
}

/** Whether all rows are wanted. */
export const isWhole = (range: RowRange): boolean => range.limit === null && range.offset === 0n;

/** ` LIMIT … OFFSET …`, or nothing. Both are values: every page of a list has the same text. */
export function limitOffset(range: RowRange, parameters: Parameters): string {
  if (isWhole(range)) return '';
  const limit = range.limit === null ? 'ALL' : parameters.bind(range.limit.toString());
  return ` LIMIT ${limit} OFFSET ${parameters.bind(range.offset.toString())}`;
}
