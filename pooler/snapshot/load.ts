/** Reads the catalog through postgres.js and makes a snapshot of it. */
import type { Sql } from 'postgres';
import type { KeySet } from '../../shared/config/key-set.ts';
import type { Config } from '../../shared/config/resolve.ts';
import { workerSettings } from '../../shared/config/worker-settings.ts';
import { buildSnapshot } from '../../shared/snapshot/build.ts';
import { hasSchemas, MissingSchemaError } from '../../shared/snapshot/catalog.ts';
import { type CatalogQuery, catalogQueries, EMPTY_SEARCH_PATH } from '../../shared/snapshot/queries.ts';
import type { CatalogRows, ServerRow } from '../../shared/snapshot/rows.ts';
import type { Snapshot } from '../../shared/snapshot/types.ts';
import { inTransaction, jsonCell } from './transaction.ts';

/** What of the configuration the snapshot depends on. */
export type SnapshotConfig = Config;

/** How long the catalog was read for, in milliseconds, and each query of it. */
export interface CatalogEvent {
  readonly kind: 'queried';
  readonly milliseconds: number;
  readonly queries: readonly (readonly [name: string, milliseconds: number])[];
}

/** PostgREST's tests slow the load down with it, and so do ours. */
async function sleep(sql: Sql, milliseconds: number | null): Promise<void> {
  if (milliseconds !== null) await sql.unsafe('SELECT pg_catalog.pg_sleep($1)', [milliseconds / 1000]);
}

/** An aggregate over nothing is null. */
const read = <T>(sql: Sql, { text, parameters }: CatalogQuery): Promise<T | null> => jsonCell<T>(sql, text, parameters);

/**
 * Reads all rows of the catalog in one read-only transaction with one view of the database. The statements go one
 * after the other: after an error nothing more is sent but the rollback. Throws PostgreSQL's error, or a
 * MissingSchemaError; a schema of `db-extra-search-path` may be missing, as in any search_path.
 */
export async function loadCatalog(
  sql: Sql,
  config: SnapshotConfig,
  observe?: (event: CatalogEvent) => void,
): Promise<CatalogRows> {
  const began = performance.now();
  const times: (readonly [string, number])[] = [];
  const queries = catalogQueries({
    schemas: config.dbSchemas,
    extraSearchPath: config.dbExtraSearchPath,
    hoistedSettings: config.dbHoistedTxSettings,
  });
  const loaded = await inTransaction(sql, 'isolation level repeatable read read only', async (transaction) => {
    await transaction.unsafe(EMPTY_SEARCH_PATH);
    await sleep(transaction, config.internalSchemaCacheQuerySleepBeforeQueries);
    const server = await read<ServerRow>(transaction, queries.server);
    if (!hasSchemas(server, config.dbSchemas)) throw new MissingSchemaError(server, config.dbSchemas);
    const list = async <K extends Exclude<keyof CatalogRows, 'server'>>(name: K): Promise<CatalogRows[K] | []> => {
      const asked = performance.now();
      const rows = await read<CatalogRows[K]>(transaction, queries[name]);
      times.push([name, performance.now() - asked]);
      return rows ?? [];
    };
    const rows: CatalogRows = {
      server,
      relations: await list('relations'),
      constraints: await list('constraints'),
      views: await list('views'),
      routines: await list('routines'),
      computedRelationships: await list('computedRelationships'),
      representations: await list('representations'),
      mediaHandlers: await list('mediaHandlers'),
    };
    await sleep(transaction, config.internalSchemaCacheQuerySleep);
    return rows;
  });
  observe?.({ kind: 'queried', milliseconds: performance.now() - began, queries: times });
  return loaded;
}

/** Reads the catalog and makes the snapshot for a configuration and its keys. Errors as loadCatalog's. */
export async function loadSnapshot(
  sql: Sql,
  config: SnapshotConfig,
  keys: KeySet | null,
  observe?: (event: CatalogEvent) => void,
): Promise<Snapshot> {
  return await buildSnapshot(await loadCatalog(sql, config, observe), workerSettings(config), keys);
}
