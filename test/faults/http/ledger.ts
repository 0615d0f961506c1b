/** The database of the tests over HTTP: what requests write is told apart by nonces, and what they see tells whose they are. */
import type postgres from 'postgres';

export interface Names {
  readonly login: string;
  readonly roles: readonly [string, ...string[]];
}

export const PASSWORD = 'the-password-of-the-fault-tests';

/**
 * The schema `api`:
 * - `ledger`: a row for each write, with who made it under which claims. Its parent is checked at the commit.
 * - `counter`: rows that everybody wants to lock; `bump` counts in them.
 * - `shape`: what DDL is done to.
 * - `me`: who asks, for plain reads: no function is called for it.
 * - functions that answer late, too late, with a lot, also in the head, or leave all there is to leave in a session.
 */
export const ledgerSchema = ({ login, roles }: Names): string => `
  create role ${login} login noinherit password '${PASSWORD}';
  create schema api;
  create table api.parent (id int primary key); insert into api.parent values (1);
  create table api.ledger (
    nonce text primary key,
    who name not null default current_user,
    claims text not null default current_setting('request.jwt.claims'),
    parent int not null default 1 references api.parent deferrable initially deferred,
    filler text not null default ''
  );
  alter table api.ledger enable row level security;
  create policy own on api.ledger using (who = current_user) with check (who = current_user);
  create table api.counter (id int primary key, n int not null); insert into api.counter values (0, 0), (1, 0);
  create table api.shape (nonce text primary key, extra int default 0);
  create view api.me as select current_user::text as who, current_setting('request.jwt.claims') as claims,
    current_setting('request.headers')::json ->> 'x-nonce' as nonce;

  create function api.whoami(nonce text, size int default 0) returns json language sql stable return json_build_object(
    'nonce', nonce, 'who', current_user, 'claims', current_setting('request.jwt.claims'),
    'header', current_setting('request.headers')::json ->> 'x-nonce', 'filler', repeat('x', size));
  -- With more in the head than some proxies let pass.
  create function api.headed(nonce text, size int) returns json language sql stable begin atomic;
    select api.whoami(nonce, size) where set_config('response.headers', json_build_array(json_build_object('X-Filler', repeat('h', 9000)))::text, true) <> ''; end;
  create function api.nap(nonce text, seconds float) returns text language sql volatile begin atomic;
    insert into api.ledger (nonce) values (nonce); select nonce from pg_sleep(seconds); end;
  create function api.late(nonce text) returns text language sql volatile set statement_timeout = '20ms' begin atomic;
    insert into api.ledger (nonce) values (nonce); select nonce from pg_sleep(60); end;
  create function api.bump(nonce text) returns text language plpgsql volatile as $$ begin
    insert into api.ledger (nonce) values (nonce);
    update api.counter set n = n + 1 where id = abs(hashtext(nonce)) % 2;
    return nonce;
  end $$;
  create function api.full_disk(nonce text) returns text language plpgsql volatile as $$ begin
    insert into api.ledger (nonce) values (nonce);
    raise sqlstate '53100' using message = 'could not extend file: No space left on device';
  end $$;
  create function api.spill(nonce text) returns bigint language sql volatile set work_mem = '64kB' begin atomic;
    insert into api.ledger (nonce) values (nonce);
    select count(*) from (select n, repeat('x', 100) from generate_series(1, 100000) n order by 2, 1 desc) as sorted; end;

  create function api.leave_state(nonce text) returns text language plpgsql volatile as $$ begin
    insert into api.ledger (nonce) values (nonce);
    perform set_config('left.behind', nonce, false), set_config('search_path', 'pg_temp', false),
      set_config('request.jwt.claims', '{"nonce":"left behind"}', false), set_config('work_mem', '65kB', false),
      set_config('statement_timeout', '1h', false), pg_advisory_lock(hashtext(nonce)), setval('api.left', 7), nextval('api.left');
    execute format('set session role %I', current_user);
    execute 'create temp table if not exists ledger (nonce text, who text, claims text)';
    execute 'listen left_behind';
    if not exists (select from pg_cursors where name = 'left_cursor') then
      execute 'declare left_cursor cursor with hold for select 1'; end if;
    return nonce;
  end $$;
  create function api.prepare(nonce text) returns text language plpgsql volatile as $$ begin
    insert into api.ledger (nonce) values (nonce);
    execute format('prepare %I as select %L', 'left_' || substr(md5(nonce), 1, 8), nonce);
    return nonce;
  end $$;
  create sequence api.left;
  create function api.leftovers() returns json language sql stable begin atomic; select json_strip_nulls(json_build_object(
    'setting', nullif(current_setting('left.behind', true), ''),
    'changed', (select json_agg(name) from pg_settings where source = 'session' and name in ('work_mem', 'statement_timeout')),
    'channels', (select json_agg(c) from pg_listening_channels() c),
    'locks', (select json_agg(objid) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()),
    'temporary', (select json_agg(relname) from pg_class where relnamespace = pg_my_temp_schema() and pg_my_temp_schema() <> 0),
    'prepared', (select json_agg(name) from pg_prepared_statements where from_sql),
    'cursors', (select json_agg(name) from pg_cursors where name = 'left_cursor'))); end;
  -- Answers from several connections at once, each with what was left in it.
  create function api.hold(seconds float) returns json language sql volatile begin atomic;
    select json_build_object('pid', pg_backend_pid(), 'left', api.leftovers()) from pg_sleep(seconds); end;
  create view api.through_view as select api.leftovers() as left;

  ${roles.map((role) => roleScript(login, role)).join('\n')}`;

/** Empties what requests write: a test that is tried again has the same nonces. */
export async function clearLedger(sql: postgres.Sql): Promise<void> {
  await sql.unsafe('truncate api.ledger, api.shape; update api.counter set n = 0').simple();
}

/** A role that requests may have. */
export const roleScript = (login: string, role: string): string => `
  create role ${role}; grant ${role} to ${login}; grant usage on schema api to ${role};
  grant select, insert, update on all tables in schema api to ${role}; grant usage, select, update on sequence api.left to ${role};`;
