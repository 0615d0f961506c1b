/** Orders by fields and by fields of embedded to-one relations. */
import { isToOne, type Relationship } from '../../shared/snapshot/types.ts';
import type { OrderTerm } from '../request/types.ts';
import type { ColumnIndex } from './columns.ts';
import { notEmbedded, relatedOrderNotToOne } from './errors.ts';
import { orderField } from './fields.ts';
import type { NamedEmbed } from './filters.ts';
import { answerName } from './levels.ts';
import type { PlanOrder } from './types.ts';

/** Terms on columns. A related order still names its embed as the request does: `withRelatedOrders` follows. */
export const planOrder = (columns: ColumnIndex | null, terms: readonly OrderTerm[]): readonly PlanOrder[] =>
  terms.map((term) => {
    const { direction, nulls } = term;
    return term.kind === 'relation'
      ? { kind: 'relation', relation: term.relation, field: term.field, direction, nulls }
      : { kind: 'field', field: orderField(columns, term.field), direction, nulls };
  });

/**
 * Related orders by the aliases of what is embedded in `origin`. Throws PGRST108 when a relation is not embedded and
 * PGRST118 when it has many rows.
 */
export function withRelatedOrders(
  order: readonly PlanOrder[],
  origin: string,
  embeds: readonly (NamedEmbed & { readonly toParent: Relationship })[],
): readonly PlanOrder[] {
  if (!order.some((term) => term.kind === 'relation')) return order;
  return order.map((term) => {
    if (term.kind === 'field') return term;
    const embed = embeds.find((e) => answerName(e) === term.relation);
    if (!embed) throw notEmbedded(term.relation, null);
    if (!isToOne(embed.toParent)) throw relatedOrderNotToOne(origin, answerName(embed));
    return { ...term, relation: embed.aggregateAlias };
  });
}
