/** What embedded relations add to their parent's select list, and what spreading does to aggregates and orders. */
import { isToOne } from '../../shared/snapshot/types.ts';
import { toManySpreadAggregate } from './errors.ts';
import { unknownField } from './fields.ts';
import { answerName } from './levels.ts';
import type { PlanOrder, ReadPlan, RelationSelect, SelectField, SpreadField, SpreadKind } from './types.ts';

const plain = (name: string): SpreadField => ({ name, aggregate: null, aggregateCast: null, alias: null });

/** Nothing is selected in it nor in what it embeds: `rel()`, which only filters or orders. */
const isEmpty = (read: ReadPlan): boolean => read.select.length === 0 && read.children.every(isEmpty);

function spreadFields(read: ReadPlan): readonly SpreadField[] {
  const own = read.select.map((s) => plain(s.alias ?? s.field.name));
  const embedded = read.relationSelect.flatMap((r) => (r.kind === 'json' ? [plain(r.name)] : r.fields));
  return [...own, ...embedded];
}

/** The entry of an embedded relation in its parent's select list. */
export function relationSelect(read: ReadPlan): RelationSelect {
  const { relation } = read;
  if (relation.spread) return { kind: 'spread', fields: spreadFields(read), alias: relation.aggregateAlias };
  return {
    kind: 'json',
    name: answerName(relation),
    alias: relation.aggregateAlias,
    mode: relation.toParent && isToOne(relation.toParent) ? 'object' : 'array',
    empty: isEmpty(read),
  };
}

/** An aggregate on its way up, found again by the alias of the relation and the field's name there. */
interface HoistedAggregate {
  readonly relation: string;
  readonly field: string;
  readonly aggregate: SpreadField['aggregate'];
  readonly aggregateCast: string | null;
  readonly alias: string | null;
}

interface Hoisted {
  readonly read: ReadPlan;
  readonly aggregates: readonly HoistedAggregate[];
}

/**
 * Lifts the aggregates of to-one spreads to the relation that they are spread into at last: grouped by that one's
 * fields they mean something, within the joined row they would not.
 */
export const hoistAggregates = (read: ReadPlan): ReadPlan => hoist(read).read;

function hoist(read: ReadPlan): Hoisted {
  const { relation, children } = read;
  const hoisted = children.map(hoist);
  const fromChildren = hoisted.flatMap(({ aggregates }) => aggregates);
  const isToOneSpread = relation.spread?.kind === 'to-one';
  if (isToOneSpread) {
    const own = read.select.flatMap((s) =>
      s.aggregate === null ? [] : [hoistedAggregate(relation.aggregateAlias, s)],
    );
    const select = own.length === 0 ? read.select : read.select.map(withoutAggregate);
    const lifted = fromChildren.map((a) => ({ ...a, relation: relation.aggregateAlias }));
    return { read: { ...read, select, children: hoisted.map((h) => h.read) }, aggregates: [...own, ...lifted] };
  }
  if (children.length === 0) return { read, aggregates: [] };
  const select = read.relationSelect.map((r) => (r.kind === 'spread' ? withAggregates(r, fromChildren) : r));
  return { read: { ...read, relationSelect: select, children: hoisted.map((h) => h.read) }, aggregates: [] };
}

const hoistedAggregate = (relation: string, s: SelectField): HoistedAggregate => ({
  relation,
  field: s.alias ?? s.field.name,
  aggregate: s.aggregate,
  aggregateCast: s.aggregateCast,
  alias: s.alias,
});

const withoutAggregate = (s: SelectField): SelectField => ({ ...s, aggregate: null, aggregateCast: null });

function withAggregates(
  spread: Extract<RelationSelect, { kind: 'spread' }>,
  aggregates: readonly HoistedAggregate[],
): RelationSelect {
  const fields = spread.fields.map((f) => {
    const found = aggregates.find((a) => a.relation === spread.alias && a.field === f.name);
    if (!found) return f;
    return { name: f.name, aggregate: found.aggregate, aggregateCast: found.aggregateCast, alias: found.alias };
  });
  return { ...spread, fields };
}

/**
 * The order of a to-many spread moves into the aggregation of each field, so what it orders by is selected besides,
 * under aliases of its own. Throws PGRST127 when the relation has aggregates.
 */
export function withToManyOrders(read: ReadPlan): ReadPlan {
  const { relation } = read;
  if (relation.spread?.kind === 'to-many') {
    const aggregated =
      read.select.some((s) => s.aggregate !== null) ||
      read.relationSelect.some((r) => r.kind === 'spread' && r.fields.some((f) => f.aggregate !== null));
    if (aggregated) throw toManySpreadAggregate();
    const spread = orderedSpread(relation.aggregateAlias, read.order);
    return { ...read, order: [], relation: { ...relation, spread }, children: read.children.map(withToManyOrders) };
  }
  if (read.children.length === 0) return read;
  return { ...read, children: read.children.map(withToManyOrders) };
}

function orderedSpread(relationAlias: string, terms: readonly PlanOrder[]): SpreadKind {
  const ordered = terms.map((term, i) => {
    const alias = `${relationAlias}_${term.field.name}_${i + 1}`;
    const field = term.kind === 'field' ? term.field : unknownField(term.field.name, term.field.path);
    const order: PlanOrder = {
      kind: 'field',
      field: unknownField(alias),
      direction: term.direction,
      nulls: term.nulls,
    };
    return {
      select: {
        relation: term.kind === 'relation' ? term.relation : null,
        field: { field, aggregate: null, aggregateCast: null, cast: null, alias },
      },
      order,
    };
  });
  return {
    kind: 'to-many',
    extraSelect: ordered.map(({ select }) => select),
    order: ordered.map(({ order }) => order),
  };
}
