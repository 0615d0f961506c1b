/** Conditions: a field, an operator and a value, and trees of them. */
import { quoteIdent, quoteQualified } from '../../shared/sql/identifiers.ts';
import { FTS, IS, QUANT, SIMPLE } from '../../shared/sql/operators.ts';
import type { CoercibleField, JoinCondition, PlanFilter, PlanLogic } from '../plan/types.ts';
import type { OperatorExpression } from '../request/types.ts';
import { column, field, languageArgument, type Source } from './fields.ts';
import { arrayLiteral, type Parameters } from './parameters.ts';

/** A bound value, converted from text where the column's type has such a function. */
function operand(value: string, f: CoercibleField, parameters: Parameters): string {
  const text = parameters.bind(value);
  return f.transform === null ? text : `${f.transform}(${text})`;
}

function operation(f: CoercibleField, { operation: o }: OperatorExpression, parameters: Parameters): string {
  switch (o.kind) {
    case 'simple':
      return `${SIMPLE[o.operator]} ${operand(o.value, f, parameters)}`;
    case 'quant': {
      const pattern = o.operator === 'like' || o.operator === 'ilike';
      const value = pattern ? parameters.bind(o.value.replaceAll('*', '%')) : operand(o.value, f, parameters);
      const operator = QUANT[o.operator];
      if (o.quantifier === null) return `${operator} ${value}`;
      return `${operator} ${o.quantifier === 'any' ? 'ANY' : 'ALL'}(${value})`;
    }
    case 'is':
      return `IS ${IS[o.value]}`;
    case 'isdistinct':
      return `IS DISTINCT FROM ${parameters.bind(o.value)}`;
    // ANY of one array, not IN: the text is the same for any number of values, and there may be none.
    case 'in': {
      if (o.values.length === 0 || (o.values.length === 1 && o.values[0] === '')) return "= ANY('{}')";
      const values = parameters.bind(arrayLiteral(o.values));
      if (f.transform === null) return `= ANY(${values})`;
      return `= ANY((SELECT ${f.transform}(pg_catalog.unnest(${values}::pg_catalog.text[]))))`;
    }
    case 'fts':
      return `${FTS[o.operator]}(${languageArgument(o.language, parameters)}${parameters.bind(o.value)})`;
    default:
      return o satisfies never;
  }
}

/** How a condition on an embedded relation's presence is written; reads and counts differ. */
export type NullEmbed = (filter: PlanFilter & { readonly kind: 'null-embed' }) => string;

/** In a read the relation is joined: its alias is null as a whole where there is nothing. */
export const joinedNullEmbed: NullEmbed = ({ alias, negated }) =>
  `${quoteIdent(alias)} IS ${negated ? '' : 'NOT '}DISTINCT FROM NULL`;

/** A tree of conditions. */
export function logic(source: Source, tree: PlanLogic, parameters: Parameters, nullEmbed: NullEmbed): string {
  switch (tree.kind) {
    case 'expression': {
      const joint = tree.operator === 'and' ? ' AND ' : ' OR ';
      const children = tree.children.map((child) => logic(source, child, parameters, nullEmbed)).join(joint);
      return tree.negated ? `NOT (${children})` : `(${children})`;
    }
    case 'null-embed':
      return nullEmbed(tree);
    case 'filter': {
      const text = `${field(source, tree.field, parameters)} ${operation(tree.field, tree.expression, parameters)}`;
      return tree.expression.negated ? `NOT ${text}` : text;
    }
    default:
      return tree satisfies never;
  }
}

/** Equality of a column of the relation and one of its parent (or junction). */
export const joinCondition = ({ left, right }: JoinCondition): string =>
  `${column(quoteQualified(left.relation), left.column)} = ${column(quoteQualified(right.relation), right.column)}`;

/** ` WHERE a AND b`, or nothing. */
export const where = (conditions: readonly string[]): string =>
  conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
