/** A database behind a worker without a pooler. */
import { SignJWT } from 'jose';
import { createDatabase, type TestDatabase, uniqueName } from '../postgres.ts';

const SECRET = 'a secret for the tokens of these tests';
const password = 'the-password-of-the-login-role';

export interface StandaloneDatabase extends TestDatabase {
  readonly login: string;
  readonly anon: string;
  readonly author: string;
  /** The connection string of the login role. */
  readonly loginUri: string;
  /** What the worker reads, but for how it reaches the database. */
  readonly bindings: Readonly<Record<string, string>>;
  token(claims?: Readonly<Record<string, unknown>>): Promise<string>;
}

const schema = (login: string, anon: string, author: string): string => `
  create role ${login} login noinherit password '${password}'; create role ${anon}; create role ${author};
  grant ${anon}, ${author} to ${login}; alter role ${author} set statement_timeout = '7s';
  create schema api; grant usage on schema api to ${anon}, ${author};
  create table api.item (id int primary key, name text not null unique deferrable initially deferred, done boolean, data jsonb, at timestamptz);
  insert into api.item values (1, 'one', true, '{"a": [1, "x"]}', '2026-11-24T00:00:00Z'), (2, 'two', false, null, null), (3, 'three', null, '[]', null);
  create table api.part (id int primary key, item_id int references api.item, name text);
  insert into api.part values (10, 1, 'bolt'), (11, 1, 'nut');
  create table api.file (id int primary key, content bytea);
  grant all on all tables in schema api to ${author}; grant select on api.item, api.part to ${anon};

  create function api.who() returns json language sql stable as $$ select json_build_object(
    'role', current_user, 'claims', current_setting('request.jwt.claims', true)::json, 'method', current_setting('request.method'),
    'app', current_setting('app.settings.name', true), 'timeout', current_setting('statement_timeout'),
    'isolation', current_setting('transaction_isolation'), 'read_only', current_setting('transaction_read_only')) $$;
  create function api.fail() returns int language plpgsql as $$ begin raise sqlstate 'PT418' using message = 'on purpose'; end $$;
  create function api.nul(text) returns text language sql immutable as 'select $1';
  create function api.length(bytea) returns int language sql immutable return octet_length($1);
  create domain api."application/octet-stream" as bytea;
  create function api.bytes() returns api."application/octet-stream" language sql immutable as $$ select '\\x00ff10'::bytea $$;
  create function api.careful() returns int language plpgsql volatile set default_transaction_isolation = 'serializable'
    as $$ begin return 1; end $$;
  create function api.terminate() returns int language sql volatile security definer as 'select pg_terminate_backend(pg_backend_pid())::int';
  create function api.check_request() returns void language plpgsql as $$ begin
    if current_setting('request.headers')::json->>'x-forbidden' is not null then raise insufficient_privilege; end if; end $$;`;

export async function createStandaloneDatabase(): Promise<StandaloneDatabase> {
  const [login, anon, author] = [uniqueName('alone_login'), uniqueName('alone_anon'), uniqueName('alone_author')];
  const database = await createDatabase('alone', schema(login, anon, author));
  return {
    ...database,
    login,
    anon,
    author,
    loginUri: database.uriAs(login, password),
    bindings: {
      PGRST_DB_SCHEMAS: 'api',
      PGRST_DB_ANON_ROLE: anon,
      PGRST_JWT_SECRET: SECRET,
      PGRST_DB_PRE_REQUEST: 'api.check_request',
      PGRST_DB_TX_END: 'commit-allow-override',
      PGRST_APP_SETTINGS_name: 'a value',
    },
    token: (claims = {}) =>
      new SignJWT({ role: author, ...claims })
        .setProtectedHeader({ alg: 'HS256' })
        .sign(new TextEncoder().encode(SECRET)),
    drop: async () => {
      await database.sql
        .unsafe(`drop owned by ${login}, ${anon}, ${author}; drop role ${login}, ${anon}, ${author}`)
        .simple();
      await database.drop();
    },
  };
}
