/**
 * The levels of a read: the root relation and what is embedded in it, with the parameters that address each. This is
 * planning's scratch paper, filled in place before relationships are looked for, and never leaves it.
 */
import type { Schema } from '../../shared/snapshot/schema.ts';
import { type QualifiedIdentifier, qualified } from '../../shared/sql/identifiers.ts';
import type { EmbedPath, JoinType, RowRange, SelectItem } from '../request/types.ts';
import { type ColumnIndex, columnIndex } from './columns.ts';
import { notEmbedded } from './errors.ts';
import { outputField } from './fields.ts';
import { ALL_ROWS } from './ranges.ts';
import type { PlanLogic, PlanOrder, SelectField } from './types.ts';

export interface Level {
  /** As the request names it: a relation, or whatever else stands for a relationship. */
  readonly name: string;
  readonly alias: string | null;
  readonly hint: string | null;
  readonly joinType: JoinType | null;
  readonly spread: boolean;
  /** 0 at the root. */
  readonly depth: number;
  /** Columns of the relation of that name; null when there is none, which is not an error yet. */
  readonly columns: ColumnIndex | null;
  readonly select: SelectField[];
  where: PlanLogic[];
  order: readonly PlanOrder[];
  range: RowRange;
  legacyTargetName: boolean;
  readonly children: Level[];
}

type Embed = Exclude<SelectItem, { kind: 'field' }>;

function level(
  schema: Schema,
  id: QualifiedIdentifier,
  items: readonly SelectItem[],
  depth: number,
  embed: Embed | null,
): Level {
  const columns = columnIndex(schema, id);
  const select: SelectField[] = [];
  const children: Level[] = [];
  for (const item of items) {
    if (item.kind === 'field') {
      select.push({
        field: outputField(columns, item.field),
        aggregate: item.aggregate,
        aggregateCast: item.aggregateCast,
        cast: item.cast,
        alias: item.alias,
      });
    } else {
      children.push(level(schema, qualified(id.schema, item.relation), item.children, depth + 1, item));
    }
  }
  return {
    name: id.name,
    alias: embed?.alias ?? null,
    hint: embed?.hint ?? null,
    joinType: embed?.joinType ?? null,
    spread: embed?.kind === 'spread',
    depth,
    columns,
    select,
    where: [],
    order: [],
    range: ALL_ROWS,
    legacyTargetName: false,
    children,
  };
}

/** The levels of a select on a relation. */
export const levelsOf = (schema: Schema, id: QualifiedIdentifier, select: readonly SelectItem[]): Level =>
  level(schema, id, select, 0, null);

/** The name that an embed has in the answer. */
export const answerName = (l: { readonly name: string; readonly alias: string | null }): string => l.alias ?? l.name;

/** Addressed by its target's name although it has an alias. */
const isRenamed = (l: Level, name: string): boolean => l.name === name && l.alias !== null && l.alias !== name;

/**
 * The level that a parameter's path addresses. Throws PGRST108 when there is none. As in PostgREST a level that is
 * addressed moves to the front of its siblings, and so do its columns in the answer.
 */
export function levelAt(root: Level, path: EmbedPath, legacyTargetNames: boolean): Level {
  let at = root;
  for (const name of path) {
    const { children } = at;
    const position = children.findIndex(
      (child) => answerName(child) === name || (legacyTargetNames && child.name === name),
    );
    const child = children[position];
    if (!child) throw notEmbedded(name, renamedTo(children, name));
    if (isRenamed(child, name)) child.legacyTargetName = true;
    if (position > 0) {
      children.splice(position, 1);
      children.unshift(child);
    }
    at = child;
  }
  return at;
}

function renamedTo(children: readonly Level[], name: string): { name: string; alias: string } | null {
  const child = children.find((c) => isRenamed(c, name));
  return child?.alias == null ? null : { name: child.name, alias: child.alias };
}
