/** Which keys of tables are wholly visible in which views: the views' primary keys and relationships follow. */
import { identifierKey, type QualifiedIdentifier } from '../sql/identifiers.ts';
import { compareText } from './order.ts';
import type { ConstraintRow, RelationRow, ViewRow } from './rows.ts';
import { type ViewTarget, viewTargets } from './viewtargets.ts';

/**
 * A view shows a key of a table. Each column of the key may be shown more than once: `columns` has, in the key's
 * order, the view's columns that show it.
 */
export interface ViewKey {
  readonly view: QualifiedIdentifier;
  readonly columns: readonly (readonly string[])[];
}

/** The keys by constraint (its place in the rows): as the owner's key, and as the key that a foreign key refers to. */
export interface ViewKeys {
  /** Primary and foreign keys through the columns of their own table. */
  readonly own: ReadonlyMap<ConstraintRow, readonly ViewKey[]>;
  /** Foreign keys through the columns of the table that they refer to. */
  readonly referenced: ReadonlyMap<ConstraintRow, readonly ViewKey[]>;
}

type Origins = Map<number, Map<number, number[]>>;

/** Collects, for one view, the relations' columns that its columns show, through other views as well. */
function traceColumns(targets: readonly ViewTarget[], views: ReadonlyMap<number, readonly ViewTarget[]>): Origins {
  const origins: Origins = new Map();
  const trace = (column: number, target: ViewTarget, path: readonly number[]): void => {
    const byColumn = origins.get(target.relation) ?? new Map<number, number[]>();
    origins.set(target.relation, byColumn);
    const columns = byColumn.get(target.relationColumn) ?? [];
    byColumn.set(target.relationColumn, columns);
    if (!columns.includes(column)) columns.push(column);
    // a rule can be replaced so that views refer to each other
    if (path.includes(target.relation)) return;
    for (const next of views.get(target.relation) ?? []) {
      if (next.column === target.relationColumn) trace(column, next, [...path, target.relation]);
    }
  };
  for (const target of targets) trace(target.column, target, []);
  return origins;
}

function groupBy<K, T>(items: readonly T[], key: (item: T) => K | null): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) {
    const k = key(item);
    if (k === null) continue;
    const group = groups.get(k);
    if (group) group.push(item);
    else groups.set(k, [item]);
  }
  return groups;
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}

/**
 * Finds the keys that are wholly visible in the views among `relations` (those of the exposed schemas); `views` has the
 * rules of these and of the views that may stand between them and the tables.
 */
export function findViewKeys(
  relations: readonly RelationRow[],
  views: readonly ViewRow[],
  constraints: readonly ConstraintRow[],
): ViewKeys {
  const targets = new Map(views.map(([oid, action]) => [oid, viewTargets(action)]));
  const byRelation = groupBy(constraints, (c) => (c[0] === 'u' ? null : c[2]));
  const byForeignRelation = groupBy(constraints, (c) => (c[0] === 'f' ? c[7] : null));
  const own = new Map<ConstraintRow, ViewKey[]>();
  const referenced = new Map<ConstraintRow, ViewKey[]>();

  for (const [oid, schema, name, kind, , columns] of relations) {
    if (kind !== 'v' && kind !== 'm') continue;
    const names = new Map(columns.map(([position, columnName]) => [position, columnName]));
    const view = { schema, name };
    for (const [relation, origins] of traceColumns(targets.get(oid) ?? [], targets)) {
      const shown = (key: readonly number[]): (readonly string[])[] | null => {
        const found: (readonly string[])[] = [];
        for (const attribute of key) {
          const shownAs = (origins.get(attribute) ?? []).toSorted((a, b) => a - b).flatMap((c) => names.get(c) ?? []);
          if (shownAs.length === 0) return null;
          found.push(shownAs);
        }
        return found;
      };
      for (const constraint of byRelation.get(relation) ?? []) {
        const key = shown(constraint[5]);
        if (key) push(own, constraint, { view, columns: key });
      }
      for (const constraint of byForeignRelation.get(relation) ?? []) {
        const key = constraint[10] && shown(constraint[10]);
        if (key) push(referenced, constraint, { view, columns: key });
      }
    }
  }
  return { own, referenced };
}

/**
 * The primary key of each view, by its schema and name: those of all tables whose key it shows, each by the first
 * column that shows it. Later tables come first, as in PostgREST.
 */
export function viewPrimaryKeys(keys: ViewKeys): ReadonlyMap<string, readonly string[]> {
  const primary = [...keys.own]
    .filter(([constraint]) => constraint[0] === 'p')
    .toSorted(([a], [b]) => compareText(b[3], a[3]) || compareText(b[4], a[4]) || compareText(b[1], a[1]));
  const found = new Map<string, string[]>();
  for (const [, viewKeys] of primary) {
    for (const { view, columns } of viewKeys) {
      for (const [first] of columns) if (first !== undefined) push(found, identifierKey(view), first);
    }
  }
  return found;
}
