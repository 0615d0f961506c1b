/** What the programs say on standard error while they run: queries, failures, warnings, the state of things. */
import { expect, test } from 'vitest';
import { ask, office, says, until } from './program.ts';

const db = office('diagnostics');

/** What a program has said, without the times. */
const lines = (said: string): readonly string[] =>
  said
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.replace(/^\d\d\/[A-Z][a-z]{2}\/\d{4}(:\d\d){3} [+-]\d{4}: /, ''));

const COMMON = [
  'Listener connected and listening for database notifications on the "pgrst" channel',
  expect.stringMatching(/^Successfully connected to PostgreSQL \d+/),
  'Connection Pool initialized with a maximum size of 2 connections',
  expect.stringMatching(/^Schema cache queried in [\d.]+ milliseconds$/),
  expect.stringMatching(
    /^Schema cache loaded 3 Relations, 2 Relationships, \d+ Functions, 0 Domain Representations, \d+ Media Type Handlers in [\d.]+ milliseconds$/,
  ),
];

test('start and end', async () => {
  const { process } = await db.serve({ PGRST_SERVER_HOST: '127.0.0.1' });
  process.child.kill('SIGINT');
  expect(await process.exited).toBe(0);
  expect(lines(process.said())).toEqual([
    expect.stringMatching(/^Starting edgerest \d+\.\d+\.\d+\.\.\.$/),
    ...COMMON,
    expect.stringMatching(/^API server listening on 127\.0\.0\.1:\d+$/),
    'Received termination unix signal SIGINT',
  ]);
  expect(process.out()).toBe('');
});

test('an IPv6 address is in brackets', async () => {
  const process = db.start('serve', { PGRST_SERVER_HOST: '::1' });
  await until(process, () => /API server listening|not an address of this machine/.test(process.said()));
  // Not every machine has IPv6.
  if (process.said().includes('not an address')) return;
  expect(process.said()).toMatch(/API server listening on \[::1\]:\d+\n/);
});

/** Statements that PostgREST logs as well: settings, pre-request, the main one, counts, the OpenAPI document's. */
const SETTINGS = /^select pg_catalog\.set_config\('/;
const PRE_REQUEST = /^select "public"\."check_request"\(\)$/;
const main = (table: string): RegExp => new RegExp(`^WITH pgrst_source AS .+"public"\\."${table}"`);
const EXPLAIN = /^EXPLAIN \(FORMAT JSON\) SELECT 1/i;

const withQueries = { PGRST_LOG_QUERY: 'true', PGRST_DB_PRE_REQUEST: 'public.check_request' };

test('queries are logged with log-query, without the values in them', async () => {
  const env = { ...withQueries, PGRST_LOG_LEVEL: 'info', EDGEREST_APIKEY_HEADER: '1' };
  const { process, port } = await db.serve(env);
  const before = process.said().length;
  const said = (): readonly string[] => lines(process.said().slice(before));
  const token = await db.token({ private: 'a claim' });
  await ask(port, '/item?name=eq.a-value', { headers: { prefer: 'count=planned', apikey: token } });
  await until(process, () => said().length >= 4);
  expect(said()).toEqual([
    expect.stringMatching(SETTINGS),
    expect.stringMatching(PRE_REQUEST),
    expect.stringMatching(main('item')),
    expect.stringMatching(EXPLAIN),
  ]);
  await ask(port, '/item', {
    method: 'POST',
    body: '{"id": 9, "name": "a-body"}',
    headers: { authorization: `Bearer ${token}` },
  });
  await ask(port, '/');
  await until(process, () => said().some((line) => line.includes('obj_description')));
  expect(said().filter((line) => SETTINGS.test(line))).toHaveLength(3);
  for (const value of ['a-value', 'a-body', 'a claim', token, 'the-password'])
    expect(process.said()).not.toContain(value);
});

test.each(['serve', 'edge'] as const)(
  'queries of answers that the level leaves out are not logged by %s',
  async (command) => {
    const { process, port } = await db.serve({ ...withQueries, PGRST_LOG_LEVEL: 'warn' }, command);
    const before = process.said().length;
    await ask(port, '/item?id=eq.1');
    expect((await ask(port, '/secret_plan')).status).toBe(401);
    await until(process, () => process.said().slice(before).includes('secret_plan'));
    expect(lines(process.said().slice(before))).toEqual([
      expect.stringMatching(SETTINGS),
      expect.stringMatching(PRE_REQUEST),
      expect.stringMatching(main('secret_plan')),
    ]);
  },
);

test.each(['serve', 'edge'] as const)(
  "the database's failures are logged by %s as clients get them",
  async (command) => {
    const { process, port } = await db.serve({}, command);
    const before = process.said().length;
    const { status, text } = await ask(port, '/rpc/slow', { method: 'POST' });
    expect(status).toBe(500);
    await says(process, /canceling statement/);
    expect(lines(process.said().slice(before))).toContain(text);
    // A mistake of the client's is none of the server's.
    expect((await ask(port, '/item?id=eq.x')).status).toBe(400);
    process.child.kill('SIGTERM');
    await process.exited;
    expect(process.said()).not.toContain('invalid input syntax');
  },
);

test('waits for a connection that were in vain are told once in a while', async () => {
  const env = { PGRST_DB_POOL: '1', PGRST_DB_POOL_ACQUISITION_TIMEOUT: '1' };
  const { process, port } = await db.serve(env);
  const nap = ask(port, '/rpc/nap', { method: 'POST', body: '{"seconds": 2}' });
  await until(process, async () => {
    const [row] = await db.database.sql`
      select count(*)::int from pg_stat_activity where usename = ${db.login} and wait_event = 'PgSleep'`;
    return row?.count === 1;
  });
  const waits = await Promise.all(Array.from({ length: 4 }, () => ask(port, '/item')));
  expect(waits.map(({ status }) => status)).toEqual([504, 504, 504, 504]);
  await nap;
  expect(lines(process.said()).filter((line) => line.includes('"PGRST003"'))).toHaveLength(1);
  expect(process.out().match(/" 504 /g)).toHaveLength(4);
});

test('names of embeds that are deprecated are told at any level', async () => {
  const { process, port } = await db.serve({ PGRST_LOG_LEVEL: 'crit' });
  const path = '/part?select=id,i:item(name)&item.name=eq.one';
  expect((await ask(port, path)).headers.warning).toMatch(/`item` to `i`/);
  await says(process, /Update filters/);
  expect(lines(process.said()).slice(-2)).toEqual([
    'WARNING: Embedded resource was referenced by relation name even though it has an alias. This is deprecated and will stop working in a future release.',
    `Update filters, orders or limits that use \`item\` to \`i\` in \`GET ${path}\``,
  ]);
});

test('a schema cache that cannot be loaded is told, and each answer without one', async () => {
  const { process, port } = await db.serve({ PGRST_DB_SCHEMAS: 'nowhere', PGRST_DB_EXTRA_SEARCH_PATH: 'public, x' });
  const { status, text } = await ask(port, '/item', { headers: { 'user-agent': 'me' } });
  expect(status).toBe(503);
  await says(process, /PGRST002/);
  const said = lines(process.said());
  expect(said).toContain(text);
  expect(said).toContainEqual(
    expect.stringMatching(
      /^Failed to load the schema cache using db-schemas=nowhere and db-extra-search-path=public,x\. .*"nowhere"/,
    ),
  );
  expect(said).toContain('Attempting to reconnect to the database in 1 seconds...');
  await until(process, () => /^127\.0\.0\.1 - - \[.+\] "GET \/item HTTP\/1\.1" 503 \d+ "" "me"\n/.test(process.out()));
});

test('a database that is away is told in single lines', async () => {
  const process = db.start('serve', { PGRST_DB_URI: 'postgresql://nobody:hunter2@127.0.0.1:1/none?connect_timeout=5' });
  await says(process, /API server listening/);
  const said = lines(process.said());
  expect(said).toContainEqual(
    expect.stringMatching(/^Failed listening for database notifications on the "pgrst" channel\. .*ECONNREFUSED/),
  );
  expect(said).toContainEqual(
    expect.stringMatching(/^Retrying listening for database notifications in [\d.]+ seconds\.\.\.$/),
  );
  expect(process.said()).not.toContain('hunter2');
});

test('at debug there are times of queries, connections and tokens', async () => {
  const { process, port } = await db.serve({ PGRST_LOG_LEVEL: 'debug', PGRST_JWT_CACHE_MAX_ENTRIES: '1' });
  for (const n of [1, 1, 2]) {
    await ask(port, '/item?id=eq.1', { headers: { authorization: `Bearer ${await db.token({ n })}` } });
  }
  await until(process, () => (process.said().match(/A flight of/g) ?? []).length === 3);
  const said = lines(process.said());
  expect(said).toContainEqual(
    expect.stringMatching(/^relations: [\d.]+ ms, constraints: [\d.]+ ms, .*mediaHandlers: [\d.]+ ms$/),
  );
  for (const words of [
    'Borrowed a connection from the pool',
    'A connection is available due to connection establishment',
    'Looked up a JWT in JWT cache: not found',
    'Looked up a JWT in JWT cache: found',
    'Evicted entry from JWT cache',
  ]) {
    expect(said).toContainEqual(expect.stringContaining(words));
  }
});
