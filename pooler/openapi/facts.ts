/** Reads the facts for documents through postgres.js. */
import type { Sql } from 'postgres';
import type { Config } from '../../shared/config/resolve.ts';
import { type DocumentFacts, documentFacts, factsQueries } from '../../shared/openapi/facts.ts';
import { type CatalogQuery, EMPTY_SEARCH_PATH } from '../../shared/snapshot/queries.ts';
import { inTransaction } from '../snapshot/transaction.ts';

async function cell(sql: Sql, { text, parameters }: CatalogQuery): Promise<string | null> {
  const [row] = await sql.unsafe(text, [...parameters]).values();
  const value: unknown = row?.[0];
  return typeof value === 'string' ? value : null;
}

/**
 * Reads the facts of the exposed schemas; null where the configuration wants no documents. What has changed since the
 * snapshot was loaded only lacks its facts until the next load. Throws PostgreSQL's error.
 */
export async function loadDocumentFacts(
  sql: Sql,
  config: Pick<Config, 'openapiMode' | 'dbSchemas'>,
): Promise<DocumentFacts | null> {
  const queries = factsQueries(config);
  if (queries === null) return null;
  return await inTransaction(sql, 'isolation level repeatable read read only', async (transaction) => {
    await transaction.unsafe(EMPTY_SEARCH_PATH);
    const cells: (string | null)[] = [];
    for (const query of queries) cells.push(await cell(transaction, query));
    return documentFacts(config, cells);
  });
}
