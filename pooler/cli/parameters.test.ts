/** Parameters in effect: what each changes for those who ask the API or watch the program. */
import { SignJWT } from 'jose';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../../test/cluster.ts';
import { createDatabase, type TestDatabase, uniqueName } from '../../test/postgres.ts';
import { edgerest, killAll, type Process, says } from './program.fixture.ts';

const login = uniqueName('param_login');
const anon = uniqueName('param_anon');
const SECRET = 'reallyreallyreallyreallyverysafe';

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase(
    'param',
    `create role ${login} login noinherit password 'x'; create role ${anon}; grant ${anon} to ${login};
     create table item (id int primary key, name text); insert into item values (1, 'one'), (2, 'two');
     create table part (id int primary key, item int references item);
     grant select, insert on item, part to ${anon};
     create function root() returns json language sql stable as $$ select '{"root": true}'::json $$;
     create function memory() returns text language sql stable set work_mem = '3000kB' set statement_timeout = '9s'
       as $$ select current_setting('work_mem') || ' ' || current_setting('statement_timeout') $$;
     create function memory_of_transaction() returns text language plpgsql stable set work_mem = '3000kB' as $$
       begin return current_setting('work_mem'); end $$;
     create function prepared() returns int language sql volatile as 'select count(*)::int from pg_prepared_statements';
     create function leave() returns void language sql volatile as $$ select set_config('left.behind', 'x', false) $$;
     create function left_behind() returns text language sql stable as $$ select current_setting('left.behind', true) $$;
     create function nap(seconds float) returns int language sql volatile as 'select 1 from pg_sleep(seconds)';
     create function pid() returns int language sql stable as 'select pg_backend_pid()';
     create function role_of() returns text language sql stable as 'select current_user::text';`,
  );
});
afterAll(async () => {
  await database.sql.unsafe(`drop owned by ${anon}; drop role ${login}, ${anon}`).simple();
  await database.drop();
});
afterEach(async () => {
  killAll();
  await database.sql.unsafe(`alter role ${login} reset all`);
});

interface Running {
  readonly process: Process;
  readonly url: string;
  ask(target: string, init?: RequestInit): Promise<Response>;
  text(target: string, init?: RequestInit): Promise<string>;
}

async function serve(env: Readonly<Record<string, string>>): Promise<Running> {
  const port = await freePort();
  const process = edgerest(['serve'], {
    PGRST_DB_URI: database.uriAs(login, 'x'),
    PGRST_DB_ANON_ROLE: anon,
    PGRST_DB_POOL: '1',
    PGRST_SERVER_HOST: '127.0.0.1',
    PGRST_SERVER_PORT: String(port),
    ...env,
  });
  await says(process, /API server listening/);
  const url = `http://127.0.0.1:${port}`;
  const ask = (target: string, init?: RequestInit): Promise<Response> => fetch(url + target, init);
  return { process, url, ask, text: async (target, init) => (await ask(target, init)).text() };
}

const post = { method: 'POST' } as const;

test('what the worker answers', async () => {
  const { ask, text } = await serve({
    PGRST_CLIENT_ERROR_VERBOSITY: 'minimal',
    PGRST_DB_AGGREGATES_ENABLED: 'true',
    PGRST_DB_PLAN_ENABLED: 'true',
    PGRST_DB_MAX_ROWS: '1',
    PGRST_DB_ROOT_SPEC: 'root',
    PGRST_DB_TX_END: 'rollback-allow-override',
    PGRST_DB_HOISTED_TX_SETTINGS: 'work_mem',
    PGRST_SERVER_CORS_ALLOWED_ORIGINS: 'http://a.example, http://b.example',
    PGRST_SERVER_TIMING_ENABLED: 'true',
    PGRST_SERVER_TRACE_HEADER: 'X-Request-Id',
    PGRST_URL_USE_LEGACY_TARGET_NAMES: 'false',
  });
  expect(JSON.parse(await text('/nothing'))).toEqual({ code: 'PGRST205', message: expect.any(String) });
  expect(await text('/item?select=count()')).toBe('[{"count":2}]');
  expect((await ask('/item', { headers: { accept: 'application/vnd.pgrst.plan+json' } })).status).toBe(200);
  expect(await text('/item?select=id')).toBe('[{"id":1}]');
  expect(await text('/')).toBe('{"root": true}');
  expect(await text('/rpc/memory_of_transaction')).toBe('"3000kB"');

  const headers = { 'content-type': 'application/json', prefer: 'return=representation' };
  const body = '{"id": 3}';
  expect((await ask('/item?select=id', { ...post, headers, body })).status).toBe(201);
  expect((await ask('/item?select=id', { ...post, headers, body })).status).toBe(201);

  const answer = await ask('/item', { headers: { origin: 'http://b.example', 'x-request-id': 'abc' } });
  expect(answer.headers.get('access-control-allow-origin')).toBe('http://b.example');
  expect(answer.headers.get('x-request-id')).toBe('abc');
  expect(answer.headers.get('server-timing')).toMatch(/jwt;dur=.*transaction;dur=/);
  const stranger = await ask('/item', { headers: { origin: 'http://c.example' } });
  expect(stranger.headers.get('access-control-allow-origin')).toBeNull();

  expect((await ask('/item?select=id,parts:part(id)&part.id=eq.1')).status).toBe(400);
  expect((await ask('/item?select=id,parts:part(id)&parts.id=eq.1')).status).toBe(200);
});

test('whom it trusts', async () => {
  const key = new TextEncoder().encode(SECRET);
  const sign = (claims: Record<string, unknown>): Promise<string> =>
    new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(key);
  const { ask, text } = await serve({
    PGRST_DB_ANON_ROLE: '',
    PGRST_JWT_SECRET: Buffer.from(SECRET).toString('base64url'),
    PGRST_JWT_SECRET_IS_BASE64: 'true',
    PGRST_JWT_AUD: 'here',
    PGRST_JWT_ROLE_CLAIM_KEY: '$.app.roles[1]',
    PGRST_JWT_CACHE_MAX_ENTRIES: '0',
    PGRST_OPENAPI_MODE: 'disabled',
  });
  const as = async (claims: Record<string, unknown>) => ({
    headers: { authorization: `Bearer ${await sign(claims)}` },
  });
  const app = { roles: ['x', anon] };
  expect(await text('/rpc/role_of', await as({ aud: 'here', app }))).toBe(`"${anon}"`);
  expect(await text('/rpc/role_of', await as({ aud: 'elsewhere', app }))).toContain('PGRST303');
  expect(await text('/rpc/role_of', await as({ aud: 'here', role: anon }))).toContain('PGRST302');
  expect((await ask('/item')).status).toBe(401);
  expect(await text('/', await as({ aud: 'here', app }))).toContain('PGRST126');
});

test('where it is mounted, and whose token counts', async () => {
  const { ask, text } = await serve({
    PGRST_JWT_SECRET: SECRET,
    EDGEREST_BASE_PATH: '/rest/v1',
    EDGEREST_APIKEY_HEADER: 'true',
  });
  expect((await ask('/rest/v1/item')).status).toBe(200);
  expect((await ask('/item')).status).toBe(404);
  expect(await text('/rest/v1/item', { headers: { apikey: 'no.good.token' } })).toContain('PGRST301');
});

describe('the pool', () => {
  test('has so many connections, which are waited for so long', async () => {
    const { process, ask } = await serve({ PGRST_DB_POOL_ACQUISITION_TIMEOUT: '1', EDGEREST_QUEUE_LENGTH: '1' });
    const busy = ask('/rpc/nap?seconds=60').catch(() => undefined); // until the program is killed
    await expect.poll(() => running(/nap/)).toBe(1);
    const others = await Promise.all(Array.from({ length: 3 }, () => ask('/item')));
    expect(others.map(({ status }) => status).sort()).toEqual([503, 503, 504]);
    process.child.kill('SIGKILL');
    await busy;
  });

  test('keeps some connections although nobody needs them', async () => {
    await serve({ PGRST_DB_POOL: '5', EDGEREST_POOL_MIN: '3', PGRST_DB_POOL_MAX_IDLETIME: '1' });
    // And two more, for the schema cache and for notifications.
    const count = async (): Promise<number> =>
      (await database.sql`select from pg_stat_activity where usename = ${login} and backend_type = 'client backend'`)
        .length;
    await expect.poll(count, { timeout: 20_000 }).toBeGreaterThanOrEqual(3);
    const refused = edgerest(['serve'], { PGRST_DB_URI: database.uri, PGRST_DB_POOL: '2', EDGEREST_POOL_MIN: '3' });
    expect(await refused.exited).toBe(1);
    expect(refused.said()).toContain('EDGEREST_POOL_MIN is 3: it must not be more than db-pool, which is 2.');
  });

  test('serves tenants and anonymous networks in turn', async () => {
    const { ask } = await serve({
      PGRST_JWT_SECRET: SECRET,
      EDGEREST_QUEUE_KEY: '$.tenant',
      EDGEREST_BEHIND_PROXY: 'true',
    });
    const token = async (tenant: string): Promise<string> =>
      new SignJWT({ tenant, role: anon }).setProtectedHeader({ alg: 'HS256' }).sign(new TextEncoder().encode(SECRET));
    const red = { authorization: `Bearer ${await token('red')}` };
    const blue = { authorization: `Bearer ${await token('blue')}` };
    const near = { 'x-forwarded-for': '192.0.2.1' };
    const far = { 'x-forwarded-for': '192.0.2.1, 2001:db8::1' };
    let answered = 0;
    const nap = async (headers: Record<string, string>): Promise<number> => {
      expect((await ask('/rpc/nap?seconds=0.05', { headers })).status).toBe(200);
      return answered++;
    };
    // Twenty wait of the one, then the other's single request comes.
    const first = Array.from({ length: 20 }, () => nap(red));
    await Promise.race(first);
    expect(await nap(blue)).toBeLessThan(8);
    await Promise.all(first);
    answered = 0;
    const second = Array.from({ length: 20 }, () => nap(near));
    await Promise.race(second);
    expect(await nap(far)).toBeLessThan(8);
    await Promise.all(second);
  });

  test.each(['PGRST_DB_POOL_MAX_IDLETIME', 'PGRST_DB_POOL_MAX_LIFETIME'])(
    'closes connections after %s',
    async (name) => {
      const { text } = await serve({ [name]: '1' });
      const pid = Number(await text('/rpc/pid'));
      expect(pid).toBeGreaterThan(0);
      await expect.poll(() => lives(pid), { timeout: 20_000 }).toBe(false);
      expect(Number(await text('/rpc/pid'))).toBeGreaterThan(0);
    },
  );
});

test('statements are prepared, unless they must not be', async () => {
  const named = await serve({});
  for (let i = 0; i < 3; i++) await named.text('/rpc/prepared', post);
  expect(Number(await named.text('/rpc/prepared', post))).toBeGreaterThan(0);
  const unnamed = await serve({ PGRST_DB_PREPARED_STATEMENTS: 'false' });
  for (let i = 0; i < 3; i++) expect(await unnamed.text('/rpc/prepared', post)).toBe('0');
});

test('what a request leaves behind is cleaned up, unless it must not be', async () => {
  const cleaned = await serve({});
  await cleaned.text('/rpc/leave', post);
  expect(await cleaned.text('/rpc/left_behind')).not.toContain('x');
  const left = await serve({ EDGEREST_SESSION_RESET: 'off' });
  await left.text('/rpc/leave', post);
  expect(await left.text('/rpc/left_behind')).toBe('"x"');
});

test.each(['PGRST_INTERNAL_SCHEMA_CACHE_QUERY_SLEEP', 'PGRST_INTERNAL_SCHEMA_CACHE_QUERY_SLEEP_BEFORE_QUERIES'])(
  '%s slows the load down',
  async (name) => {
    await database.sql.unsafe(`alter role ${login} set statement_timeout = '500ms'`);
    const process = edgerest(['--dump-schema'], { PGRST_DB_URI: database.uriAs(login, 'x'), [name]: '10000' });
    expect(await process.exited).toBe(1);
    expect(process.said()).toContain('canceling statement due to statement timeout');
  },
);

/** Whether the backend is still there. */
async function lives(pid: number): Promise<boolean> {
  const rows = await database.sql`select from pg_stat_activity where pid = ${pid}`;
  return rows.length > 0;
}

/** How many statements like this are being run. */
async function running(pattern: RegExp): Promise<number> {
  const rows = await database.sql`select query from pg_stat_activity where usename = ${login} and state = 'active'`;
  return rows.filter((row) => pattern.test(String(row.query))).length;
}
