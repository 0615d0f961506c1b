/** The configuration of programs that run: where it comes from, and that changes of it arrive. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { freePort } from '../../test/cluster.ts';
import { createDatabase, type TestDatabase, uniqueName } from '../../test/postgres.ts';
import { createEdgerest } from '../../worker/edgerest.ts';
import { edgerest, killAll, type Process, says } from './program.fixture.ts';

const [OLD, NEW] = ['the old secret, long enough for HS256', 'the new secret, long enough for HS256'];
const login = uniqueName('reload_login');
const anon = uniqueName('reload_anon');
const author = uniqueName('reload_author');

let database: TestDatabase;
let folder: string;
let file: string;

beforeAll(async () => {
  database = await createDatabase(
    'reload',
    `create role ${login} login noinherit password 'x'; create role ${anon}; create role ${author};
     grant ${anon}, ${author} to ${login};
     create schema v1; grant usage on schema v1 to ${anon}, ${author};
     create table item (id int primary key); insert into item select generate_series(1, 3);
     create table v1.only_here (id int);
     grant select on item, v1.only_here to ${anon}, ${author};
     create function setting(name text) returns text language sql stable as 'select current_setting(name, true)';
     create function v1.setting(name text) returns text language sql stable as 'select current_setting(name, true)';
     create function check_request() returns void language sql as $$
       select set_config('response.headers', '[{"x-checked": "yes"}]', true) $$;`,
  );
});
afterAll(async () => {
  await database.sql.unsafe(`drop owned by ${anon}, ${author}; drop role ${login}, ${anon}, ${author}`).simple();
  await database.drop();
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'edgerest-reload-'));
  file = join(folder, 'test.conf');
});
afterEach(async () => {
  killAll();
  await rm(folder, { recursive: true });
  await database.sql.unsafe(`alter role ${login} reset all; alter role ${anon} reset all`).simple();
});

interface Running {
  readonly process: Process;
  /** The answer's body as text, after its status. */
  get(target: string, token?: string): Promise<string>;
  /** How many lines of its log have these words. */
  count(words: string): number;
  /** Does something, and waits until it has reloaded. */
  reloads(change: () => unknown): Promise<void>;
}

const configOf = (values: Readonly<Record<string, string>>): string =>
  Object.entries(values)
    .map(([name, value]) => `${name} = "${value.replaceAll('$', '$$$$')}"\n`)
    .join('');

/** `serve` with this file, which says where the database is unless it says so itself. */
async function serve(
  values: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string>> = {},
): Promise<Running> {
  const port = await freePort();
  await writeFile(
    file,
    configOf({ 'db-uri': database.uriAs(login, 'x'), 'db-anon-role': anon, 'db-pool': '2', ...values }),
  );
  const process = edgerest(['serve', file], {
    PGRST_SERVER_HOST: '127.0.0.1',
    PGRST_SERVER_PORT: String(port),
    ...env,
  });
  await says(process, /API server listening/);
  const count = (words: string): number => process.said().split(words).length - 1;
  return {
    process,
    count,
    get: async (target, token) => {
      const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
      const response = await fetch(`http://127.0.0.1:${port}${target}`, { headers });
      return `${response.status} ${await response.text()}`;
    },
    reloads: async (change) => {
      const before = count('Config reloaded');
      await change();
      await says(process, new RegExp(`(Config reloaded[\\s\\S]*){${before + 1}}`));
    },
  };
}

const rewrite = (values: Readonly<Record<string, string>>): Promise<void> =>
  writeFile(file, configOf({ 'db-uri': database.uriAs(login, 'x'), 'db-anon-role': anon, 'db-pool': '2', ...values }));

const sign = (secret: string): Promise<string> =>
  new SignJWT({ role: author }).setProtectedHeader({ alg: 'HS256' }).sign(new TextEncoder().encode(secret));

const alter = (setting: string, value: string, role = login): Promise<unknown> =>
  database.sql.unsafe(`alter role ${role} set ${setting} = '${value}'`);

const settingOf = (name: string): string => `/rpc/setting?name=${name}`;

describe('a configuration file', () => {
  test('is read anew on SIGUSR2, all that is reloadable in it', async () => {
    const { process, get, count, reloads } = await serve({
      'jwt-secret': OLD,
      'db-channel-enabled': 'false',
      'app.settings.name': 'John',
    });
    expect(await get(settingOf('app.settings.name'))).toBe('200 "John"');
    expect(await get(settingOf('search_path'))).toBe('200 "\\"public\\", \\"public\\""');
    expect(await get('/item?select=id', await sign(OLD))).toMatch(/^200 /);
    expect(await get('/item?select=id', await sign(NEW))).toMatch(/^401 .*PGRST301/);
    expect(count('listening for database notifications')).toBe(0);
    expect(count('Borrowed a connection')).toBe(0);

    const changed = {
      'jwt-secret': NEW,
      'app.settings.name': 'Jane',
      'db-schemas': 'v1',
      'db-extra-search-path': 'public, v1',
      'db-pre-request': 'public.check_request',
      'db-channel': 'another',
      'log-level': 'debug',
    };
    await reloads(async () => {
      await rewrite(changed);
      process.child.kill('SIGUSR2');
    });
    expect(await get(settingOf('app.settings.name'))).toBe('200 "Jane"');
    expect(await get(settingOf('search_path'))).toBe('200 "\\"v1\\", \\"public\\", \\"v1\\""');
    expect(await get(settingOf('response.headers'))).toContain('x-checked');
    expect(await get('/only_here')).toBe('200 []');
    expect(await get('/only_here', await sign(NEW))).toBe('200 []');
    expect(await get('/only_here', await sign(OLD))).toMatch(/^401 .*PGRST301/);
    expect(count('listening for database notifications on the "another" channel')).toBe(1);
    await reloads(() => database.sql`notify another, 'reload config'`);
    expect(count('Received a config reload message on the "another" channel')).toBe(1);

    // What is written at log-level debug only.
    await says(process, /Borrowed a connection from the pool/);
  });

  test('that became wrong changes nothing and is one line in the log', async () => {
    const { process, get, count, reloads } = await serve({ 'jwt-secret': OLD, 'db-max-rows': '1' });
    await writeFile(file, `db-max-rows = "many"\njwt-secret = "short"`);
    process.child.kill('SIGUSR2');
    await says(process, /Failed reloading config: db-max-rows is "many": it must be a whole number, at least 0\./);
    expect(count('Failed reloading config')).toBe(1);
    expect(await get('/item?select=id', await sign(OLD))).toBe('200 [{"id":1}]');
    expect(process.said()).not.toContain('short');
    await reloads(async () => {
      await rewrite({ 'jwt-secret': OLD, 'db-max-rows': '2' });
      process.child.kill('SIGUSR2');
    });
    expect(await get('/item?select=id')).toBe('200 [{"id":1}, \n {"id":2}]');
  });

  test('may name a secret’s file, which is read anew with it', async () => {
    const secret = join(folder, 'secret');
    await writeFile(secret, `${OLD}\n`);
    const { process, get, reloads } = await serve({ 'jwt-secret': `@${secret}`, 'db-config': 'false' });
    expect(await get('/item?select=id&limit=1', await sign(OLD))).toMatch(/^200 /);
    await writeFile(secret, `${NEW}\n`);
    process.child.kill('SIGUSR1');
    await says(process, /Schema cache loaded[\s\S]*Schema cache loaded/);
    expect(await get('/item?select=id&limit=1', await sign(OLD))).toMatch(/^200 /);
    await reloads(() => process.child.kill('SIGUSR2'));
    expect(await get('/item?select=id&limit=1', await sign(OLD))).toMatch(/^401 /);
    expect(await get('/item?select=id&limit=1', await sign(NEW))).toMatch(/^200 /);
  });
});

describe('the database', () => {
  test('configures the program from its start, and changes it by NOTIFY', async () => {
    await alter('pgrst.db_schemas', 'v1');
    await alter('pgrst.jwt_secret', OLD);
    const { get, count, reloads } = await serve({ 'db-schemas': 'public' }, { PGRST_JWT_SECRET: NEW });
    expect(await get('/only_here', await sign(OLD))).toBe('200 []');
    expect(await get('/only_here', await sign(NEW))).toMatch(/^401 /);
    await alter('pgrst.db_schemas', 'public');
    await alter('pgrst.db_max_rows', '1');
    await alter('statement_timeout', '4321ms', anon);
    await reloads(() => database.sql`notify pgrst, 'reload config'`);
    expect(await get('/item?select=id')).toBe('200 [{"id":1}]');
    expect(await get(settingOf('statement_timeout'))).toBe('200 "4321ms"');
    await alter('pgrst.db_max_rows', '2');
    await reloads(() => database.sql`notify pgrst`);
    expect(await get('/item?select=id')).toBe('200 [{"id":1}, \n {"id":2}]');
    await alter('pgrst.db_max_rows', '3');
    await database.sql`notify pgrst, 'something else'`;
    await reloads(() => database.sql`notify pgrst, 'reload schema'`);
    expect(await get('/item?select=id')).toBe('200 [{"id":1}, \n {"id":2}, \n {"id":3}]');
    expect(count('Received a')).toBe(3);
  });

  test('with a wrong value in it changes nothing', async () => {
    const { process, get, reloads } = await serve({ 'jwt-secret': OLD });
    await alter('pgrst.jwt_role_claim_key', 'role');
    await database.sql`notify pgrst, 'reload config'`;
    await says(
      process,
      /Failed reloading config: pgrst\.jwt_role_claim_key is "role": it must be a path like \$\.role\./,
    );
    expect(await get('/item?select=id&limit=1', await sign(OLD))).toBe('200 [{"id":1}]');
    await alter('pgrst.jwt_role_claim_key', '.role');
    await reloads(() => database.sql`notify pgrst, 'reload config'`);
    await says(process, /Warning: jwt-role-claim-key is in an old form/);
  });

  test('with a wrong value from the beginning ends the start', async () => {
    await alter('pgrst.db_max_rows', 'many');
    const process = edgerest(['serve'], { PGRST_DB_URI: database.uriAs(login, 'x'), PGRST_SERVER_PORT: '0' });
    expect(await process.exited).toBe(1);
    expect(process.said()).toMatch(/: Wrong configuration: pgrst\.db_max_rows is "many": it must be a whole number/);
  });

  test('may be asked through a function; one that is not there is told of', async () => {
    await database.sql.unsafe(`create or replace function pre_config() returns void language sql as $$
      select set_config('pgrst.db_max_rows', '1', true), set_config('pgrst.db_anon_role', '${author}', true) $$`);
    const { process, get } = await serve({ 'db-pre-config': 'public.pre_config' });
    expect(await get('/item?select=id')).toBe('200 [{"id":1}]');
    expect(await get(settingOf('role'))).toBe(`200 "${author}"`);
    await database.sql`drop function pre_config`;
    process.child.kill('SIGUSR2');
    await says(
      process,
      /Failed to query database settings for the config parameters: function public\.pre_config\(\) does/,
    );
    expect(await get('/item?select=id')).toBe('200 [{"id":1}]');
  });
});

test('secret and connection string may come from standard input, once', async () => {
  const port = await freePort();
  const env = {
    PGRST_DB_URI: database.uriAs(login, 'x'),
    PGRST_JWT_SECRET: '@/dev/stdin',
    PGRST_SERVER_HOST: '127.0.0.1',
    PGRST_SERVER_PORT: String(port),
  };
  const process = edgerest(['serve'], env, { input: OLD });
  await says(process, /API server listening/);
  process.child.kill('SIGUSR2');
  await says(process, /Config reloaded/);
  const headers = { authorization: `Bearer ${await sign(OLD)}` };
  expect((await fetch(`http://127.0.0.1:${port}/item?limit=1`, { headers })).status).toBe(200);

  const other = edgerest(
    ['serve'],
    { PGRST_DB_URI: '@/dev/stdin', PGRST_SERVER_PORT: '0' },
    { input: `${env.PGRST_DB_URI}\n` },
  );
  await says(other, /Schema cache loaded/);
});

test('what libpq’s variables say completes the connection string', async () => {
  const { hostname, port, pathname } = new URL(database.uri);
  const process = edgerest(['serve'], {
    PGHOST: hostname,
    PGPORT: port,
    PGDATABASE: pathname.slice(1),
    PGUSER: login,
    PGPASSWORD: 'x',
    PGRST_SERVER_PORT: '0',
  });
  await says(process, /Schema cache loaded/);
});

describe('without automatic recovery', () => {
  const env = (): Record<string, string> => ({
    PGRST_DB_URI: database.uriAs(login, 'x'),
    PGRST_DB_POOL_AUTOMATIC_RECOVERY: 'false',
    PGRST_SERVER_PORT: '0',
  });

  test('a database that is not there ends the start', async () => {
    const uri = new URL(env().PGRST_DB_URI ?? '');
    uri.pathname = '/no_such_database';
    const process = edgerest(['serve'], { ...env(), PGRST_DB_URI: uri.href });
    expect(await process.exited).toBe(1);
    expect(process.said()).toMatch(/Automatic recovery disabled, exiting\./);
  });

  test('a connection that is lost ends the program', async () => {
    const process = edgerest(['serve'], { ...env(), PGAPPNAME: 'without_recovery' });
    await says(process, /API server listening/);
    await database.sql`select pg_terminate_backend(pid) from pg_stat_activity
      where application_name = 'without_recovery' and query like 'LISTEN%'`;
    expect(await process.exited).toBe(1);
    expect(process.said().split('Automatic recovery disabled, exiting.')).toHaveLength(2);
  });
});

test('keys and settings that change reach the workers of a pooler', async () => {
  const port = await freePort();
  const secret = 's'.repeat(32);
  await rewrite({ 'jwt-secret': OLD, 'edgerest-pooler-secret': secret, 'edgerest-pooler-port': String(port) });
  const pooler = edgerest(['pooler', file]);
  await says(pooler, /Pooler listening/);
  const worker = createEdgerest({ url: `http://127.0.0.1:${port}`, secret });
  const get = async (token?: string): Promise<string> => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const response = await worker(new Request('http://localhost/item?select=id', { headers }));
    return `${response.status} ${await response.text()}`;
  };
  expect(await get(await sign(OLD))).toMatch(/^200 /);
  expect(await get()).toMatch(/^200 /);

  await rewrite({ 'jwt-secret': NEW, 'edgerest-pooler-secret': secret, 'edgerest-pooler-port': String(port) });
  pooler.child.kill('SIGUSR2');
  await says(pooler, /Config reloaded/);
  // The worker has the old keys: the pooler refuses what it would let pass, and it asks for new ones before it refuses.
  expect(await get(await sign(OLD))).toMatch(/^401 /);
  const token = await sign(NEW);
  await expect.poll(() => get(token)).toMatch(/^200 /);
  expect(await get(await sign(OLD))).toMatch(/^401 /);
});
