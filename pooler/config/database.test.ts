import { afterAll, beforeAll, expect, test } from 'vitest';
import { qualified } from '../../shared/sql/identifiers.ts';
import { createDatabase, type TestDatabase, uniqueName } from '../../test/postgres.ts';
import { singleConnection } from '../snapshot/client.ts';
import { parseConnectionString } from '../wire/uri.ts';
import { readDatabaseSettings } from './database.ts';

const login = uniqueName('Config "login"');
const named = uniqueName('config_named');
const quoted = `"${login.replaceAll('"', '""')}"`;
let database: TestDatabase;

beforeAll(async () => {
  database = await createDatabase(
    'config',
    `create role ${quoted} login password 'x';
     create role ${named} login password 'x';
     create function public.pre_config() returns void language sql as $$
       select set_config('pgrst.db_schemas', 'of_function', true), set_config('pgrst.db_anon_role', 'function', true),
         set_config('pgrst.jwt_secret', '', true)
     $$;
     create function public.other() returns setof int language sql as $$
       select 1 where set_config('pgrst.db_anon_role', current_user, true) is null
     $$;
     create function public.writes() returns void language sql as 'create table made ()';`,
  );
  const { sql, name } = database;
  await sql
    .unsafe(
      `alter role ${quoted} set pgrst.db_max_rows = '1';
       alter role ${quoted} set pgrst.db_schemas = 'of_role, second = third';
       alter role ${quoted} in database ${name} set pgrst.db_max_rows = '2';
       alter role ${quoted} in database postgres set pgrst.db_max_rows = '3';
       alter role ${quoted} set pgrst.db_uri = 'ignored';
       alter role ${quoted} set pgrst.unknown = 'ignored';
       alter role ${quoted} set statement_timeout = '10s';
       alter role ${named} set pgrst.db_pre_config = 'public.other';
       alter database ${name} set pgrst.db_tx_end = 'rollback';`,
    )
    .simple();
});
afterAll(async () => {
  await database.sql.unsafe(`drop role ${quoted}, ${named}`).simple();
  await database.drop();
});

async function settingsOf(role: string, routine: string | null): Promise<Record<string, string>> {
  const sql = singleConnection(parseConnectionString(database.uriAs(role, 'x'), {}));
  try {
    const read = await readDatabaseSettings(sql, routine === null ? null : qualified('public', routine));
    return Object.fromEntries(read);
  } finally {
    await sql.end();
  }
}

test('settings of the role count, those for this database more, those of the database not', async () => {
  expect(await settingsOf(login, null)).toEqual({ 'db-max-rows': '2', 'db-schemas': 'of_role, second = third' });
});

test('what the function sets counts less than the role, and more than nothing', async () => {
  expect(await settingsOf(login, 'pre_config')).toMatchObject({
    'db-max-rows': '2',
    'db-schemas': 'of_role, second = third',
    'db-anon-role': 'function',
    'jwt-secret': '',
  });
});

test('a function that the role names is called instead', async () => {
  expect(await settingsOf(named, 'pre_config')).toMatchObject({
    'db-pre-config': 'public.other',
    'db-anon-role': named,
  });
});

test('errors are the database’s, and nothing is written', async () => {
  await expect(settingsOf(login, 'select')).rejects.toMatchObject({ code: '42883' });
  await expect(settingsOf(login, 'writes')).rejects.toMatchObject({ code: '25006' });
});
