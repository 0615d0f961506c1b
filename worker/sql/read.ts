/** A read: one relation and, joined laterally, those embedded in it. */
import { quoteIdent, quoteQualified } from '../../shared/sql/identifiers.ts';
import type { PlanOrder, ReadPlan, RelationSelect, SelectField, SpreadField } from '../plan/types.ts';
import { aggregate, aliased, column, field, type Source, selectItem, sourceOf } from './fields.ts';
import { joinCondition, joinedNullEmbed, logic, where } from './filters.ts';
import { limitOffset, orderBy } from './order.ts';
import type { Parameters } from './parameters.ts';

/** What the columns of a node are taken from. A computed relationship is known by its function's name. */
export function nodeSource(node: ReadPlan): Source {
  const parent = node.relation.toParent;
  if (parent !== null && parent.kind === 'computed') return aliased(node.fromAlias ?? parent.function.name);
  return node.fromAlias === null ? sourceOf(node.from) : aliased(node.fromAlias);
}

/** ` FROM …`: the relation or the function that computes it, its alias, and the junction of a many-to-many. */
export function fromClause(node: ReadPlan): string {
  const parent = node.relation.toParent;
  let text = ' FROM ';
  // The cast to the row's type picks the right one of overloaded functions where the parent is a CTE.
  if (parent !== null && parent.kind === 'computed') {
    text += `${quoteQualified(parent.function)}(${quoteIdent(parent.tableAlias.name)}::${quoteQualified(parent.table)})`;
  } else text += quoteQualified(node.from);
  if (node.fromAlias !== null) text += ` AS ${quoteIdent(node.fromAlias)}`;
  if (parent !== null && parent.kind === 'detected' && parent.cardinality.kind === 'many-to-many') {
    text += `, ${quoteQualified(parent.cardinality.junction.table)}`;
  }
  return text;
}

/** The conditions of a node: its own, and those that tie it to its parent. */
function conditions(node: ReadPlan, source: Source, parameters: Parameters): string[] {
  const own = node.where.map((tree) => logic(source, tree, parameters, joinedNullEmbed));
  for (const condition of node.relation.joinConditions) own.push(joinCondition(condition));
  return own;
}

/** Compiles a node and everything below it to one SELECT. */
export function readQuery(node: ReadPlan, parameters: Parameters): string {
  const source = nodeSource(node);
  const items: string[] = [];
  // Without any select there is still something to count and aggregate.
  if (node.select.length === 0 && node.children.length === 0) items.push(`${source.text}.*`);
  else for (const item of node.select) items.push(selectItem(source, item, parameters));
  if (node.relation.spread?.kind === 'to-many') {
    for (const { relation, field: extra } of node.relation.spread.extraSelect) {
      items.push(selectItem(relation === null ? source : aliased(relation), extra, parameters));
    }
  }
  let joins = '';
  for (const selected of node.relationSelect) {
    relationItems(selected, items);
    joins += lateralJoin(selected, childOf(node, selected.alias), parameters);
  }
  return `SELECT ${items.join(', ')}${fromClause(node)}${joins}${where(conditions(node, source, parameters))}${groupBy(
    source,
    node.select,
    node.relationSelect,
    parameters,
  )}${orderBy(source, node.order, parameters)}${limitOffset(node.range, parameters)}`;
}

/** The embedded node that has an aggregate alias. */
export function childOf(node: ReadPlan, alias: string): ReadPlan {
  const child = node.children.find((c) => c.relation.aggregateAlias === alias);
  if (child === undefined) throw new Error(`The plan of ${node.relation.name} lacks the relation ${alias}`);
  return child;
}

/** A field of a spread relation, under the name that it has there. */
const spreadName = (alias: string, name: string): string => column(quoteIdent(alias), name);

function relationItems(selected: RelationSelect, items: string[]): void {
  const alias = quoteIdent(selected.alias);
  if (selected.kind === 'spread') {
    for (const f of selected.fields) {
      const text = aggregate(spreadName(selected.alias, f.name), f.aggregate, f.aggregateCast);
      items.push(f.alias === null ? text : `${text} AS ${quoteIdent(f.alias)}`);
    }
  } else if (!selected.empty) {
    // ::jsonb gives embedded rows their spacing: {"a": 1}
    const value =
      selected.mode === 'object'
        ? `pg_catalog.row_to_json(${alias}.*)::pg_catalog.jsonb`
        : `COALESCE( ${alias}.${alias}, '[]')`;
    items.push(`${value} AS ${quoteIdent(selected.name)}`);
  }
}

function lateralJoin(selected: RelationSelect, child: ReadPlan, parameters: Parameters): string {
  const alias = quoteIdent(selected.alias);
  const inner = child.relation.joinType === 'inner';
  const join = inner ? ' INNER JOIN LATERAL ( ' : ' LEFT JOIN LATERAL ( ';
  const query = readQuery(child, parameters);
  const spread = child.relation.spread;
  const single = selected.kind === 'json' ? selected.mode === 'object' : spread?.kind !== 'to-many';
  if (single) return `${join}${query} ) AS ${alias} ON TRUE`;
  let items = `pg_catalog.json_agg(${alias})::pg_catalog.jsonb AS ${alias}`;
  if (selected.kind === 'spread' && spread?.kind === 'to-many') {
    for (const f of selected.fields) items += `, ${spreadArray(selected.alias, f, spread.order, parameters)}`;
  }
  return `${join}SELECT ${items} FROM (${query} ) AS ${alias} ) AS ${alias} ON ${inner ? `${alias} IS NOT NULL` : 'TRUE'}`;
}

/** A column of a to-many spread: an array in the order that the relation was asked for. */
function spreadArray(alias: string, f: SpreadField, order: readonly PlanOrder[], parameters: Parameters): string {
  const value = spreadName(alias, f.name) + orderBy(aliased(alias), order, parameters);
  return `COALESCE(pg_catalog.json_agg(${value}),'[]')::pg_catalog.jsonb AS ${quoteIdent(f.alias ?? f.name)}`;
}

/** ` GROUP BY` everything that is not aggregated, where something is. */
function groupBy(
  source: Source,
  select: readonly SelectField[],
  relations: readonly RelationSelect[],
  parameters: Parameters,
): string {
  const aggregated =
    select.some((item) => item.aggregate !== null) ||
    relations.some((r) => r.kind === 'spread' && r.fields.some((f) => f.aggregate !== null));
  if (!aggregated) return '';
  const terms: string[] = [];
  for (const item of select) {
    if (item.aggregate !== null) continue;
    terms.push(item.alias === null ? field(source, item.field, parameters) : quoteIdent(item.alias));
  }
  for (const relation of relations) {
    if (relation.kind === 'json') terms.push(quoteIdent(relation.name));
    else {
      for (const f of relation.fields) {
        if (f.aggregate === null) terms.push(`${quoteIdent(relation.alias)}.${quoteIdent(f.alias ?? f.name)}`);
      }
    }
  }
  return terms.length === 0 ? '' : ` GROUP BY ${terms.join(', ')}`;
}
