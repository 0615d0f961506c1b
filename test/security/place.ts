/** The programs of the tests on security, on one small database. */
import { afterAll, beforeAll } from 'vitest';
import { freePort } from '../cluster.ts';
import { type Program, startProgram } from '../edge/program.ts';
import { ledgerSchema, type Names, PASSWORD } from '../faults/http/ledger.ts';
import { JWT_SECRET } from '../faults/http/questions.ts';
import { createDatabase, type TestDatabase, uniqueName } from '../postgres.ts';

export const POOLER_SECRET = 'a-secret-between-the-halves-in-the-tests-of-security';

export interface Place {
  readonly names: Names;
  readonly database: TestDatabase;
  /** Where the pooler's admin server and the API's are. */
  readonly adminPorts: { readonly pooler: number; readonly serve: number };
  readonly pooler: Program;
  readonly serve: Program;
}

/** Makes it before the tests of a file and removes it afterwards. */
export function place(
  prefix: string,
  variables: Readonly<Record<string, string>> = {},
  script: (names: Names) => string = () => '',
  /** Roles that the script makes. */
  others: (names: Names) => readonly string[] = () => [],
): () => Place {
  let made: Place | undefined;
  beforeAll(async () => {
    const names: Names = {
      login: uniqueName(`${prefix}_login`),
      roles: [uniqueName(`${prefix}_alice`), uniqueName(`${prefix}_bob`)],
    };
    const database = await createDatabase(prefix, ledgerSchema(names) + script(names));
    const adminPorts = { pooler: await freePort(), serve: await freePort() };
    const own = (adminPort: number) => ({
      PGRST_DB_URI: database.uriAs(names.login, PASSWORD),
      PGRST_DB_SCHEMAS: 'api',
      PGRST_DB_ANON_ROLE: names.roles[0],
      PGRST_DB_POOL: '2',
      PGRST_JWT_SECRET: JWT_SECRET,
      PGRST_ADMIN_SERVER_HOST: '127.0.0.1',
      PGRST_ADMIN_SERVER_PORT: String(adminPort),
      EDGEREST_POOLER_SECRET: POOLER_SECRET,
      ...variables,
    });
    const pooler = await startProgram('pooler', own(adminPorts.pooler));
    const serve = await startProgram('serve', own(adminPorts.serve));
    made = { names, database, adminPorts, pooler, serve };
  });
  afterAll(async () => {
    if (made === undefined) return;
    const { serve, pooler, names, database } = made;
    await Promise.all([serve.stop(), pooler.stop()]);
    const roles = [...names.roles, ...others(names)].join();
    await database.sql.unsafe(`drop owned by ${roles}, ${names.login}; drop role ${names.login}, ${roles}`).simple();
    await database.drop();
  });
  return () => {
    if (made === undefined) throw new Error('not made yet');
    return made;
  };
}

export const portOf = ({ url }: Program): number => Number(new URL(url).port);
