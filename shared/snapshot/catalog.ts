/** What is to be seen to by whoever reads the catalog. */
import type { ServerRow } from './rows.ts';

const missingOf = (server: ServerRow | null, schemas: readonly string[]): readonly string[] =>
  schemas.filter((schema) => !server?.[1]?.includes(schema));

/** Whether the database was there to answer, and has all schemas of `db-schemas`; one of `db-extra-search-path` may be missing. */
export const hasSchemas = (server: ServerRow | null, schemas: readonly string[]): server is ServerRow =>
  server !== null && missingOf(server, schemas).length === 0;

/** The configuration names schemas that the database does not have. */
export class MissingSchemaError extends Error {
  override readonly name = 'MissingSchemaError';
  readonly code = 'missing-schema';
  readonly schemas: readonly string[];

  constructor(server: ServerRow | null, schemas: readonly string[]) {
    const missing = missingOf(server, schemas);
    super(`db-schemas names schemas that do not exist: ${missing.map((s) => JSON.stringify(s)).join(', ')}`);
    this.schemas = missing;
  }
}
