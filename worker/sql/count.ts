/** The total number of rows: what a read would return without its range. */
import type { ReadPlan } from '../plan/types.ts';
import { joinCondition, logic, type NullEmbed, where } from './filters.ts';
import type { Parameters } from './parameters.ts';
import { childOf, fromClause, nodeSource } from './read.ts';

/**
 * One `1` for every row of the root. Only what decides on the root's rows is left: its conditions, and
 * relations that are joined inner or asked for presence, as EXISTS.
 */
export function countQuery(node: ReadPlan, parameters: Parameters): string {
  const source = nodeSource(node);
  const nullEmbed: NullEmbed = ({ alias, negated }) =>
    `${negated ? '' : 'NOT '}EXISTS (${countQuery(childOf(node, alias), parameters)})`;
  const conditions = node.where.map((tree) => logic(source, tree, parameters, nullEmbed));
  for (const condition of node.relation.joinConditions) conditions.push(joinCondition(condition));
  for (const child of node.children) {
    if (child.relation.joinType === 'inner') conditions.push(`EXISTS (${countQuery(child, parameters)} )`);
  }
  return `SELECT 1 ${fromClause(node)}${where(conditions)}`;
}
