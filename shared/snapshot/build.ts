/** From the catalog's rows to a snapshot. */
import { identifierKey } from '../sql/identifiers.ts';
import { compareBoolean, compareLists, compareNullable, compareText } from './order.ts';
import { buildRelationships } from './relationships.ts';
import type { CatalogRows, RelationRow, RoutineRow } from './rows.ts';
import type {
  DataRepresentation,
  IsolationLevel,
  MediaHandler,
  ReturnType,
  Routine,
  Snapshot,
  Table,
  Volatility,
  WorkerSettings,
} from './types.ts';
import { snapshotVersion } from './version.ts';
import { findViewKeys, viewPrimaryKeys } from './viewkeys.ts';

const UPDATE = 4;
const INSERT = 8;
const DELETE = 16;

function buildTable([, schema, name, kind, updatable, columns]: RelationRow, primaryKey: readonly string[]): Table {
  return {
    schema,
    name,
    isView: kind === 'v' || kind === 'm',
    insertable: (updatable & INSERT) !== 0,
    updatable: (updatable & UPDATE) !== 0,
    deletable: (updatable & DELETE) !== 0,
    primaryKey,
    columns: columns.map(([, columnName, type, baseType, nullable, defaultExpression]) => ({
      name: columnName,
      type,
      baseType,
      nullable,
      default: defaultExpression,
    })),
  };
}

const VOLATILITIES: Readonly<Record<RoutineRow[10], Volatility>> = { v: 'volatile', s: 'stable', i: 'immutable' };

/**
 * The isolation level that a setting's text stands for; any other than the two stricter ones is `read committed`,
 * as in PostgREST.
 */
export function isolationLevel(value: string): IsolationLevel {
  const level = value.toLowerCase();
  return level === 'repeatable read' || level === 'serializable' ? level : 'read committed';
}

function buildRoutine(row: RoutineRow): Routine {
  const [schema, name, , parameters, returnSchema, returnName, set, composite, domain, value, ...rest] = row;
  const [volatility, variadic, isolation, settings] = rest;
  return {
    schema,
    name,
    parameters: parameters.map(([parameterName, type, typeMaxLength, required, isVariadic]) => ({
      name: parameterName,
      type,
      typeMaxLength,
      required,
      variadic: isVariadic,
    })),
    returns: {
      set,
      kind: composite ? 'composite' : 'scalar',
      type: { schema: returnSchema, name: returnName },
      isAlias: composite && domain,
      isValue: composite && value,
    },
    volatility: VOLATILITIES[volatility],
    hasVariadic: variadic,
    isolation: isolation === null ? null : isolationLevel(isolation),
    settings: settings ?? [],
  };
}

const returnRank = (r: ReturnType): number => (r.set ? 2 : 0) + (r.kind === 'composite' ? 1 : 0);

/** Overloads: fewest parameters first, then as PostgREST sorts them (by comment, parameters, result). */
function compareRoutines(
  a: { readonly routine: Routine; readonly description: string | null },
  b: { readonly routine: Routine; readonly description: string | null },
): number {
  const x = a.routine;
  const y = b.routine;
  return (
    compareText(x.schema, y.schema) ||
    compareText(x.name, y.name) ||
    x.parameters.length - y.parameters.length ||
    compareNullable(a.description, b.description) ||
    compareLists(
      x.parameters,
      y.parameters,
      (p, q) =>
        compareText(p.name, q.name) ||
        compareText(p.type, q.type) ||
        compareText(p.typeMaxLength, q.typeMaxLength) ||
        compareBoolean(p.required, q.required) ||
        compareBoolean(p.variadic, q.variadic),
    ) ||
    returnRank(x.returns) - returnRank(y.returns) ||
    compareText(x.returns.type.schema, y.returns.type.schema) ||
    compareText(x.returns.type.name, y.returns.type.name)
  );
}

function buildTables(rows: CatalogRows, viewKeys: ReadonlyMap<string, readonly string[]>): readonly Table[] {
  const tableKeys = new Map(
    rows.constraints.flatMap((c) => (c[0] === 'p' ? [[c[2], (c[6] ?? []).toSorted(compareText)] as const] : [])),
  );
  return rows.relations
    .map((row) => {
      const isView = row[3] === 'v' || row[3] === 'm';
      const key = isView ? viewKeys.get(identifierKey({ schema: row[1], name: row[2] })) : tableKeys.get(row[0]);
      return buildTable(row, key ?? []);
    })
    .sort((a, b) => compareText(a.schema, b.schema) || compareText(a.name, b.name));
}

const buildRepresentations = (rows: CatalogRows): readonly DataRepresentation[] =>
  rows.representations
    .map(([sourceType, targetType, castFunction]) => ({ sourceType, targetType, function: castFunction }))
    .sort((a, b) => compareText(a.sourceType, b.sourceType) || compareText(a.targetType, b.targetType));

const buildMediaHandlers = (rows: CatalogRows): readonly MediaHandler[] =>
  rows.mediaHandlers
    .toSorted((a, b) => compareLists(a, b, compareText))
    .map(([targetSchema, targetName, mediaType, schema, name]) => ({
      target:
        targetSchema === 'pg_catalog' && targetName === 'anyelement'
          ? null
          : { schema: targetSchema, name: targetName },
      mediaType,
      function: { schema, name },
    }));

/**
 * Makes the snapshot of a catalog's rows. The same rows, settings and keys give the same version but for the time in
 * front, in whatever order the rows came.
 * `keys`: what tokens are verified with, as JSON; they are not in it, but they go together.
 */
export async function buildSnapshot(
  rows: CatalogRows,
  settings: WorkerSettings,
  keys: unknown = null,
): Promise<Snapshot> {
  const loadedAt = rows.server[2];
  const viewKeys = findViewKeys(rows.relations, rows.views, rows.constraints);
  const viewPrimaryKey = viewPrimaryKeys(viewKeys);
  const tables = buildTables(rows, viewPrimaryKey);
  // Of all schemas: junctions that are not exposed conceal what they relate.
  const primaryKeys = new Map([
    ...viewPrimaryKey,
    ...rows.constraints.flatMap((c) =>
      c[0] === 'p' ? [[identifierKey({ schema: c[3], name: c[4] }), c[6] ?? []] as const] : [],
    ),
  ]);
  const content = {
    serverVersion: rows.server[0],
    tables,
    ...buildRelationships(rows.constraints, rows.computedRelationships, {
      viewKeys,
      primaryKeyOf: (id) => primaryKeys.get(identifierKey(id)) ?? [],
      schemas: settings.dbSchemas,
    }),
    routines: rows.routines
      .map((row) => ({ routine: buildRoutine(row), description: row[2] }))
      .sort(compareRoutines)
      .map(({ routine }) => routine),
    representations: buildRepresentations(rows),
    mediaHandlers: buildMediaHandlers(rows),
    settings,
  };
  return { version: await snapshotVersion(content, loadedAt, keys), loadedAt, ...content };
}
