import postgres from 'postgres';
import { afterEach, expect, test } from 'vitest';
import type { RoleFacts } from '../../shared/transaction/role-facts.ts';
import { createDatabase, type TestDatabase, uniqueName } from '../../test/postgres.ts';
import { loadRoles } from './roles.ts';

const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function factsOf(database: TestDatabase, login: string, dbConfig = true): Promise<RoleFacts> {
  const sql = postgres(database.uriAs(login, 'secret'), { max: 1, fetch_types: false });
  try {
    return await loadRoles(sql, { dbConfig });
  } finally {
    await sql.end();
  }
}

async function prepared(): Promise<{ readonly database: TestDatabase; readonly name: (role: string) => string }> {
  const prefix = uniqueName('roles');
  const name = (role: string): string => `${prefix}_${role}`;
  const all = ['login', 'web', 'plain', 'stranger', 'root', 'seer'].map(name);
  const database = await createDatabase(
    'roles',
    `
    create role ${name('login')} login noinherit password 'secret';
    create role ${name('web')}; create role ${name('plain')}; create role ${name('stranger')};
    create role ${name('root')} superuser; create role ${name('seer')} bypassrls;
    grant ${name('web')}, ${name('plain')}, ${name('root')} to ${name('login')};
    alter role ${name('web')} set statement_timeout = '3s';
    alter role ${name('web')} set default_transaction_isolation = 'repeatable read';
    alter role ${name('web')} set search_path = a, "b c";
    alter role ${name('web')} set log_min_duration_statement = '1s';
    alter role ${name('plain')} set default_transaction_isolation = 'read uncommitted';
    alter role ${name('stranger')} set statement_timeout = '9s';
    `,
  );
  cleanups.push(async () => {
    await database.sql.unsafe(`drop owned by ${all.join()}; drop role ${all.join()}`).simple();
    await database.drop();
  });
  return { database, name };
}

test('settings and isolation of the roles granted to the login role, as far as it may set them', async () => {
  const { database, name } = await prepared();
  const facts = await factsOf(database, name('login'));
  expect(facts.login).toBe(name('login'));
  expect([...facts.settings]).toEqual([
    [
      name('web'),
      [
        ['statement_timeout', '3s'],
        ['search_path', 'a, "b c"'],
      ],
    ],
  ]);
  expect([...facts.isolation].sort()).toEqual(
    [
      [name('web'), 'repeatable read'],
      [name('plain'), 'read committed'],
    ].sort(),
  );
});

test('a privileged setting counts once the login role may set it', async () => {
  const { database, name } = await prepared();
  await database.sql.unsafe(`grant set on parameter log_min_duration_statement to ${name('login')}`);
  const facts = await factsOf(database, name('login'));
  expect(facts.settings.get(name('web'))?.map(([setting]) => setting)).toEqual([
    'statement_timeout',
    'search_path',
    'log_min_duration_statement',
  ]);
});

test('without db-config the settings are left alone', async () => {
  const { database, name } = await prepared();
  const facts = await factsOf(database, name('login'), false);
  expect(facts.settings.size + facts.isolation.size).toBe(0);
  expect(facts.refused).toContain(name('root'));
});

test('superusers, BYPASSRLS and the login role are refused', async () => {
  const { database, name } = await prepared();
  const { refused } = await factsOf(database, name('login'));
  const refusedOf = (role: string): boolean => refused.has(name(role));
  expect(['login', 'root', 'seer'].map(refusedOf)).toEqual([true, true, true]);
  expect(['web', 'plain', 'stranger'].map(refusedOf)).toEqual([false, false, false]);
});

test('a login role that inherits is told from one that does not', async () => {
  const { database, name } = await prepared();
  expect((await factsOf(database, name('login'))).inherits).toEqual([]);
  await database.sql.unsafe(`grant ${name('plain')} to ${name('login')} with inherit true`);
  expect((await factsOf(database, name('login'))).inherits).toEqual([name('plain')]);
});
