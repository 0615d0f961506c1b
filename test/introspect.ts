/** For tests: a snapshot of a database made by a script, through the real queries. */
import { loadCatalog } from '../pooler/snapshot/load.ts';
import { resolveConfig } from '../shared/config/resolve.ts';
import { workerSettings } from '../shared/config/worker-settings.ts';
import { buildSnapshot } from '../shared/snapshot/build.ts';
import { Schema } from '../shared/snapshot/schema.ts';
import type { Relationship, Routine, Table } from '../shared/snapshot/types.ts';
import type { QualifiedIdentifier } from '../shared/sql/identifiers.ts';
import { createDatabase } from './postgres.ts';

/** Runs the script in a new database and introspects it with the given PGRST_* variables (`api` is exposed). */
export async function introspect(script: string, variables: Readonly<Record<string, string>> = {}): Promise<Schema> {
  const env = { PGRST_DB_URI: 'postgresql://', PGRST_DB_SCHEMAS: 'api', ...variables };
  const { config, errors } = resolveConfig({ env });
  if (!config) throw new Error(errors.join('\n'));
  const database = await createDatabase('snapshot', `create schema api; set search_path = api, public; ${script}`);
  try {
    return new Schema(await buildSnapshot(await loadCatalog(database.sql, config), workerSettings(config)));
  } finally {
    await database.drop();
  }
}

export const api = (name: string): QualifiedIdentifier => ({ schema: 'api', name });

/** A table that must be there. */
export function tableOf(schema: Schema, name: string): Table {
  const table = schema.table(api(name));
  if (!table) throw new Error(`no table ${name}`);
  return table;
}

/** The only routine of a name. */
export function routineOf(schema: Schema, name: string): Routine {
  const [routine, ...others] = schema.routines(api(name));
  if (!routine || others.length > 0) throw new Error(`not one routine ${name}`);
  return routine;
}

const pairs = (columns: readonly (readonly [string, string])[]): string =>
  columns.map(([a, b]) => `${a}=${b}`).join('&');

/** A relationship in one line, seen from its table: `kind target(columns)`. */
export function line(r: Relationship): string {
  const target = `${r.foreignTable.schema}.${r.foreignTable.name}`;
  if (r.kind === 'computed') return `computed ${r.toOne ? 'one' : 'many'} ${r.function.name} ${target}`;
  const { cardinality } = r;
  const self = r.isSelf ? ' self' : '';
  switch (cardinality.kind) {
    case 'many-to-many': {
      const { table, sourceColumns, targetColumns } = cardinality.junction;
      return `many-to-many ${target} by ${table.name}(${pairs(sourceColumns)}; ${pairs(targetColumns)})${self}`;
    }
    case 'one-to-one':
      return `one-to-one${cardinality.isParent ? ' parent' : ''} ${target}(${pairs(cardinality.columns)})${self}`;
    case 'one-to-many':
    case 'many-to-one':
      return `${cardinality.kind} ${target}(${pairs(cardinality.columns)})${self}`;
  }
  return cardinality satisfies never;
}

/** All relationships of a table within `api`, in their order. */
export const lines = (schema: Schema, name: string): readonly string[] =>
  schema.relationships(api(name), 'api').map(line);
