/** The read of a relation: a tree with one node for each relation of the select, each knowing how it is joined. */
import type { Schema } from '../../shared/snapshot/schema.ts';
import { isToOne, type Relationship } from '../../shared/snapshot/types.ts';
import { type QualifiedIdentifier, qualified } from '../../shared/sql/identifiers.ts';
import type { ApiRequest } from '../request/types.ts';
import { columnIndex } from './columns.ts';
import { aggregatesNotAllowed } from './errors.ts';
import { planFilter, planLogic, withNullEmbeds } from './filters.ts';
import { type Level, levelAt, levelsOf } from './levels.ts';
import { planOrder, withRelatedOrders } from './order.ts';
import { boundedRange, rangesInOrder } from './ranges.ts';
import { findRelationship, joinConditions } from './relationships.ts';
import { expandStars, withAliases } from './select.ts';
import { hoistAggregates, relationSelect, withToManyOrders } from './spreads.ts';
import type { JoinCondition, ReadPlan, SpreadKind } from './types.ts';

/** What a write or a function's call leaves behind for the read: a common table expression of this name. */
const SOURCE: QualifiedIdentifier = qualified('', 'pgrst_source');

const TO_ONE: SpreadKind = { kind: 'to-one' };
const TO_MANY: SpreadKind = { kind: 'to-many', extraSelect: [], order: [] };

/**
 * The read of `id`: the request's own for a read, of its result for a write or a call. Throws PGRST108, 118, 123, 127,
 * 200 and 201.
 */
export function planRead(request: ApiRequest, schema: Schema, id: QualifiedIdentifier): ReadPlan {
  const { settings } = schema.snapshot;
  const root = levelsOf(schema, id, request.query.select);
  addressLevels(root, request, settings.urlUseLegacyTargetNames);
  const { kind } = request.action;
  const maxRows = kind === 'mutate' || settings.dbMaxRows === null ? null : BigInt(settings.dbMaxRows);
  const read = build(schema, relatedRoot(schema, id, root, kind === 'mutate' || kind === 'call'), maxRows, false);
  if (!settings.dbAggregatesEnabled && hasAggregates(read)) throw aggregatesNotAllowed();
  return read.children.length === 0 ? read : withToManyOrders(hoistAggregates(read));
}

/**
 * Puts filters, orders, ranges and logic trees where they belong. Each kind is taken from its last to its first, so
 * that of several wrong ones the last is reported and of several orders of a level the first holds, as in PostgREST.
 */
function addressLevels(root: Level, request: ApiRequest, legacyTargetNames: boolean): void {
  const { query, action } = request;
  // The root's filters of a write choose the rows to be written, not those of the answer.
  const filtersRoot = action.kind === 'read' || action.kind === 'call';
  for (const { path, filter } of query.filters.toReversed()) {
    if (path.length === 0 && !filtersRoot) continue;
    const level = levelAt(root, path, legacyTargetNames);
    level.where.push(planFilter(level.columns, filter));
  }
  for (const { path, terms } of query.order.toReversed()) {
    // Types are those of the root's columns on every level, as in PostgREST; it shows in json paths only.
    levelAt(root, path, legacyTargetNames).order = planOrder(root.columns, terms);
  }
  if (action.kind !== 'mutate') {
    for (const { path, range } of rangesInOrder(request.ranges).toReversed()) {
      levelAt(root, path, legacyTargetNames).range = range;
    }
  }
  for (const { path, tree } of query.logic.toReversed()) {
    if (path.length === 0 && !filtersRoot) continue;
    const level = levelAt(root, path, legacyTargetNames);
    level.where.push(planLogic(level.columns, tree));
  }
}

/** A level whose relationship to its parent is known. */
interface Related {
  readonly level: Level;
  readonly name: string;
  readonly alias: string | null;
  readonly from: QualifiedIdentifier;
  readonly fromAlias: string | null;
  readonly aggregateAlias: string;
  readonly joinConditions: readonly JoinCondition[];
  readonly children: readonly RelatedChild[];
}

interface RelatedChild extends Related {
  readonly toParent: Relationship;
}

function relatedRoot(schema: Schema, id: QualifiedIdentifier, level: Level, fromSource: boolean): Related {
  const from = fromSource ? SOURCE : id;
  const fromAlias = fromSource ? id.name : null;
  return {
    level,
    name: level.name,
    alias: null,
    from,
    fromAlias,
    aggregateAlias: '',
    joinConditions: [],
    children: level.children.map((child) => related(schema, id.schema, child, id.name, fromAlias)),
  };
}

function related(
  schema: Schema,
  schemaName: string,
  level: Level,
  origin: string,
  parentAlias: string | null,
): RelatedChild {
  const { name, alias, depth } = level;
  const found = findRelationship(schema, schemaName, origin, name, level.hint);
  const target = found.foreignTable;
  const isJunction = found.kind === 'detected' && found.cardinality.kind === 'many-to-many';
  const fromAlias = isJunction ? null : `${target.name}_${depth}`;
  return {
    level,
    name,
    alias,
    from: target,
    fromAlias,
    aggregateAlias: `${found.table.name}_${alias ?? name}_${depth}`,
    joinConditions: joinConditions(found, fromAlias, parentAlias),
    toParent:
      found.kind === 'computed' && parentAlias !== null ? { ...found, tableAlias: qualified('', parentAlias) } : found,
    children: level.children.map((child) => related(schema, schemaName, child, target.name, fromAlias)),
  };
}

const spreadKind = (toParent: Relationship): SpreadKind => (isToOne(toParent) ? TO_ONE : TO_MANY);

function build(
  schema: Schema,
  node: Related | RelatedChild,
  maxRows: bigint | null,
  aggregatedAbove: boolean,
): ReadPlan {
  const { level, from } = node;
  const toParent = 'toParent' in node ? node.toParent : null;
  const spread = level.spread && toParent ? spreadKind(toParent) : null;
  const grouped = aggregatedAbove || spread?.kind === 'to-many' || level.select.some((s) => s.aggregate !== null);
  const columns = toParent && from.name !== level.columns?.table.name ? columnIndex(schema, from) : level.columns;
  const select = withAliases(expandStars(level.select, columns, grouped, spread !== null), spread !== null);
  const order = withRelatedOrders(level.order, from.name, node.children);
  const children = node.children.map((child) => build(schema, child, maxRows, grouped));
  return {
    select,
    from,
    fromAlias: node.fromAlias,
    where: withNullEmbeds(level.where.toReversed(), node.children),
    order,
    range: boundedRange(level.range, maxRows),
    relation: {
      name: node.name,
      alias: node.alias,
      hint: level.hint,
      joinType: level.joinType,
      toParent,
      joinConditions: node.joinConditions,
      aggregateAlias: node.aggregateAlias,
      spread,
      legacyTargetName: level.legacyTargetName,
    },
    relationSelect: children.map(relationSelect),
    depth: level.depth,
    children,
  };
}

const hasAggregates = (read: ReadPlan): boolean =>
  read.select.some((s) => s.aggregate !== null) || read.children.some(hasAggregates);

/** The select is the relation's whole rows and nothing else: what custom media handlers take. */
export const hasDefaultSelect = (read: ReadPlan): boolean =>
  read.children.length === 0 && read.select.length === 1 && read.select[0]?.field.name === '*';
