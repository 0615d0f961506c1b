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
import { inTransaction, jsonCell } from './transaction.ts';

/**
 * Reads the facts about roles, as seen by the role that `sql` is logged in as. Without `db-config` the roles' settings
 * are left alone, as in PostgREST. Throws PostgreSQL's error.
 */
export async function loadRoles(sql: Sql, config: { readonly dbConfig: boolean }): Promise<RoleFacts> {
  return await inTransaction(sql, 'isolation level repeatable read read only', async (transaction) => {
    const roles = await jsonCell<RolesRow>(transaction, ROLES);
    if (roles === null) throw new Error('The catalog of roles cannot be read.');
    const rows = config.dbConfig
      ? await jsonCell<readonly RoleSettingRow[]>(transaction, roleSettingsQuery(roles[0]))
      : null;
    return roleFacts(roles, rows);
  });
}
