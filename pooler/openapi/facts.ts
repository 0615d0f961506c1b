/** Reads the facts for documents through postgres.js. */
import type { Sql } from 'postgres';
import type { Config } from '../../shared/config/resolve.ts';
import { type DocumentFacts, documentFacts, factsQueries } from '../../shared/openapi/facts.ts';
import { EMPTY_SEARCH_PATH } from '../../shared/snapshot/queries.ts';
import { cell, inTransaction } from '../snapshot/transaction.ts';

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
    for (const { text, parameters } of queries) cells.push(await cell(transaction, text, parameters));
    return documentFacts(config, cells);
  });
}
