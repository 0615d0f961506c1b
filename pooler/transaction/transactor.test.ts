import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Config, resolveConfig } from '../../shared/config/resolve.ts';
import { transactionRequest } from '../../shared/hop/request.fixture.ts';
import type { Hop, Statement, TransactionOutcome, TransactionRequest } from '../../shared/hop/types.ts';
import type { RoleFacts } from '../../shared/transaction/role-facts.ts';
import { createDatabase, type TestDatabase, uniqueName } from '../../test/postgres.ts';
import { Pool } from '../pool/index.ts';
import { connect, parseConnectionString } from '../wire/index.ts';
import { createTransactor, type DatabaseFacts, type Trust } from './transactor.ts';

const login = uniqueName('login');
const alice = uniqueName('alice');
const bob = uniqueName('bob');
const boss = uniqueName('boss');
/** Made after the facts were loaded. */
const upstart = uniqueName('upstart');

const script = `
create role ${login} login noinherit password 'secret';
create role ${alice}; create role ${bob}; create role ${boss} superuser;
grant ${alice}, ${bob}, ${boss} to ${login};
create schema api;
grant usage on schema api to public;
create table api.note (id int primary key, owner name not null default current_user, body text);
alter table api.note enable row level security;
create policy own on api.note using (owner = current_user);
create table api.parent (id int primary key);
create table api.child (parent int references api.parent deferrable initially deferred);
grant select, insert, update, delete on all tables in schema api to ${alice}, ${bob};
create sequence api.calls;
grant usage on sequence api.calls to public;
create function api.check_request() returns void language plpgsql as $$
begin
  if current_setting('request.headers')::json ->> 'forbidden' is not null then
    raise exception 'forbidden' using errcode = 'PT403', detail = 'd', hint = 'h';
  end if;
  perform set_config('pre.request', 'ran as ' || current_user, true);
end $$;
create function api.leave_something() returns text language plpgsql as $$
begin
  perform set_config('search_path', 'nowhere', false);
  perform pg_advisory_lock(42);
  create temp table leftover (x int);
  return 'done';
end $$;`;

let database: TestDatabase;
let pool: Pool;

beforeAll(async () => {
  database = await createDatabase('transactor', script);
  const connection = parseConnectionString(database.uriAs(login, 'secret'), {});
  pool = new Pool({ size: 2, connect: () => connect(connection), acquisitionTimeout: 10_000 });
});

afterAll(async () => {
  await pool.drain();
  const made = [login, alice, bob, boss, upstart].join(', ');
  await database.sql.unsafe(`drop owned by ${made}; drop role ${made}`).simple();
  await database.drop();
});

const roles: RoleFacts = {
  login,
  settings: new Map([[bob, [['statement_timeout', '4321ms']]]]),
  isolation: new Map([[bob, 'serializable']]),
  refused: new Set([login, boss]),
  inherits: [],
};

const plain = { snapshot: 'v1', roles, plainDefaults: true, callsCode: () => false } as const;

interface Setup {
  readonly env?: Readonly<Record<string, string>>;
  readonly trust?: Trust;
  readonly facts?: Partial<DatabaseFacts> | null;
}

function configOf(env: Readonly<Record<string, string>>): Config {
  const { config, errors } = resolveConfig({ env: { PGRST_DB_SCHEMAS: 'api', PGRST_DB_ANON_ROLE: alice, ...env } });
  if (!config) throw new Error(errors.join());
  return config;
}

function factsOf({ env, trust, facts }: Setup = {}): DatabaseFacts {
  return { ...plain, config: configOf(env ?? {}), trust: trust ?? { kind: 'process' }, ...facts };
}

function hopOf(setup: Setup = {}): Hop {
  const facts = setup.facts === null ? null : factsOf(setup);
  return createTransactor({ pool, database: () => facts });
}

const row = (text: string, parameters: Statement['parameters'] = [], body: number | null = null): Statement => ({
  text,
  parameters,
  result: { kind: 'row', body },
});

const requestOf = (change: Partial<TransactionRequest>): TransactionRequest =>
  transactionRequest({
    role: alice,
    claims: `{"role":"${alice}"}`,
    path: '/note',
    headers: '{"accept":"*/*"}',
    cookies: '{"a":"b"}',
    access: 'read write',
    statements: [row('select 1')],
    ...change,
  });

const run = (
  change: Partial<TransactionRequest>,
  setup: Setup = {},
  payload: Uint8Array | null = null,
  signal: AbortSignal | null = null,
): Promise<TransactionOutcome> => hopOf(setup).transaction(requestOf(change), payload, signal);

/** The columns of the first statement's row; throws the failure. */
async function columns(change: Partial<TransactionRequest>, setup?: Setup): Promise<readonly (string | null)[]> {
  const outcome = await run(change, setup);
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.failure));
  return outcome.statements[0]?.columns ?? [];
}

const settingsOf = (...names: readonly string[]): Statement =>
  row(`select ${names.map((name) => `current_setting('${name}', true)`).join(', ')}`);

async function bytesOf(outcome: TransactionOutcome): Promise<Buffer> {
  if (!outcome.ok || outcome.body === null) throw new Error('no body');
  if (outcome.body instanceof Uint8Array) return Buffer.from(outcome.body);
  const chunks: Uint8Array[] = [];
  for await (const chunk of outcome.body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

describe('settings', () => {
  test('the statements see who asks and what', async () => {
    const request = {
      timezone: 'Europe/Vienna',
      statements: [
        row(`select current_user, current_setting('search_path'), current_setting('timezone')`),
        settingsOf('request.jwt.claims', 'request.method', 'request.path', 'request.headers', 'request.cookies'),
        settingsOf('app.settings.x', 'transaction_read_only'),
      ],
    };
    const outcome = await run(request, { env: { PGRST_APP_SETTINGS_x: 'y', PGRST_DB_EXTRA_SEARCH_PATH: 'public, b' } });
    expect(outcome).toMatchObject({
      ok: true,
      snapshot: 'v1',
      statements: [
        { rows: 1, columns: [alice, '"api", "public", "b"', 'Europe/Vienna'] },
        { columns: [`{"role":"${alice}"}`, 'GET', '/note', '{"accept":"*/*"}', '{"a":"b"}'] },
        { columns: ['y', 'off'] },
      ],
    });
  });

  test('nothing of them is left for the next request', async () => {
    await run({ role: bob, timezone: 'Asia/Tokyo' });
    const [timezone, timeout] = await columns({ statements: [settingsOf('timezone', 'statement_timeout')] });
    expect(timezone).not.toBe('Asia/Tokyo');
    expect(timeout).toBe('0');
  });

  test("a role's own settings and isolation level apply to its requests", async () => {
    const statements = [settingsOf('statement_timeout', 'transaction_isolation')];
    expect(await columns({ role: bob, statements })).toEqual(['4321ms', 'serializable']);
    expect(await columns({ role: alice, statements })).toEqual(['0', 'read committed']);
  });

  test("a function's isolation level and hoisted settings go before the role's", async () => {
    const statements = [settingsOf('statement_timeout', 'transaction_isolation')];
    const settings = [['statement_timeout', '99ms']] as const;
    expect(await columns({ role: bob, settings, isolation: 'repeatable read', statements })).toEqual([
      '99ms',
      'repeatable read',
    ]);
  });

  test('a setting that is not hoisted is refused before anything is sent', async () => {
    const before = pool.metrics().flights;
    expect(await run({ settings: [['role', boss]] })).toMatchObject({
      ok: false,
      failure: { kind: 'refused', reason: 'setting', status: 403 },
    });
    expect(pool.metrics().flights).toBe(before);
  });

  test.each([
    'commit',
    'call p()',
    'do $$begin commit; end$$',
    'set role x',
    ' reset all',
    '/* x */ commit',
    '(select 1)',
    '',
  ])('a statement that is no query is refused before anything is sent: %s', async (text) => {
    const before = pool.metrics().flights;
    expect(await run({ statements: [row('select 1'), row(text)] })).toMatchObject({
      ok: false,
      failure: { kind: 'refused', reason: 'statement', status: 403 },
    });
    expect(pool.metrics().flights).toBe(before);
  });

  test('a session with other defaults gets an explicit transaction', async () => {
    const statements = [row('select pg_catalog.txid_current_if_assigned()')];
    const before = pool.metrics().flights;
    expect(await columns({ statements }, { facts: { plainDefaults: false } })).toEqual([null]);
    expect(pool.metrics().flights).toBe(before + 1);
  });
});

describe('the end of a transaction', () => {
  beforeEach(async () => {
    await database.sql`truncate api.note, api.parent, api.child`;
  });
  const insert = row(`insert into api.note (id) values ($1) returning id`, ['1']);
  const count = async (): Promise<number> => (await database.sql`select id from api.note`).length;

  test.each([
    ['commit', null, 1],
    ['commit', 'rollback', 1],
    ['rollback', null, 0],
    ['rollback', 'commit', 0],
    ['commit-allow-override', null, 1],
    ['commit-allow-override', 'rollback', 0],
    ['rollback-allow-override', null, 0],
    ['rollback-allow-override', 'commit', 1],
  ] as const)('db-tx-end=%s with tx=%s leaves %i row', async (mode, end, rows) => {
    const outcome = await run({ statements: [insert], end }, { env: { PGRST_DB_TX_END: mode } });
    expect(outcome).toMatchObject({ ok: true, statements: [{ rows: 1, columns: ['1'] }] });
    expect(await count()).toBe(rows);
  });

  test.each(['commit', 'rollback'])('a deferred constraint fails at the end, with %s as well', async (mode) => {
    const statements = [row('insert into api.child values (7)')];
    expect(await run({ statements }, { env: { PGRST_DB_TX_END: mode } })).toMatchObject({
      ok: false,
      failure: { kind: 'database', code: '23503', statement: null },
    });
  });

  test('a guard that fails takes everything back, and says which statement it was', async () => {
    const guard = row(`select 1 / $1::int`, ['0']);
    expect(await run({ statements: [insert, row('select 1'), guard] })).toMatchObject({
      ok: false,
      failure: { kind: 'database', code: '22012', statement: 2 },
    });
    expect(await count()).toBe(0);
  });

  test('a read-only request cannot write', async () => {
    for (const mode of ['commit', 'rollback']) {
      const outcome = await run({ access: 'read only', statements: [insert] }, { env: { PGRST_DB_TX_END: mode } });
      expect(outcome).toMatchObject({ ok: false, failure: { code: '25006', statement: 0 } });
    }
  });
});

describe('the pre-request', () => {
  const env = { PGRST_DB_PRE_REQUEST: 'api.check_request' };

  test('runs after the settings and before the statements', async () => {
    expect(await columns({ statements: [settingsOf('pre.request')] }, { env })).toEqual([`ran as ${alice}`]);
  });

  test('that raises ends the request, as a failure before the statements', async () => {
    expect(await run({ headers: '{"forbidden":"1"}' }, { env })).toMatchObject({
      ok: false,
      snapshot: 'v1',
      failure: { kind: 'database', code: 'PT403', message: 'forbidden', detail: 'd', hint: 'h', statement: -1 },
    });
  });

  test('is found through the search_path when it has no schema', async () => {
    const found = { PGRST_DB_PRE_REQUEST: 'check_request' };
    expect(await columns({ statements: [settingsOf('pre.request')] }, { env: found })).toEqual([`ran as ${alice}`]);
  });
});

describe('roles', () => {
  const list: Trust = { kind: 'list' };
  const env = { EDGEREST_ALLOWED_ROLES: '*' };

  test('one that does not exist is an error of the database', async () => {
    expect(await run({ role: 'nobody_at_all' })).toMatchObject({
      ok: false,
      failure: { kind: 'database', code: '22023', message: 'role "nobody_at_all" does not exist', statement: -1 },
    });
    expect(await run({ role: 'nobody_at_all' }, { trust: list, env })).toMatchObject({
      failure: { kind: 'database', code: '22023', statement: -1 },
    });
  });

  test.each(['', 'none', login, boss])('%j never gets to the database over the hop', async (role) => {
    const before = pool.metrics().flights;
    expect(await run({ role }, { trust: list, env })).toMatchObject({
      ok: false,
      failure: { kind: 'refused', reason: 'role', status: 403 },
    });
    expect(pool.metrics().flights).toBe(before);
  });

  test('a superuser that was made since the last load is found out in the flight itself', async () => {
    await database.sql.unsafe(`create role ${upstart} superuser; grant ${upstart} to ${login}`).simple();
    const statements = [row(`select pg_catalog.nextval('api.calls')`)];
    expect(await run({ role: upstart, statements }, { trust: list, env })).toMatchObject({
      ok: false,
      failure: { kind: 'refused', reason: 'role', status: 403 },
    });
    const [called] = await database.sql`select is_called from api.calls`;
    expect(called?.is_called).toBe(false);
  });

  test('an ordinary role is asked for once', async () => {
    const hop = hopOf({ env, trust: list });
    for (let i = 0; i < 3; i++) {
      expect(
        await hop.transaction(requestOf({ role: bob, statements: [row('select current_user')] }), null, null),
      ).toMatchObject({ ok: true, statements: [{ columns: [bob] }] });
    }
  });

  test('the verified token gives role and claims, whatever the message says', async () => {
    const trust: Trust = {
      kind: 'token',
      verify: async (token) => {
        if (token !== 'good') throw new Error('JWSError JWSInvalidSignature');
        return { role: bob, claims: '{"role":"bob","sub":"1"}' };
      },
    };
    const statements = [row(`select current_user, current_setting('request.jwt.claims')`)];
    const forged = { role: boss, claims: '{"role":"boss"}', statements };
    expect(await columns({ ...forged, token: 'good' }, { trust })).toEqual([bob, '{"role":"bob","sub":"1"}']);
    expect(await run({ ...forged, token: 'bad' }, { trust })).toMatchObject({
      ok: false,
      failure: { kind: 'refused', reason: 'token', status: 401, message: 'JWSError JWSInvalidSignature' },
    });
    const throwing: Trust = {
      kind: 'token',
      verify: () => {
        throw new Error('at once');
      },
    };
    expect(await run(forged, { trust: throwing })).toMatchObject({ failure: { reason: 'token' } });
  });
});

describe('what is loaded while a request is sent', () => {
  const list: Trust = { kind: 'list' };

  /** A payload that takes as long as the caller likes. */
  function slowly(): { readonly payload: AsyncIterable<Uint8Array>; readonly end: () => void } {
    const ended = Promise.withResolvers<void>();
    return {
      end: () => ended.resolve(),
      payload: (async function* () {
        yield new Uint8Array(1);
        await ended.promise;
      })(),
    };
  }

  test('is not what decides who it is from: without facts at the beginning nothing runs', async () => {
    let loaded: DatabaseFacts | null = null;
    const hop = createTransactor({ pool, database: () => loaded });
    const { payload, end } = slowly();
    const outcome = hop.transaction(requestOf({ role: bob, statements: [row('select 1')] }), payload, null);
    loaded = factsOf({ trust: { kind: 'token', verify: () => ({ role: alice, claims: '{}' }) } });
    end();
    expect(await outcome).toMatchObject({ ok: false, failure: { kind: 'unavailable', reason: 'no snapshot' } });
  });

  test('counts for the next one: this one has the configuration under which it began', async () => {
    let loaded = factsOf({ trust: list, env: { EDGEREST_ALLOWED_ROLES: bob, PGRST_APP_SETTINGS_x: 'old' } });
    const hop = createTransactor({ pool, database: () => loaded });
    const { payload, end } = slowly();
    const request = requestOf({ role: bob, statements: [row(`select current_setting('app.settings.x')`)] });
    const outcome = hop.transaction(request, payload, null);
    loaded = factsOf({ trust: list, env: { EDGEREST_ALLOWED_ROLES: alice, PGRST_APP_SETTINGS_x: 'new' } });
    end();
    expect(await outcome).toMatchObject({ ok: true, statements: [{ columns: ['old'] }] });
    expect(await hop.transaction(request, null, null)).toMatchObject({ failure: { kind: 'refused', reason: 'role' } });
    expect(await hop.transaction({ ...request, role: alice }, null, null)).toMatchObject({
      statements: [{ columns: ['new'] }],
    });
  });
});

describe('results', () => {
  test('the body is the bytes of its column, the others are text', async () => {
    const outcome = await run({ statements: [row(`select 7, '[{"ü": 1}]'::json, null::text`, [], 1)] });
    expect(outcome).toMatchObject({ ok: true, length: 11, statements: [{ rows: 1, columns: ['7', null, null] }] });
    expect((await bytesOf(outcome)).toString()).toBe('[{"ü": 1}]');
  });

  test('a NULL body and no row are no body', async () => {
    expect(await run({ statements: [row('select null::text', [], 0)] })).toMatchObject({
      ok: true,
      body: null,
      length: 0,
    });
    expect(await run({ statements: [row('select 1 where false', [], 0)] })).toMatchObject({
      ok: true,
      body: null,
      statements: [{ rows: 0, columns: [] }],
    });
  });

  test('lines end in newlines', async () => {
    const lines: Statement = { text: `values ('a'), ('b')`, parameters: [], result: { kind: 'lines' } };
    expect((await bytesOf(await run({ statements: [lines] }))).toString()).toBe('a\nb\n');
  });

  test('the payload stands where a parameter refers to it, as text or as bytea', async () => {
    const payload = Buffer.from('{"a": "ü\\u0000"}');
    const statements = [
      row('select $1::json', [{ payload: 'text' }], 0),
      row('select pg_catalog.octet_length($1::bytea), pg_catalog.encode($1, $2)', [{ payload: 'binary' }, 'hex']),
    ];
    const outcome = await run({ statements }, {}, payload);
    expect(await bytesOf(outcome)).toEqual(payload);
    expect(outcome).toMatchObject({ statements: [{}, { columns: [String(payload.length), payload.toString('hex')] }] });
    expect(await columns({ statements: [row('select $1::text', [{ payload: 'text' }])] })).toEqual([null]);
  });

  test('a large body of a read streams, byte for byte', async () => {
    const size = 3_000_000;
    const body = `select 'first', pg_catalog.repeat('abcdefghij', ${size / 10})`;
    const statement: Statement = { text: body, parameters: [], result: { kind: 'row', body: 1, stream: true } };
    const outcome = await run({ access: 'read only', statements: [statement] });
    expect(outcome).toMatchObject({ ok: true, length: size, statements: [{ rows: 1, columns: ['first', null] }] });
    expect(outcome.ok && outcome.body).toBeInstanceOf(ReadableStream);
    expect((await bytesOf(outcome)).equals(Buffer.from('abcdefghij'.repeat(size / 10)))).toBe(true);
  });

  test('a small body of a read that might stream comes whole', async () => {
    const statement: Statement = {
      text: `select 'x', 'small'`,
      parameters: [],
      result: { kind: 'row', body: 1, stream: true },
    };
    expect(await run({ access: 'read only', statements: [statement] })).toMatchObject({
      ok: true,
      body: Buffer.from('small'),
      statements: [{ columns: ['x', null] }],
    });
  });

  test('a large body whose transaction fails after it breaks off before its last byte', async () => {
    const text = `select pg_catalog.repeat('x', 300000 / n) from pg_catalog.generate_series(1, 0, -1) n`;
    const statement: Statement = { text, parameters: [], result: { kind: 'row', body: 0, stream: true } };
    const outcome = await run({ access: 'read only', statements: [statement] });
    if (!outcome.ok || !(outcome.body instanceof ReadableStream)) throw new Error('no stream');
    let length = 0;
    const read = async (body: ReadableStream<Uint8Array>): Promise<void> => {
      for await (const chunk of body) length += chunk.length;
    };
    await expect(read(outcome.body)).rejects.toThrow('division by zero');
    expect([outcome.length, length < 300000]).toEqual([300000, true]);
  });

  test('a reader that gives up a stream frees the connection', async () => {
    const text = `select pg_catalog.repeat('x', 20000000)`;
    const statement: Statement = { text, parameters: [], result: { kind: 'row', body: 0, stream: true } };
    for (let i = 0; i < 4; i++) {
      const outcome = await run({ access: 'read only', statements: [statement] });
      if (!outcome.ok || !(outcome.body instanceof ReadableStream)) throw new Error('no stream');
      const reader = outcome.body.getReader();
      await reader.read();
      await reader.cancel();
    }
    expect(await columns({ statements: [row('select current_user')] })).toEqual([alice]);
  });
});

describe('what goes wrong', () => {
  test('before the first load nothing runs', async () => {
    expect(await run({}, { facts: null })).toMatchObject({
      ok: false,
      snapshot: null,
      failure: { kind: 'unavailable', reason: 'no snapshot' },
    });
  });

  test('the deadline cancels the statement', async () => {
    expect(await run({ deadline: 50, statements: [row('select pg_catalog.pg_sleep(60)')] })).toMatchObject({
      ok: false,
      failure: { kind: 'cancelled', message: 'The deadline passed.' },
    });
  });

  test('a caller that goes away cancels the statement, also of a read that might stream', async () => {
    for (const stream of [false, true]) {
      const gone = new AbortController();
      const text = 'select pg_catalog.pg_sleep(60)::text';
      const result = { kind: 'row', body: 0, ...(stream && { stream }) } as const;
      const running = run(
        { access: 'read only', statements: [{ text, parameters: [], result }] },
        {},
        null,
        gone.signal,
      );
      gone.abort();
      expect(await running).toMatchObject({ ok: false, failure: { kind: 'cancelled' } });
    }
  });

  test('a lost connection: the outcome of a write is unknown, a read has none', async () => {
    const statements = [row(`select pg_catalog.pg_terminate_backend(pg_catalog.pg_backend_pid())`)];
    // Only a superuser may end the backend from within, so that it goes while the flight is under way.
    const request = { role: boss, statements };
    const write = await run(request);
    const read = await run({ ...request, access: 'read only' });
    for (const outcome of [write, read]) expect(outcome.ok).toBe(false);
    expect(read).toMatchObject({ failure: { kind: expect.stringMatching(/^(unavailable|database)$/) } });
    expect(write).toMatchObject({ failure: { kind: expect.stringMatching(/^(unknown outcome|database)$/) } });
    expect(await columns({ statements: [row('select current_user')] })).toEqual([alice]);
  });

  test('a database that is away', async () => {
    const connection = parseConnectionString('postgresql://nobody@127.0.0.1:1/x', {});
    const away = new Pool({ size: 1, connect: () => connect(connection), acquisitionTimeout: 1000 });
    const facts = factsOf();
    const hop = createTransactor({ pool: away, database: () => facts });
    expect(await hop.transaction(requestOf({}), null, null)).toMatchObject({
      ok: false,
      failure: { kind: 'unavailable', reason: 'connect' },
    });
    await away.drain();
  });

  test('what code leaves behind in the session is cleaned up', async () => {
    const call = row('select api.leave_something()');
    for (let i = 0; i < 4; i++)
      expect(await columns({ statements: [call] }, { facts: { callsCode: () => true } })).toEqual(['done']);
    // Other tests' databases have locks of their own.
    const left = row(
      `select pg_catalog.count(*) from pg_catalog.pg_locks l, pg_catalog.pg_database d
       where l.locktype = 'advisory' and d.oid = l.database and d.datname = pg_catalog.current_database()`,
    );
    // The answer does not wait for the cleaning up, and another connection may be asked meanwhile.
    await expect.poll(() => columns({ statements: [left] })).toEqual(['0']);
  });
});

test('every request is one flight', async () => {
  const before = pool.metrics().flights;
  const env = { PGRST_DB_PRE_REQUEST: 'api.check_request', PGRST_DB_TX_END: 'rollback' };
  const statements = [row('select 1'), row('select 2'), row('select 3')];
  await run({ statements });
  await run({ statements, access: 'read only' });
  await run({ statements, isolation: 'serializable' }, { env });
  await run({ statements, role: bob }, { env, trust: { kind: 'list' } });
  expect(pool.metrics().flights).toBe(before + 4);
});
