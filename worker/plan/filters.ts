/** Filters and logic trees on fields that know their types. */
import type { Filter, LogicTree } from '../request/types.ts';
import type { ColumnIndex } from './columns.ts';
import { filterField } from './fields.ts';
import { answerName } from './levels.ts';
import type { PlanFilter, PlanLogic } from './types.ts';

/** A filter on a relation's column. */
export const planFilter = (columns: ColumnIndex | null, { field, expression }: Filter): PlanFilter => ({
  kind: 'filter',
  field: filterField(columns, field, expression.operation),
  expression,
});

/** `and`/`or` trees likewise. */
export function planLogic(columns: ColumnIndex | null, tree: LogicTree): PlanLogic {
  if (tree.kind === 'filter') return planFilter(columns, tree.filter);
  return {
    kind: 'expression',
    negated: tree.negated,
    operator: tree.operator,
    children: tree.children.map((child) => planLogic(columns, child)),
  };
}

/** An embed as the filters and orders of its parent may name it. */
export interface NamedEmbed {
  readonly name: string;
  readonly alias: string | null;
  readonly aggregateAlias: string;
}

/**
 * `embed=is.null` and `embed=not.is.null` ask for parents without or with embedded rows (also inside of and/or).
 * Any other operator on the name of an embed is a filter on a column of that name.
 */
export function withNullEmbeds(where: readonly PlanLogic[], embeds: readonly NamedEmbed[]): readonly PlanLogic[] {
  if (embeds.length === 0 || where.length === 0) return where;
  return where.map((logic) => withNullEmbed(logic, embeds));
}

function withNullEmbed(logic: PlanLogic, embeds: readonly NamedEmbed[]): PlanLogic {
  switch (logic.kind) {
    case 'expression':
      return { ...logic, children: logic.children.map((child) => withNullEmbed(child, embeds)) };
    case 'filter': {
      const { field, expression } = logic;
      const { operation } = expression;
      if (field.path.length > 0 || operation.kind !== 'is' || operation.value !== 'null') return logic;
      const embed = embeds.find((e) => answerName(e) === field.name);
      return embed ? { kind: 'null-embed', negated: expression.negated, alias: embed.aggregateAlias } : logic;
    }
    case 'null-embed':
      return logic;
    default:
      return logic satisfies never;
  }
}
