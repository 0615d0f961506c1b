/** A schema of PostgREST's documentation behind `serve`. */
import { afterAll, beforeAll } from 'vitest';
import { type Answer, type Ask, type Server, startServer } from '../blog/server.ts';
import { createDatabase, type TestDatabase, uniqueName } from '../postgres.ts';

export interface Documented {
  get(target: string, headers?: Readonly<Record<string, string>>): Promise<Answer>;
  ask(method: string, target: string, ask?: Ask): Promise<Answer>;
}

/**
 * Starts a server for the tests of a file: the script runs in the schema `api`, all of which the anonymous role may do, as in the
 * other schemas that are exposed.
 */
export function documented(
  script: string,
  variables: Readonly<Record<string, string>> = {},
  exposed: readonly string[] = ['api'],
): Documented {
  const anon = uniqueName('documented');
  const login = uniqueName('documented_login');
  let database: TestDatabase | undefined;
  let server: Server | undefined;

  beforeAll(async () => {
    const grants = exposed.map(
      (schema) => `grant usage on schema ${schema} to ${anon};
        grant all on all tables in schema ${schema} to ${anon};
        grant all on all sequences in schema ${schema} to ${anon};`,
    );
    database = await createDatabase(
      'documented',
      `create schema api; set search_path = api, public; ${script};
       create role ${anon}; create role ${login} login noinherit password 'x' in role ${anon}; ${grants.join('')}`,
    );
    server = await startServer('serve', {
      PGRST_DB_URI: database.uriAs(login, 'x'),
      PGRST_DB_SCHEMAS: exposed.join(','),
      PGRST_DB_ANON_ROLE: anon,
      PGRST_DB_POOL: '2',
      ...variables,
    });
  });

  afterAll(async () => {
    await server?.stop();
    await database?.sql.unsafe(`drop owned by ${anon}; drop role ${login}, ${anon}`).simple();
    await database?.drop();
  });

  const ask = async (method: string, target: string, more?: Ask): Promise<Answer> => {
    if (server === undefined) throw new Error('the server has not been started');
    return server.ask(method, target, more);
  };
  return { ask, get: (target, headers = {}) => ask('GET', target, { headers }) };
}
