/** A database behind the programs under test, with a login role and an anonymous role of its own. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createDatabase, type TestDatabase, uniqueName } from '../postgres.ts';

/** At least 32 bytes each. */
export const jwtSecret = 'a secret for the tokens of these tests';
export const poolerSecret = 'a-secret-between-the-worker-and-the-pooler';

/** What a session of the pool is doing. */
export interface Session {
  readonly state: string | null;
  readonly query: string;
}

export interface EdgeDatabase extends TestDatabase {
  readonly anon: string;
  /** PGRST_* variables that put it behind a program. */
  readonly variables: Readonly<Record<string, string>>;
  /** The sessions that carry requests; those for LISTEN and for the schema cache are not among them. */
  sessions(): Promise<readonly Session[]>;
  /** Waits until the sessions are such. */
  untilSessions(are: (sessions: readonly Session[]) => boolean): Promise<void>;
}

/** How many connections carry requests. */
export const POOL_SIZE = 4;

const password = 'the login role of these tests';

const schema = (login: string, anon: string): string => `
  create role ${login} login noinherit password '${password}'; create role ${anon}; grant ${anon} to ${login};
  create schema api; grant usage, create on schema api to ${anon};
  alter default privileges in schema api grant all on tables to ${anon};

  create table api.item (id int primary key, name text not null);
  insert into api.item select n, 'item ' || n from generate_series(1, 1000) n;

  create function api.echo(nonce text, padding int default 0) returns json language sql stable
    return json_build_object('nonce', nonce, 'role', current_user, 'padding', repeat('x', padding));
  create function api.lines(nonce text, count int) returns setof text language sql stable
    return nonce || ' ' || generate_series(1, count);
  create function api.sleep(nonce text) returns text language sql volatile
    begin atomic; select nonce from pg_sleep(600); end;

  create table api.written (nonce text not null);
  create sequence api.executions; grant all on sequence api.executions to ${anon};
  create function api.write_once_locked(nonce text) returns void language sql volatile begin atomic;
    select nextval('api.executions');
    select pg_advisory_xact_lock(1);
    insert into api.written values (nonce);
  end;`;

/** Makes it. The sessions of `PGRST_DB_URI` are told from others' by the login role, which is this database's own. */
export async function createEdgeDatabase(): Promise<EdgeDatabase> {
  const login = uniqueName('edge_login');
  const anon = uniqueName('edge_anon');
  const database = await createDatabase('edge', schema(login, anon));
  const sessions = async (): Promise<readonly Session[]> => {
    return await database.sql<Session[]>`select state, query from pg_stat_activity
      where usename = ${login} and query !~* '^listen' order by backend_start`;
  };
  return {
    ...database,
    anon,
    variables: {
      PGRST_DB_URI: database.uriAs(login, password),
      PGRST_DB_SCHEMAS: 'api',
      PGRST_DB_ANON_ROLE: anon,
      PGRST_DB_POOL: String(POOL_SIZE),
      PGRST_JWT_SECRET: jwtSecret,
    },
    sessions,
    untilSessions: async (are) => {
      while (!are(await sessions())) await sleep(20);
    },
    drop: async () => {
      await database.sql.unsafe(`drop owned by ${login}, ${anon}; drop role ${login}, ${anon}`).simple();
      await database.drop();
    },
  };
}
