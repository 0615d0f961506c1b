/** What changes while a worker without a pooler runs: nobody tells it. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { createHyperdrive, type EdgerestFetch } from '../../worker/hyperdrive.ts';
import { type Issuer, startIssuer } from '../issuer.ts';
import { createStandaloneDatabase, type StandaloneDatabase } from './database.ts';

let database: StandaloneDatabase;
beforeAll(async () => {
  database = await createStandaloneDatabase();
});
afterEach(async () => {
  await database.sql.unsafe(`alter role ${database.login} reset pgrst.db_max_rows`);
});
afterAll(() => database.drop());

const background: Promise<unknown>[] = [];
const context = { waitUntil: (work: Promise<unknown>) => background.push(work) };
const reported: unknown[] = [];

function worker(more: Readonly<Record<string, string>> = {}): EdgerestFetch {
  reported.length = 0;
  return createHyperdrive({
    bindings: { ...database.bindings, PGRST_DB_URI: database.loginUri, ...more },
    report: (error) => reported.push(error),
    log: { access: () => undefined, diagnostic: () => undefined },
  });
}

const ask = (edgerest: EdgerestFetch, target: string, token: string | null = null): Promise<Response> =>
  edgerest(
    new Request(`http://localhost${target}`, { headers: token === null ? {} : { authorization: `Bearer ${token}` } }),
    context,
  );

/** Lets so many milliseconds pass for whoever looks at the clock. */
async function later<T>(milliseconds: number, work: () => Promise<T>): Promise<T> {
  const now = Date.now;
  const clock = vi.spyOn(Date, 'now').mockImplementation(() => now() + milliseconds);
  try {
    return await work();
  } finally {
    clock.mockRestore();
  }
}

test('the schema cache and the configuration in the database are loaded anew when they are old', async () => {
  const edgerest = worker();
  const count = async (): Promise<number> => (await (await ask(edgerest, '/item')).json()).length;
  expect(await count()).toBe(3);
  await database.sql.unsafe(`alter role ${database.login} set pgrst.db_max_rows = '2'`);
  expect(await count()).toBe(3);
  // The request that finds it old is still answered by it.
  expect(await later(61_000, count)).toBe(3);
  await Promise.all(background.splice(0));
  expect(await count()).toBe(2);
});

test('what is wrong in the database is reported, and a client is not told the value', async () => {
  await database.sql.unsafe(`alter role ${database.login} set pgrst.db_max_rows = 'very-many'`);
  const response = await ask(worker(), '/item');
  const text = await response.text();
  expect([response.status, JSON.parse(text).code]).toEqual([500, 'EDGE004']);
  expect(text).not.toContain('very-many');
  expect(reported.join()).toContain('pgrst.db_max_rows is "very-many"');
});

test('a function may set configuration', async () => {
  await database.sql.unsafe(`create or replace function api.configure() returns void language sql as
    $$ select set_config('pgrst.db_aggregates_enabled', 'true', true) $$;
    grant execute on function api.configure to ${database.login}; grant usage on schema api to ${database.login}`);
  const edgerest = worker({ PGRST_DB_PRE_CONFIG: 'api.configure' });
  expect(await (await ask(edgerest, '/item?select=id.sum()')).json()).toEqual([{ sum: 6 }]);
});

test('a schema that does not exist is a 503, and the log says which', async () => {
  const response = await ask(worker({ PGRST_DB_SCHEMAS: 'api,nowhere' }), '/item');
  expect([response.status, (await response.json()).code]).toEqual([503, 'PGRST002']);
  expect(reported.join()).toContain('db-schemas names schemas that do not exist: "nowhere"');
});

test('a function may answer in place of the OpenAPI document', async () => {
  const response = await ask(worker({ PGRST_DB_ROOT_SPEC: 'who' }), '/');
  expect([response.status, await response.json()]).toMatchObject([200, { role: database.anon }]);
});

test('a body has a bound', async () => {
  const edgerest = worker({ EDGEREST_MAX_BODY_SIZE: '1024' });
  const post = (size: number): Promise<Response> =>
    edgerest(
      new Request('http://localhost/rpc/nul', {
        method: 'POST',
        headers: { 'content-type': 'text/plain' },
        body: 'x'.repeat(size),
      }),
    );
  expect((await post(1024)).status).toBe(200);
  const refused = await post(1025);
  expect([refused.status, (await refused.json()).code]).toEqual([413, 'EDGE005']);
});

test('the statements of a request are logged where that is asked for', async () => {
  const lines: string[] = [];
  const log = { access: () => undefined, diagnostic: (line: string) => void lines.push(line) };
  const bindings = { ...database.bindings, PGRST_DB_URI: database.loginUri };
  const edgerest = createHyperdrive({
    bindings: { ...bindings, PGRST_LOG_QUERY: 'true', PGRST_LOG_LEVEL: 'info' },
    log,
  });
  expect((await ask(edgerest, '/item')).status).toBe(200);
  expect(lines.join('\n')).toMatch(/set_config\('search_path', \$1, true\).*check_request.*FROM "api"\."item"/s);
});

describe('keys of an issuer', () => {
  let issuer: Issuer;
  beforeEach(async () => {
    issuer = await startIssuer();
  });
  afterEach(() => issuer.stop().catch(() => undefined));

  test('are fetched, and again for a token with a new one', async () => {
    const edgerest = worker({ PGRST_JWT_SECRET: issuer.url });
    const status = async (token: string): Promise<number> => (await ask(edgerest, '/item', token)).status;
    const old = await issuer.token({ role: database.author });
    expect(await status(old)).toBe(200);
    expect(issuer.asked).toBe(1);
    await issuer.rotate();
    expect(await status(await issuer.token({ role: database.author }))).toBe(200);
    expect(await status(old)).toBe(200);
    for (const kid of ['a', 'b', 'c']) expect(await status(await issuer.token({}, kid))).toBe(401);
    expect(await later(2000, async () => status(await issuer.token({}, 'd')))).toBe(401);
    expect(issuer.asked).toBe(2);
    await later(11_000, async () => status(await issuer.token({}, 'e')));
    expect(issuer.asked).toBe(3);
  });

  test('that are withdrawn count no longer when they are old', async () => {
    const edgerest = worker({ PGRST_JWT_SECRET: issuer.url });
    const old = await issuer.token({ role: database.author });
    expect((await ask(edgerest, '/item', old)).status).toBe(200);
    await issuer.rotate('alone');
    await later(601_000, async () => {
      await ask(edgerest, '/item', old);
      await Promise.all(background.splice(0));
    });
    expect((await ask(edgerest, '/item', old)).status).toBe(401);
  });

  test('that cannot be fetched yet are a 503 for tokens alone', async () => {
    await issuer.stop();
    const edgerest = worker({ PGRST_JWT_SECRET: issuer.url });
    const token = await issuer.token({ role: database.author });
    expect((await ask(edgerest, '/item')).status).toBe(200);
    const response = await ask(edgerest, '/item', token);
    expect([response.status, (await response.json()).code]).toEqual([503, 'EDGE012']);
    expect(reported.join()).toMatch(/Failed to fetch the keys for tokens: it cannot be reached/);
    await issuer.start();
    expect((await later(5000, () => ask(edgerest, '/item', token))).status).toBe(200);
  });
});
