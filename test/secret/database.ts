/** A database with something to steal: the login role is a member of a role that nobody has a token for. */
import { fixedConfig } from '../../pooler/config/configuration.ts';
import { type Pooler, startPooler } from '../../pooler/start.ts';
import { resolveConfig } from '../../shared/config/resolve.ts';
import { createDatabase, type TestDatabase, uniqueName } from '../postgres.ts';

export const poolerSecret = 'a-secret-between-worker-and-pooler-that-was-stolen';
export const jwtSecret = 'a secret that was not stolen, of 32 bytes or more';

/** The treasure of `boss`. */
export const TREASURE = 'sesame';

const script = (login: string, alice: string, boss: string): string => `
  create role ${login} login noinherit password 'pw'; create role ${alice}; create role ${boss};
  grant ${alice}, ${boss} to ${login};
  create schema api; create schema hidden;
  grant usage on schema api, hidden to public;

  create table api.note (id int primary key, owner name default current_user, body text, data jsonb, words tsvector);
  create table api.comment (id int primary key, note_id int references api.note, text text);
  create domain api.color as int;
  create function api.color_json(api.color) returns json language sql immutable return to_json('#' || $1);
  create cast (api.color as json) with function api.color_json(api.color) as implicit;
  create table api.paint (id int primary key, color api.color, price int);
  create table api.reader (note_id int references api.note, paint_id int references api.paint, primary key (note_id, paint_id));
  insert into api.note (id, owner, body) values (1, 'alice', 'one'), (2, 'bob', 'two');
  insert into api.comment values (1, 1, 'first');
  create table api.treasure (word text);
  create table hidden.treasure (word text);
  insert into api.treasure values ('${TREASURE}');
  insert into hidden.treasure values ('${TREASURE}');
  grant all on api.note, api.comment to ${alice}, ${boss};
  grant select on api.treasure, hidden.treasure to ${boss};

  create function api.who() returns name language sql stable return current_user;
  create function api.add(a int, b int) returns int language sql immutable return a + b;
  create function api.echo(q text) returns text language sql immutable return q;
  create function api.echo_out(q text, out a text) language sql immutable return q;
  create function api.echo_table(q text) returns table (a text) language sql immutable begin atomic; select q; end;
  create function api.strict_add(a int) returns int language sql volatile set statement_timeout = '5s' return a + 1;
  create function api.answers(note api.note) returns setof api.comment language sql stable rows 5
    begin atomic; select * from api.comment where note_id = $1.id; end;
  create function hidden.become(name text) returns text language sql volatile return set_config('role', name, true);
  create function hidden.become(note api.note) returns text language sql volatile
    return set_config('role', '${boss}', true);
  create function hidden.become_all(state text, note api.note) returns text language sql
    return set_config('role', '${boss}', true);

  create sequence api.calls;
  grant usage on sequence api.calls to public;
  create function api.called(anyelement) returns int language sql volatile as $$ select nextval('api.calls')::int $$;
  create function api.price(anyelement) returns int language sql volatile as $$ select nextval('api.calls')::int $$;
  create function api.text(anyelement) returns int language sql volatile as $$ select nextval('api.calls')::int $$;
  create function api.note_id(record) returns int language plpgsql volatile as $$ begin return nextval('api.calls'); end $$;
  create function api.leaves(note api.note) returns int language sql volatile begin atomic;
    select pg_advisory_lock(5); select $1.id; end;

  grant select on api.reader to ${alice};
  insert into api.paint values (1, 255);
  grant all on api.paint to ${alice};

  create domain api."text/note" as text;
  create function api.note_text(state text, note api.note) returns text language sql immutable
    return state || $2.body;
  create aggregate api.notes(api.note) (sfunc = api.note_text, stype = text, initcond = '');
  create domain hidden.evil as int check (set_config('role', '${boss}', true) is not null);
  create function api.note_final(state text) returns api."text/note" language sql immutable return state;
  create aggregate api.text_notes(api.note)
    (sfunc = api.note_text, stype = text, initcond = '', finalfunc = api.note_final);`;

export interface SecretDatabase extends TestDatabase {
  readonly alice: string;
  readonly boss: string;
  /** PGRST_* and EDGEREST_* variables of a pooler in front of it. */
  readonly variables: Readonly<Record<string, string>>;
}

export async function createSecretDatabase(): Promise<SecretDatabase> {
  const [login, alice, boss] = [uniqueName('login'), uniqueName('alice'), uniqueName('boss')];
  const database = await createDatabase('secret', script(login, alice, boss));
  return {
    ...database,
    alice,
    boss,
    variables: {
      PGRST_DB_URI: database.uriAs(login, 'pw'),
      PGRST_DB_SCHEMAS: 'api',
      PGRST_DB_ANON_ROLE: alice,
      PGRST_DB_POOL: '2',
      PGRST_DB_PLAN_ENABLED: 'true',
      PGRST_DB_AGGREGATES_ENABLED: 'true',
      PGRST_DB_HOISTED_TX_SETTINGS: 'statement_timeout, role, search_path',
      PGRST_JWT_SECRET: jwtSecret,
      // What the tests ask to be rolled back is.
      PGRST_DB_TX_END: 'commit-allow-override',
      EDGEREST_POOLER_SECRET: poolerSecret,
    },
    drop: async () => {
      await database.sql
        .unsafe(`drop owned by ${login}, ${alice}, ${boss}; drop role ${login}, ${alice}, ${boss}`)
        .simple();
      await database.drop();
    },
  };
}

/** A pooler in front of it that looks at no statement. */
export async function startUnchecked({ variables }: SecretDatabase): Promise<Pooler> {
  const { config, errors } = resolveConfig({ env: variables });
  if (config === null) throw new Error(errors.join());
  return await startPooler({
    configuration: fixedConfig(config),
    trust: () => ({ kind: 'process' }),
    observe: () => undefined,
    onFatal: (reason) => {
      throw new Error(reason);
    },
  });
}
