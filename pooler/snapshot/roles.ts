/** Reads what the database says of roles through postgres.js. */
import type { Sql } from 'postgres';
import {
  ROLES,
  type RoleFacts,
  type RoleSettingRow,
  type RolesRow,
  roleFacts,
  roleSettingsQuery,
} from '../../shared/transaction/role-facts.ts';
import { inTransaction } from './transaction.ts';

async function cell<T>(query: Promise<readonly unknown[][]>): Promise<T | null> {
  const text = (await query)[0]?.[0];
  return typeof text === 'string' ? JSON.parse(text) : null;
}

/**
 * Reads the facts about roles, as seen by the role that `sql` is logged in as. Without `db-config` the roles' settings
 * are left alone, as in PostgREST. Throws PostgreSQL's error.
 */
export async function loadRoles(sql: Sql, config: { readonly dbConfig: boolean }): Promise<RoleFacts> {
  return await inTransaction(sql, 'isolation level repeatable read read only', async (transaction) => {
    const roles = await cell<RolesRow>(transaction.unsafe(ROLES).values());
    if (roles === null) throw new Error('The catalog of roles cannot be read.');
    const rows = config.dbConfig
      ? await cell<readonly RoleSettingRow[]>(transaction.unsafe(roleSettingsQuery(roles[0])).values())
      : null;
    return roleFacts(roles, rows);
  });
}
