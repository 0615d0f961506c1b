/** A role for tokens, besides the anonymous one. */
import { uniqueName } from '../postgres.ts';
import type { EdgeDatabase } from './database.ts';

export interface EdgeUser {
  readonly role: string;
  drop(): Promise<void>;
}

/** Makes a role that may do what the anonymous one may. */
export async function createDatabaseUser({ sql, anon, variables }: EdgeDatabase): Promise<EdgeUser> {
  const role = uniqueName('edge_user');
  const login = new URL(variables.PGRST_DB_URI ?? '').username;
  await sql.unsafe(`create role ${role}; grant ${anon} to ${role}; grant ${role} to ${login}`).simple();
  return {
    role,
    drop: async () => {
      await sql.unsafe(`drop role ${role}`).simple();
    },
  };
}
