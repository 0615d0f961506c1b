/**
 * Relationships from foreign keys: many-to-one and one-to-one as they are, the same through views, many-to-many
 * through junctions, and the inverse of each. PostgREST docs, "Resource Embedding".
 */
import { identifierKey, type QualifiedIdentifier } from '../sql/identifiers.ts';
import { compareBoolean, compareLists, compareText } from './order.ts';
import type { ComputedRelationshipRow, ConstraintRow } from './rows.ts';
import {
  type Cardinality,
  type ColumnPairs,
  type ComputedRelationship,
  type DetectedRelationship,
  type Relationship,
  type Snapshot,
  targetSchema,
} from './types.ts';
import type { ViewKeys } from './viewkeys.ts';

const sameIdentifier = (a: QualifiedIdentifier, b: QualifiedIdentifier): boolean =>
  a.schema === b.schema && a.name === b.name;

const swapped = (pairs: ColumnPairs): ColumnPairs => pairs.map(([a, b]) => [b, a] as const);

/** Every way to take one of each list. */
function choices(lists: readonly (readonly string[])[]): readonly (readonly string[])[] {
  return lists.reduce<readonly (readonly string[])[]>(
    (chosen, list) => chosen.flatMap((before) => list.map((item) => [...before, item])),
    [[]],
  );
}

const zip = (a: readonly string[], b: readonly string[]): ColumnPairs =>
  a.flatMap((x, i) => {
    const y = b[i];
    return y === undefined ? [] : [[x, y] as const];
  });

/** A relationship seen from the table that holds the foreign key. */
interface KeyRelationship {
  readonly table: QualifiedIdentifier;
  readonly foreignTable: QualifiedIdentifier;
  readonly isSelf: boolean;
  readonly constraint: string;
  readonly columns: ColumnPairs;
  readonly unique: boolean;
  readonly tableIsView: boolean;
  readonly foreignTableIsView: boolean;
}

const sortedKey = (key: readonly number[]): string => key.toSorted((a, b) => a - b).join();

/** The foreign keys, and for each the views that show its columns, the columns it refers to, or both. */
function keyRelationships(constraints: readonly ConstraintRow[], viewKeys: ViewKeys): readonly KeyRelationship[] {
  const uniqueKeys = new Set(constraints.flatMap((c) => (c[0] === 'f' ? [] : [`${c[2]}:${sortedKey(c[5])}`])));
  const found: KeyRelationship[] = [];
  for (const row of constraints) {
    const [kind, constraint, relation, schema, name, key, columns, foreignRelation, foreignSchema, foreignName] = row;
    const foreignColumns = row[11];
    if (kind !== 'f' || columns === null || foreignSchema === null || foreignName === null || foreignColumns === null) {
      continue;
    }
    const base = { constraint, unique: uniqueKeys.has(`${relation}:${sortedKey(key)}`) };
    const table = { schema, name };
    const foreignTable = { schema: foreignSchema, name: foreignName };
    found.push({
      ...base,
      table,
      foreignTable,
      isSelf: relation === foreignRelation,
      columns: zip(columns, foreignColumns),
      tableIsView: false,
      foreignTableIsView: false,
    });
    const views = (viewKeys.own.get(row) ?? []).flatMap(({ view, columns: shown }) =>
      choices(shown).map((chosen) => ({ view, chosen })),
    );
    const foreignViews = (viewKeys.referenced.get(row) ?? []).flatMap(({ view, columns: shown }) =>
      choices(shown).map((chosen) => ({ view, chosen })),
    );
    for (const { view, chosen } of views) {
      const pairs = zip(chosen, foreignColumns);
      found.push({
        ...base,
        table: view,
        foreignTable,
        isSelf: false,
        columns: pairs,
        tableIsView: true,
        foreignTableIsView: false,
      });
    }
    for (const foreign of foreignViews) {
      const pairs = zip(columns, foreign.chosen);
      found.push({
        ...base,
        table,
        foreignTable: foreign.view,
        isSelf: false,
        columns: pairs,
        tableIsView: false,
        foreignTableIsView: true,
      });
      for (const { view, chosen } of views) {
        found.push({
          ...base,
          table: view,
          foreignTable: foreign.view,
          isSelf: sameIdentifier(view, foreign.view),
          columns: zip(chosen, foreign.chosen),
          tableIsView: true,
          foreignTableIsView: true,
        });
      }
    }
  }
  return found;
}

function forward(r: KeyRelationship): DetectedRelationship {
  const { constraint, columns } = r;
  return {
    kind: 'detected',
    table: r.table,
    foreignTable: r.foreignTable,
    isSelf: r.isSelf,
    cardinality: r.unique
      ? { kind: 'one-to-one', constraint, columns, isParent: false }
      : { kind: 'many-to-one', constraint, columns },
    tableIsView: r.tableIsView,
    foreignTableIsView: r.foreignTableIsView,
  };
}

function inverse(r: KeyRelationship): DetectedRelationship {
  const { constraint } = r;
  const columns = swapped(r.columns);
  return {
    kind: 'detected',
    table: r.foreignTable,
    foreignTable: r.table,
    isSelf: r.isSelf,
    cardinality: r.unique
      ? { kind: 'one-to-one', constraint, columns, isParent: true }
      : { kind: 'one-to-many', constraint, columns },
    tableIsView: r.foreignTableIsView,
    foreignTableIsView: r.tableIsView,
  };
}

/** Two foreign keys of a relation make it a junction where their columns all belong to its primary key. */
function manyToMany(
  keys: readonly KeyRelationship[],
  primaryKeyOf: (id: QualifiedIdentifier) => readonly string[],
): readonly DetectedRelationship[] {
  const byTable = new Map<string, KeyRelationship[]>();
  for (const r of keys) {
    if (r.unique) continue;
    const primaryKey = primaryKeyOf(r.table);
    if (!r.columns.every(([column]) => primaryKey.includes(column))) continue;
    const list = byTable.get(identifierKey(r.table));
    if (list) list.push(r);
    else byTable.set(identifierKey(r.table), [r]);
  }
  return [...byTable.values()].flatMap((list) =>
    list.flatMap((source) =>
      list
        .filter((target) => target.constraint !== source.constraint)
        .map(
          (target): DetectedRelationship => ({
            kind: 'detected',
            table: source.foreignTable,
            foreignTable: target.foreignTable,
            isSelf: sameIdentifier(source.foreignTable, target.foreignTable),
            cardinality: {
              kind: 'many-to-many',
              junction: {
                table: source.table,
                constraint1: source.constraint,
                constraint2: target.constraint,
                sourceColumns: swapped(source.columns),
                targetColumns: swapped(target.columns),
              },
            },
            tableIsView: source.foreignTableIsView,
            foreignTableIsView: target.foreignTableIsView,
          }),
        ),
    ),
  );
}

const compareIdentifiers = (a: QualifiedIdentifier, b: QualifiedIdentifier): number =>
  compareText(a.schema, b.schema) || compareText(a.name, b.name);

const comparePairs = (a: ColumnPairs, b: ColumnPairs): number =>
  compareLists(a, b, (x, y) => compareText(x[0], y[0]) || compareText(x[1], y[1]));

const CARDINALITIES = ['one-to-many', 'many-to-one', 'one-to-one', 'many-to-many'] as const;

function compareCardinalities(a: Cardinality, b: Cardinality): number {
  if (a.kind === 'many-to-many' && b.kind === 'many-to-many') {
    const x = a.junction;
    const y = b.junction;
    return (
      compareIdentifiers(x.table, y.table) ||
      compareText(x.constraint1, y.constraint1) ||
      compareText(x.constraint2, y.constraint2) ||
      comparePairs(x.sourceColumns, y.sourceColumns) ||
      comparePairs(x.targetColumns, y.targetColumns)
    );
  }
  if (a.kind !== b.kind || a.kind === 'many-to-many' || b.kind === 'many-to-many') {
    return CARDINALITIES.indexOf(a.kind) - CARDINALITIES.indexOf(b.kind);
  }
  return (
    compareText(a.constraint, b.constraint) ||
    comparePairs(a.columns, b.columns) ||
    compareBoolean(a.kind === 'one-to-one' && a.isParent, b.kind === 'one-to-one' && b.isParent)
  );
}

/** The order in which PostgREST lists the relationships of a table: detected ones first (it shows in PGRST201). */
function compareRelationships(a: Relationship, b: Relationship): number {
  const tables = compareIdentifiers(a.table, b.table);
  if (tables !== 0) return tables;
  if (a.kind === 'detected' && b.kind === 'detected') {
    return (
      compareIdentifiers(a.foreignTable, b.foreignTable) ||
      compareBoolean(a.isSelf, b.isSelf) ||
      compareCardinalities(a.cardinality, b.cardinality) ||
      compareBoolean(a.tableIsView, b.tableIsView) ||
      compareBoolean(a.foreignTableIsView, b.foreignTableIsView)
    );
  }
  if (a.kind === 'computed' && b.kind === 'computed') return compareIdentifiers(a.function, b.function);
  return a.kind === 'computed' ? 1 : -1;
}

function computed(row: ComputedRelationshipRow): ComputedRelationship {
  const [functionSchema, functionName, schema, name, foreignSchema, foreignName, toOne] = row;
  return {
    kind: 'computed',
    function: { schema: functionSchema, name: functionName },
    table: { schema, name },
    foreignTable: { schema: foreignSchema, name: foreignName },
    tableAlias: { schema: '', name },
    toOne,
    isSelf: schema === foreignSchema && name === foreignName,
  };
}

/** What the relationships are made from besides the rows. */
export interface RelationshipContext {
  readonly viewKeys: ViewKeys;
  readonly primaryKeyOf: (id: QualifiedIdentifier) => readonly string[];
  /** `db-schemas` */
  readonly schemas: readonly string[];
}

export type Related = Pick<Snapshot, 'relationships' | 'concealedOrigins'>;

/** The relations that are related to a schema only by what is left out. */
function concealedOrigins(
  candidates: readonly Relationship[],
  relationships: readonly Relationship[],
): Snapshot['concealedOrigins'] {
  const key = (r: Relationship): string => `${identifierKey(r.table)}\0${targetSchema(r)}`;
  const reached = new Set(relationships.map(key));
  const concealed = candidates.filter((r) => !reached.has(key(r)));
  return [...new Map(concealed.map((r) => [key(r), { table: r.table, schema: targetSchema(r) }])).values()].sort(
    (a, b) => compareIdentifiers(a.table, b.table) || compareText(a.schema, b.schema),
  );
}

/**
 * All relationships between relations of the exposed schemas, sorted. A computed one takes the place of those that
 * lead from its table to a relation with the function's schema and name.
 */
export function buildRelationships(
  constraints: readonly ConstraintRow[],
  computedRows: readonly ComputedRelationshipRow[],
  { viewKeys, primaryKeyOf, schemas }: RelationshipContext,
): Related {
  const exposed = (id: QualifiedIdentifier): boolean => schemas.includes(id.schema);
  const keys = keyRelationships(constraints, viewKeys);
  const computedRelationships = computedRows.map(computed);
  const pair = (a: QualifiedIdentifier, b: QualifiedIdentifier): string => `${identifierKey(a)}\0${identifierKey(b)}`;
  const overridden = new Set(computedRelationships.map((r) => pair(r.table, r.function)));
  const candidates = [
    ...[...keys.map(forward), ...keys.map(inverse), ...manyToMany(keys, primaryKeyOf)].filter(
      (r) => !overridden.has(pair(r.table, r.foreignTable)),
    ),
    ...computedRelationships,
  ].filter((r) => exposed(r.table) && schemas.includes(targetSchema(r)));
  const relationships = candidates
    .filter((r) => exposed(r.foreignTable) && junctionIs(r, exposed))
    .sort(compareRelationships);
  return { relationships, concealedOrigins: concealedOrigins(candidates, relationships) };
}

const junctionIs = (r: Relationship, exposed: (id: QualifiedIdentifier) => boolean): boolean =>
  r.kind === 'computed' || r.cardinality.kind !== 'many-to-many' || exposed(r.cardinality.junction.table);
