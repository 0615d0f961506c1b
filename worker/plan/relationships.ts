/** Finds the relationship that an embed asks for, and tells how to join it. */
import type { Schema } from '../../shared/snapshot/schema.ts';
import type { Cardinality, Relationship } from '../../shared/snapshot/types.ts';
import { qualified } from '../../shared/sql/identifiers.ts';
import { ambiguousRelationship, noRelationship } from './errors.ts';
import { missingRelationshipHint } from './hints.ts';
import type { JoinCondition } from './types.ts';

type Candidates = ReadonlyMap<string, readonly Relationship[]>;

/** A wide table has hundreds of relationships: they are kept by the names that a request may use for them. */
const byTarget = new WeakMap<readonly Relationship[], Candidates>();

/** The one pair of columns of a foreign key with a single column. */
function singlePair(cardinality: Cardinality): readonly [string, string] | null {
  if (cardinality.kind === 'many-to-many' || cardinality.columns.length !== 1) return null;
  return cardinality.columns[0] ?? null;
}

const constraintOf = (cardinality: Cardinality): string | null =>
  cardinality.kind === 'many-to-many' ? null : cardinality.constraint;

function targetNames(r: Relationship): ReadonlySet<string> {
  if (r.kind === 'computed') return new Set([r.function.name]);
  const names = [r.foreignTable.name, constraintOf(r.cardinality), singlePair(r.cardinality)?.[0] ?? null];
  return new Set(names.filter((name) => name !== null));
}

function candidates(relationships: readonly Relationship[], target: string): readonly Relationship[] {
  let index = byTarget.get(relationships);
  if (!index) {
    const lists = new Map<string, Relationship[]>();
    for (const r of relationships) {
      for (const name of targetNames(r)) {
        const list = lists.get(name);
        if (list) list.push(r);
        else lists.set(name, [r]);
      }
    }
    index = lists;
    byTarget.set(relationships, index);
  }
  return index.get(target) ?? [];
}

/**
 * Whether a relationship answers to a target and a hint. A target is a relation's name, a computed relationship's
 * function, a foreign key's name or its single column; a hint is a foreign key's name, its column on either side,
 * or a junction. In a self-relationship the table's name stands for the many side, the column for the one side.
 * https://docs.postgrest.org/en/stable/references/api/resource_embedding.html
 */
function answersTo(r: Relationship, target: string, hint: string | null): boolean {
  if (r.kind === 'computed') return target === r.function.name;
  const { cardinality } = r;
  const pair = singlePair(cardinality);
  const isTable = target === r.foreignTable.name;
  if (r.isSelf) {
    if (hint === null) {
      return (
        (isTable && cardinality.kind === 'one-to-many') || (cardinality.kind === 'many-to-one' && pair?.[0] === target)
      );
    }
    return isTable && cardinality.kind === 'one-to-many' && pair?.[1] === hint;
  }
  if (hint === null) {
    return isTable || (!r.foreignTableIsView && (constraintOf(cardinality) === target || pair?.[0] === target));
  }
  return (
    isTable &&
    (constraintOf(cardinality) === hint ||
      pair?.[0] === hint ||
      pair?.[1] === hint ||
      (cardinality.kind === 'many-to-many' && cardinality.junction.table.name === hint))
  );
}

/**
 * The relationship from the relation `origin` to `target` in a schema. Throws PGRST200 when there is none and
 * PGRST201 when there are several.
 */
export function findRelationship(
  schema: Schema,
  schemaName: string,
  origin: string,
  target: string,
  hint: string | null,
): Relationship {
  const all = schema.relationships(qualified(schemaName, origin), schemaName);
  const found = candidates(all, target).filter((r) => answersTo(r, target, hint));
  const [first] = found;
  if (first === undefined) {
    const suggestion = missingRelationshipHint(schema, schemaName, origin, target);
    throw noRelationship(schemaName, origin, target, hint, suggestion);
  }
  if (found.length > 1) throw ambiguousRelationship(origin, target, found);
  return first;
}

/**
 * How the rows of a relation are tied to those of its parent: by the aliases of both where they have one. A junction
 * is joined without an alias, a computed relationship takes the parent's row as its argument.
 */
export function joinConditions(
  r: Relationship,
  alias: string | null,
  parentAlias: string | null,
): readonly JoinCondition[] {
  if (r.kind === 'computed') return [];
  const { schema } = r.table;
  const parent = parentAlias === null ? qualified(schema, r.table.name) : qualified('', parentAlias);
  if (r.cardinality.kind === 'many-to-many') {
    const { junction } = r.cardinality;
    const left = qualified(schema, junction.table.name);
    const target = qualified(schema, r.foreignTable.name);
    return [
      ...junction.targetColumns.map(([column, ofJunction]) => condition(left, ofJunction, target, column)),
      ...junction.sourceColumns.map(([column, ofJunction]) => condition(left, ofJunction, parent, column)),
    ];
  }
  const left = alias === null ? qualified(schema, r.foreignTable.name) : qualified('', alias);
  return r.cardinality.columns.map(([column, ofTarget]) => condition(left, ofTarget, parent, column));
}

const condition = (
  left: JoinCondition['left']['relation'],
  leftColumn: string,
  right: JoinCondition['right']['relation'],
  rightColumn: string,
): JoinCondition => ({
  left: { relation: left, column: leftColumn },
  right: { relation: right, column: rightColumn },
});
