/** Suggestions for names that were not found. Names of relations and functions need a close match: they could leak. */
import { compareText } from '../../shared/snapshot/order.ts';
import type { Schema } from '../../shared/snapshot/schema.ts';
import type { Routine } from '../../shared/snapshot/types.ts';
import { qualified } from '../../shared/sql/identifiers.ts';
import { type FuzzySet, fuzzyMatch, fuzzyMatches, fuzzySet } from './fuzzy.ts';

const MIN_SCORE_OF_NAMES = 0.75;
const MAX_TABLES = 500;

type NameKind = 'tables' | 'routines' | 'origins';

/** The sets are costly to make for large schemas and asked for again and again by a client with a wrong name. */
const nameSets = new WeakMap<Schema, Map<string, FuzzySet | null>>();

function namesOf(schema: Schema, kind: NameKind, schemaName: string): readonly string[] {
  const { tables, routines, relationships } = schema.snapshot;
  const names = new Set<string>();
  switch (kind) {
    case 'tables':
      for (const t of tables) if (t.schema === schemaName) names.add(t.name);
      break;
    case 'routines':
      for (const r of routines) if (r.schema === schemaName) names.add(r.name);
      break;
    case 'origins':
      for (const r of relationships) if (r.foreignTable.schema === schemaName) names.add(r.table.name);
      break;
  }
  return [...names].sort(compareText);
}

function nameSet(schema: Schema, kind: NameKind, schemaName: string): FuzzySet | null {
  let sets = nameSets.get(schema);
  if (!sets) {
    sets = new Map();
    nameSets.set(schema, sets);
  }
  const key = `${kind}\0${schemaName}`;
  let set = sets.get(key);
  if (set === undefined) {
    const names = namesOf(schema, kind, schemaName);
    set = kind === 'tables' && names.length >= MAX_TABLES ? null : fuzzySet(names);
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

/** For PGRST200: another origin when that one has no relationships, else another target; none when both are right. */
export function missingRelationshipHint(
  schema: Schema,
  schemaName: string,
  origin: string,
  target: string,
): string | null {
  const relationships = schema.relationships(qualified(schemaName, origin), schemaName);
  if (relationships.length === 0) {
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
