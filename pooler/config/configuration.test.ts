import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parameters } from '../../shared/config/parameters.ts';
import { createDatabase, type TestDatabase, uniqueName } from '../../test/postgres.ts';
import { singleConnection } from '../snapshot/client.ts';
import { parseConnectionString } from '../wire/uri.ts';
import { Configuration, ConfigurationError } from './configuration.ts';

const SECRET = 'reallyreallyreallyreallyverysafe';
const login = uniqueName('configuration');
let database: TestDatabase;
let sql: postgres.Sql;
let folder: string;
let file: string;

beforeAll(async () => {
  database = await createDatabase('configuration', `create role ${login} login password 'x'`);
  sql = singleConnection(parseConnectionString(database.uriAs(login, 'x'), {}));
});
afterAll(async () => {
  await sql.end();
  await database.sql.unsafe(`drop role ${login}`);
  await database.drop();
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'edgerest-config-'));
  file = join(folder, 'test.conf');
});
afterEach(async () => {
  rmSync(folder, { recursive: true });
  await database.sql.unsafe(`alter role ${login} reset all`);
});

const write = (text: string): void => writeFileSync(file, text);
const setInDatabase = (name: string, value: string): Promise<unknown> =>
  database.sql.unsafe(`alter role ${login} set pgrst.${name} = '${value}'`);

interface Open {
  readonly configuration: Configuration;
  readonly reports: string[];
}

function open(text: string, env: Readonly<Record<string, string>> = {}): Open {
  write(text);
  const reports: string[] = [];
  const configuration = new Configuration({ env, file, report: (message) => reports.push(message) });
  return { configuration, reports };
}

test('the database is stronger than the environment, which is stronger than the file', async () => {
  await setInDatabase('db_max_rows', '3');
  const { configuration, reports } = open('db-max-rows = 1\ndb-schemas = "file"\ndb-anon-role = "file"', {
    PGRST_DB_MAX_ROWS: '2',
    PGRST_DB_SCHEMAS: 'env',
  });
  expect(configuration.current).toMatchObject({ dbMaxRows: 2, dbSchemas: ['env'], dbAnonRole: 'file' });
  const config = await configuration.read(sql, false);
  expect(config).toMatchObject({ dbMaxRows: 3, dbSchemas: ['env'], dbAnonRole: 'file' });
  expect(configuration.current).toBe(config);
  expect(reports).toEqual([]);
});

test('what is wrong at the start is thrown, with a line for each', () => {
  expect(() => open('db-pool = 0\nlog-level = "loud"')).toThrow(
    new ConfigurationError([
      'db-pool is "0": it must be a whole number from 1 to 10000.',
      'log-level is "loud": it must be one of crit, error, warn, info, debug.',
    ]),
  );
  expect(() => open('db-pool: 1')).toThrow(new ConfigurationError([`${file}, line 1, column 8: = or { is expected.`]));
  const report = (): void => undefined;
  expect(() => new Configuration({ env: {}, file: '/no/such/file', report })).toThrow(
    /\/no\/such\/file cannot be read/,
  );
});

describe('without db-config', () => {
  test('file and secrets are read anew only when they are said to have changed', async () => {
    await setInDatabase('db_max_rows', '3');
    const secret = join(folder, 'secret');
    writeFileSync(secret, SECRET);
    const text = `db-config = false\njwt-secret = "@${secret}"\n`;
    const { configuration } = open(`${text}db-max-rows = 1`);
    const before = await configuration.read(sql, false);
    expect(before.dbMaxRows).toBe(1);
    write(`${text}db-max-rows = 2`);
    writeFileSync(secret, `${SECRET}2`);
    expect(await configuration.read(sql, false)).toBe(before);
    const after = await configuration.read(sql, true);
    expect(after).toMatchObject({ dbMaxRows: 2, jwtSecret: `${SECRET}2` });
    expect(after.jwtKeys).not.toEqual(before.jwtKeys);
  });
});

describe('with db-config', () => {
  test('all is read anew each time', async () => {
    const { configuration } = open('db-max-rows = 1');
    expect((await configuration.read(sql, false)).dbMaxRows).toBe(1);
    write('db-max-rows = 2');
    expect((await configuration.read(sql, false)).dbMaxRows).toBe(2);
    await setInDatabase('db_max_rows', '3');
    expect((await configuration.read(sql, false)).dbMaxRows).toBe(3);
  });

  test('a wrong value keeps what there was, in one line', async () => {
    const { configuration, reports } = open('db-max-rows = 1');
    const before = await configuration.read(sql, false);
    await setInDatabase('db_max_rows', 'many');
    await setInDatabase('jwt_secret', 'hunter2');
    expect(await configuration.read(sql, true)).toBe(before);
    write('db-max-rows');
    expect(await configuration.read(sql, true)).toBe(before);
    expect(reports).toEqual([
      'Failed reloading config: pgrst.db_max_rows is "many": it must be a whole number, at least 0.',
      expect.stringMatching(/^Failed reloading config: .*test\.conf, line 1, column 12: = or \{ is expected\.$/),
    ]);
    write('');
    await database.sql.unsafe(`alter role ${login} reset all`);
    expect(await configuration.read(sql, true)).toMatchObject({ dbMaxRows: null });
  });

  test('a wrong value from the beginning is thrown, as there is nothing to keep', async () => {
    await setInDatabase('db_max_rows', 'many');
    const { configuration } = open('');
    await expect(configuration.read(sql, false)).rejects.toThrow(ConfigurationError);
  });

  test('a function that fails is told of; what the database said before counts', async () => {
    await setInDatabase('db_max_rows', '3');
    const { configuration, reports } = open('');
    await configuration.read(sql, false);
    write('db-pre-config = "no_such.function"\ndb-anon-role = "new"');
    expect(await configuration.read(sql, false)).toMatchObject({ dbMaxRows: 3, dbAnonRole: 'new' });
    expect(reports).toEqual([
      'Failed to query database settings for the config parameters: schema "no_such" does not exist',
    ]);
  });

  test('a database that is away fails the reading', async () => {
    const { configuration } = open('');
    const away = postgres('postgresql://x@127.0.0.1:1/x', { max: 1, connect_timeout: 1 });
    await expect(configuration.read(away, false)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await away.end();
  });
});

test('what cannot be changed is kept, and told of once', async () => {
  const { configuration, reports } = open('db-pool = 2\nserver-port = 3001\nlog-level = "warn"');
  write('db-pool = 3\nserver-port = 3002\nlog-level = "info"');
  for (let i = 0; i < 2; i++) {
    expect(await configuration.read(sql, true)).toMatchObject({ dbPool: 2, serverPort: 3001, logLevel: 'info' });
  }
  expect(reports).toEqual(['Warning: Set to something else, which takes a restart: db-pool, server-port.']);
});

test('what can be read only once is kept', async () => {
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  execFileSync('sh', ['-c', `printf %s ${SECRET} > ${pipe} &`], { stdio: 'ignore' });
  const { configuration } = open(`jwt-secret = "@${pipe}"`);
  expect((await configuration.read(sql, true)).jwtSecret).toBe(SECRET);
});

test('what is set is told apart from a default', () => {
  const { configuration } = open('db-pool = 10', { PGRST_SERVER_PORT: '3000' });
  const { dbPool, serverPort, serverHost } = parameters;
  expect([dbPool, serverPort].map(configuration.isSet)).toEqual([true, true]);
  expect(configuration.isSet(serverHost)).toBe(false);
});
