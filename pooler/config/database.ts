/** The configuration that is in the database: settings of the login role, and those of the function `db-pre-config`. */
import type { Sql } from 'postgres';
import {
  databaseSettings,
  preConfigCall,
  preConfigOf,
  ROLE_SETTINGS,
  SESSION_SETTINGS,
  SETTING_NAMES,
} from '../../shared/config/database-settings.ts';
import type { QualifiedIdentifier } from '../../shared/sql/identifiers.ts';
import { cell, inTransaction } from '../snapshot/transaction.ts';

/**
 * Reads what the database sets, by the parameters' names. The strongest is `ALTER ROLE … IN DATABASE … SET pgrst.…`, then
 * `ALTER ROLE … SET`, then what the function sets, which these may name as well. Throws PostgreSQL's error.
 */
export async function readDatabaseSettings(
  sql: Sql,
  preConfig: QualifiedIdentifier | null,
): Promise<ReadonlyMap<string, string>> {
  return await inTransaction(sql, 'read only', async (transaction) => {
    const ofRole = databaseSettings(await cell(transaction, ROLE_SETTINGS));
    const routine = preConfigOf(ofRole, preConfig);
    if (routine === null) return ofRole;
    await transaction.unsafe(preConfigCall(routine));
    const ofSession = databaseSettings(await cell(transaction, SESSION_SETTINGS, [SETTING_NAMES]));
    return new Map([...ofSession, ...ofRole]);
  });
}
