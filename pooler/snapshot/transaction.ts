import postgres, { type Sql } from 'postgres';

/**
 * Does the work in one transaction of a client of a single connection, and gives its result. `mode`: as in BEGIN. Rejects with what the
 * work or the database throws; the transaction is rolled back then.
 *
 * In place of postgres.js's `begin`, which sends its ROLLBACK on a connection that is gone too, and ends the process by that (3.4.9: an
 * error thrown out of a timer).
 */
export async function inTransaction<T>(sql: Sql, mode: string, work: (sql: Sql) => Promise<T>): Promise<T> {
  await sql.unsafe(`BEGIN ${mode}`);
  try {
    const result = await work(sql);
    await sql.unsafe('COMMIT');
    return result;
  } catch (error) {
    if (!isLoss(error)) await sql.unsafe('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/** The only cell that a query gives, a text; null for NULL. */
export async function cell(sql: Sql, text: string, parameters: readonly string[] = []): Promise<string | null> {
  const [row] = await sql.unsafe(text, [...parameters]).values();
  const value: unknown = row?.[0];
  return typeof value === 'string' ? value : null;
}

/** What the JSON in it says. */
export async function jsonCell<T>(sql: Sql, text: string, parameters?: readonly string[]): Promise<T | null> {
  const json = await cell(sql, text, parameters);
  return json === null ? null : JSON.parse(json);
}

/** The connection is gone, or about to be: there is nothing to roll back. postgres.js's own errors and the system's have a code. */
function isLoss(error: unknown): boolean {
  if (error instanceof postgres.PostgresError) return error.severity !== 'ERROR';
  return error instanceof Error && 'code' in error;
}
