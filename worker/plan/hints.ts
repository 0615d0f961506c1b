/** Suggestions for names that were not found. Names of relations and functions need a close match: they could leak. */
import { compareText } from '../../shared/snapshot/order.ts';
import type { Schema } from '../../shared/snapshot/schema.ts';
import { type Routine, targetSchema } from '../../shared/snapshot/types.ts';
import { identifierKey, type QualifiedIdentifier, qualified } from '../../shared/sql/identifiers.ts';
import { type FuzzySet, fuzzyMatch, fuzzyMatches, fuzzySet } from './fuzzy.ts';
import { hashIdentifier, inHashOrder } from './hash-order.ts';

const MIN_SCORE_OF_NAMES = 0.75;
const MAX_TABLES = 500;

type NameKind = 'tables' | 'routines' | 'origins';

/** The sets are costly to make for large schemas and asked for again and again by a client with a wrong name. */
const nameSets = new WeakMap<Schema, Map<string, FuzzySet | null>>();

/** The names, in the order in which PostgREST adds them to a set. */
function namesOf(schema: Schema, kind: NameKind, schemaName: string): readonly string[] {
  const { tables, routines, relationships, concealedOrigins } = schema.snapshot;
  switch (kind) {
    case 'tables':
      return hashOrdered(tables.filter((t) => t.schema === schemaName)).toReversed();
    case 'routines':
      return hashOrdered(routines.filter((r) => r.schema === schemaName));
    case 'origins': {
      const origins = [
        ...relationships.filter((r) => targetSchema(r) === schemaName),
        ...concealedOrigins.filter((o) => o.schema === schemaName),
      ].map(({ table }) => table);
      return hashOrdered(origins, schemaName);
    }
    default:
      return kind satisfies never;
  }
}

function hashOrdered(ids: readonly QualifiedIdentifier[], ...more: readonly string[]): readonly string[] {
  const unique = [...new Map(ids.map((id) => [identifierKey(id), id])).values()];
  return inHashOrder(unique, (id) => hashIdentifier(id, ...more), identifierKey).map(({ name }) => name);
}

const countTables = (schema: Schema, schemaName: string): number =>
  schema.snapshot.tables.filter((t) => t.schema === schemaName).length;

function nameSet(schema: Schema, kind: NameKind, schemaName: string): FuzzySet | null {
  let sets = nameSets.get(schema);
  if (!sets) {
    sets = new Map();
    nameSets.set(schema, sets);
  }
  const key = `${kind}\0${schemaName}`;
  let set = sets.get(key);
  if (set === undefined) {
    const tooMany = kind === 'tables' && countTables(schema, schemaName) >= MAX_TABLES;
    set = tooMany ? null : fuzzySet(namesOf(schema, kind, schemaName));
    // Only schemas that are exposed get here, so the map stays small.
    sets.set(key, set);
  }
  return set;
}

/** For PGRST205: a table of the schema with nearly that name. None where the schema has 500 tables or more. */
export function missingTableHint(schema: Schema, schemaName: string, name: string): string | null {
  const set = nameSet(schema, 'tables', schemaName);
  const match = set && fuzzyMatch(set, name, MIN_SCORE_OF_NAMES);
  return match === null ? null : `Perhaps you meant the table '${schemaName}.${match}'`;
}

const isConcealed = (schema: Schema, schemaName: string, origin: string): boolean =>
  schema.snapshot.concealedOrigins.some(
    ({ table, schema: target }) => table.schema === schemaName && table.name === origin && target === schemaName,
  );

/** For PGRST200: another origin when that one has no relationships, else another target; none when both are right. */
export function missingRelationshipHint(
  schema: Schema,
  schemaName: string,
  origin: string,
  target: string,
): string | null {
  const relationships = schema.relationships(qualified(schemaName, origin), schemaName);
  if (relationships.length === 0) {
    if (isConcealed(schema, schemaName, origin)) return null;
    const origins = nameSet(schema, 'origins', schemaName);
    const match = origins && fuzzyMatch(origins, origin);
    return match === null ? null : `Perhaps you meant '${match}' instead of '${origin}'.`;
  }
  const targets = fuzzySet(relationships.map((r) => r.foreignTable.name));
  const match = fuzzyMatches(targets, target).find(({ score }) => score < 1);
  return match === undefined ? null : `Perhaps you meant '${match.value}' instead of '${target}'.`;
}

const parameterList = (names: readonly string[]): string => `(${[...names].sort(compareText).join(', ')})`;

/** For PGRST202: another function, or the overload of this one whose parameters are closest. */
export function missingRoutineHint(
  schema: Schema,
  schemaName: string,
  name: string,
  argumentNames: readonly string[],
  overloads: readonly Routine[],
): string | null {
  const prefix = `Perhaps you meant to call the function ${schemaName}.`;
  if (overloads.length === 0) {
    const routines = nameSet(schema, 'routines', schemaName);
    const match = routines && fuzzyMatch(routines, name, MIN_SCORE_OF_NAMES);
    return match === null ? null : prefix + match;
  }
  const lists = fuzzySet(overloads.map((routine) => parameterList(routine.parameters.map((p) => p.name))));
  const match = fuzzyMatch(lists, parameterList(argumentNames));
  return match === null ? null : prefix + name + match;
}
