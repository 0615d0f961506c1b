/** The command line as a user runs it: real processes in front of a real database. */

import { once } from 'node:events';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { get } from 'node:https';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { TransactionOutcome } from '../../shared/hop/types.ts';
import type { Snapshot } from '../../shared/snapshot/types.ts';
import { selfSigned } from '../../test/certificate.ts';
import { freePort } from '../../test/cluster.ts';
import { bodyOf, messageOf } from '../../test/message.ts';
import { createDatabase, type TestDatabase, uniqueName } from '../../test/postgres.ts';
import { HttpHop } from '../../worker/hop/http.ts';
import { edgerest, killAll, main, says } from './program.fixture.ts';

const secret = 'reallyreallyreallyreallyverysafe';
const login = uniqueName('cli_login');
const anon = uniqueName('cli_anon');

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase(
    'cli',
    `create role ${login} login noinherit password 'the-password'; create role ${anon}; grant ${anon} to ${login};
     create table item (id int primary key); insert into item values (1); grant select on item to ${anon};
     create function who() returns name language sql stable as 'select current_user';
     create function slow() returns int language sql volatile as 'select 7 from pg_sleep(1)';`,
  );
});
afterAll(async () => {
  await database.sql.unsafe(`drop owned by ${login}, ${anon}; drop role ${login}, ${anon}`).simple();
  await database.drop();
});

afterEach(killAll);

const variables = async (more: Readonly<Record<string, string>> = {}): Promise<Record<string, string>> => ({
  PGRST_DB_URI: database.uriAs(login, 'the-password'),
  PGRST_DB_ANON_ROLE: anon,
  PGRST_JWT_SECRET: secret,
  PGRST_DB_POOL: '2',
  PGRST_SERVER_HOST: '127.0.0.1',
  PGRST_SERVER_PORT: String(await freePort()),
  EDGEREST_POOLER_PORT: String(await freePort()),
  EDGEREST_POOLER_SECRET: secret,
  ...more,
});

async function failing(
  command: string,
  env: Readonly<Record<string, string>>,
): Promise<{ code: number | null; said: string }> {
  const running = edgerest([command], env);
  return { code: await running.exited, said: running.said() };
}

describe('the command line', () => {
  test.each(['--help', '-h'])('%s explains itself', async (option) => {
    const running = edgerest([option]);
    expect(await running.exited).toBe(0);
    for (const word of ['serve', 'pooler', 'edge', 'PGRST_DB_URI']) expect(running.out()).toContain(word);
  });

  test.each(['--version', '-v'])('%s tells its version', async (option) => {
    const running = edgerest([option]);
    expect(await running.exited).toBe(0);
    expect(running.out()).toMatch(/^edgerest \d+\.\d+\.\d+\n$/);
  });

  test.each([
    [[], 'a command is missing'],
    [['server'], 'there is no command server'],
    [['serve', '--port'], 'there is no option --port'],
  ])('%j is answered with the usage', async (args, message) => {
    const running = edgerest(args);
    expect(await running.exited).toBe(2);
    expect(running.said()).toContain(`edgerest: ${message}`);
    expect(running.said()).toContain('Usage:');
  });

  test('a command explains itself', async () => {
    const running = edgerest(['pooler', '--help']);
    expect(await running.exited).toBe(0);
    for (const word of ['edgerest pooler [options] [FILE]', '127.0.0.1, 3010', 'SIGUSR2']) {
      expect(running.out()).toContain(word);
    }
  });

  test('--example is a configuration file', async () => {
    const running = edgerest(['--example']);
    expect(await running.exited).toBe(0);
    expect(running.out()).toMatch(/^# db-schemas = "public"$/m);
  });
});

describe('--dump-config', () => {
  const dumped = async (args: readonly string[], env: Readonly<Record<string, string>>) => {
    const running = edgerest(args, env);
    return { code: await running.exited, out: running.out(), said: running.said() };
  };

  test('shows what file, environment and database amount to', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'edgerest-cli-'));
    const file = join(folder, 'test.conf');
    await writeFile(file, 'db-max-rows = 1\ndb-plan-enabled = true\ndb-schemas = "of_file"\n');
    await database.sql.unsafe(`alter role ${login} set pgrst.db_max_rows = '3'`);
    const env = {
      PGRST_DB_URI: database.uriAs(login, 'the-password'),
      PGRST_DB_MAX_ROWS: '2',
      PGRST_DB_SCHEMAS: 'of_env',
    };
    const { code, out, said } = await dumped(['--dump-config', file], env);
    expect({ code, said }).toEqual({ code: 0, said: '' });
    for (const line of ['db-max-rows = 3', 'db-plan-enabled = true', 'db-schemas = "of_env"']) {
      expect(out.split('\n')).toContain(line);
    }
    await database.sql.unsafe(`alter role ${login} set pgrst.db_max_rows = 'x'`);
    expect(await dumped(['serve', '--dump-config'], env)).toMatchObject({
      code: 1,
      out: '',
      said: 'edgerest: pgrst.db_max_rows is "x": it must be a whole number, at least 0.\n',
    });
    await database.sql.unsafe(`alter role ${login} reset all`);
    await rm(folder, { recursive: true });
  });

  test('does without a database that is away', async () => {
    const uri = `postgresql://x:y@127.0.0.1:${await freePort()}/x`;
    const { code, out, said } = await dumped(['--dump-config'], { PGRST_DB_URI: uri });
    expect(code).toBe(0);
    expect(out).toContain('db-pool = 10\n');
    expect(said).toMatch(/: Failed to query database settings for the config parameters: connect ECONNREFUSED/);
  });

  test('is refused without its file', async () => {
    expect(await dumped(['--dump-config', '/no/such/file'], {})).toMatchObject({
      code: 1,
      said: 'edgerest: the configuration file /no/such/file cannot be read.\n',
    });
  });

  test('by the name of the binary that is replaced', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'edgerest-cli-'));
    const script = join(folder, 'postgrest');
    await symlink(main, script);
    const running = edgerest(['--version'], {}, { script });
    expect(await running.exited).toBe(0);
    const served = edgerest([], { PGRST_DB_POOL: 'x' }, { script });
    expect(await served.exited).toBe(1);
    expect(served.said()).toContain('edgerest: PGRST_DB_POOL is "x"');
    await rm(folder, { recursive: true });
  });
});

describe('--dump-schema', () => {
  test('is the schema cache as JSON', async () => {
    const running = edgerest(['--dump-schema'], await variables());
    expect(await running.exited).toBe(0);
    expect(JSON.parse(running.out())).toMatchObject({ tables: [{ name: 'item' }], settings: { dbAnonRole: anon } });
  });

  test('that cannot be loaded is one line', async () => {
    const running = edgerest(['--dump-schema'], await variables({ PGRST_DB_SCHEMAS: 'no_such' }));
    expect(await running.exited).toBe(1);
    expect(running.said()).toBe(
      'edgerest: the schema cache cannot be loaded: db-schemas names schemas that do not exist: "no_such"\n',
    );
  });
});

test('--ready has an exit code', async () => {
  const port = String(await freePort());
  const env = await variables({ PGRST_ADMIN_SERVER_HOST: 'localhost', PGRST_ADMIN_SERVER_PORT: port });
  const served = edgerest(['serve'], env);
  await says(served, /API server listening/);
  const ready = edgerest(['--ready'], env);
  expect([await ready.exited, ready.out()]).toEqual([0, `OK: http://localhost:${port}/ready\n`]);
  served.child.kill('SIGTERM');
  expect(await served.exited).toBe(0);
  const away = edgerest(['serve', '--ready'], env);
  expect(await away.exited).toBe(1);
  expect(away.said()).toContain(`ERROR: connection refused to http://localhost:${port}/ready\n`);
});

describe('a start that cannot succeed is one clear line:', () => {
  test.each([
    [
      'a wrong value',
      { PGRST_DB_POOL: 'many' },
      'edgerest: PGRST_DB_POOL is "many": it must be a whole number from 1 to 10000.',
    ],
    [
      'an unknown parameter',
      { PGRST_DB_SCHEMSA: 'x' },
      'edgerest: PGRST_DB_SCHEMSA is not a parameter. Did you mean PGRST_DB_SCHEMAS?',
    ],
    [
      'a bad role path',
      { PGRST_JWT_ROLE_CLAIM_KEY: 'role' },
      'edgerest: PGRST_JWT_ROLE_CLAIM_KEY is "role": it must be a path like $.role.',
    ],
    [
      'a short secret',
      { PGRST_JWT_SECRET: 'short' },
      'edgerest: PGRST_JWT_SECRET is not right: it must be at least 32 characters long, or a JSON Web Key, a key set or its https URL.',
    ],
    [
      'a missing file',
      { PGRST_JWT_SECRET: '@/no/such/file' },
      'edgerest: PGRST_JWT_SECRET names the file /no/such/file, which cannot be read.',
    ],
    ['a bad connection string', { PGRST_DB_URI: 'postgresql://host:port/db' }, /^edgerest: db-uri cannot be used: .+$/],
  ])('%s', async (_, wrong, message) => {
    const { code, said } = await failing('serve', await variables(wrong));
    expect(code).toBe(1);
    expect(said.split('\n').filter((line) => line.startsWith('edgerest: '))).toEqual([
      typeof message === 'string' ? message : expect.stringMatching(message),
    ]);
    expect(said).not.toMatch(/\n {4}at /);
  });

  test('everything that is wrong is told at once', async () => {
    const { said } = await failing('serve', { PGRST_DB_POOL: '0', PGRST_LOG_LEVEL: 'x', EDGEREST_X: '1' });
    expect(said.trim().split('\n')).toHaveLength(3);
  });

  test('a port in use', async () => {
    const taken = createServer();
    taken.listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const bound = taken.address();
    const port = bound !== null && typeof bound === 'object' ? String(bound.port) : '';
    const served = await failing('serve', await variables({ PGRST_SERVER_PORT: port }));
    expect(served.said).toContain(
      `edgerest: port ${port} is in use: stop what uses it, or set PGRST_SERVER_PORT to another one.`,
    );
    const pooled = await failing('pooler', await variables({ EDGEREST_POOLER_PORT: port }));
    expect(pooled.said).toContain(
      `edgerest: port ${port} is in use: stop what uses it, or set EDGEREST_POOLER_PORT to another one.`,
    );
    expect([served.code, pooled.code]).toEqual([1, 1]);
    taken.close();
  });

  test('a wrong password', async () => {
    const { code, said } = await failing(
      'serve',
      await variables({ PGRST_DB_URI: database.uriAs(login, 'not-the-password') }),
    );
    expect(code).toBe(1);
    expect(said).toMatch(/: The database refused the login: password authentication failed/);
    expect(said).not.toContain('not-the-password');
  });

  test('a certificate that is none', async () => {
    const env = { EDGEREST_POOLER_HOST: '0.0.0.0', EDGEREST_POOLER_TLS_CERT: main, EDGEREST_POOLER_TLS_KEY: main };
    const { code, said } = await failing('pooler', await variables(env));
    expect(code).toBe(1);
    expect(said).toContain('are not a certificate and its key in PEM');
  });

  test('a pooler without a secret, or open to the world without TLS', async () => {
    const none = await failing('pooler', await variables({ EDGEREST_POOLER_SECRET: '' }));
    expect(none).toMatchObject({
      code: 1,
      said: expect.stringContaining('edgerest: EDGEREST_POOLER_SECRET is missing'),
    });
    const open = await failing('pooler', await variables({ EDGEREST_POOLER_HOST: '0.0.0.0' }));
    expect(open).toMatchObject({ code: 1, said: expect.stringContaining('beyond loopback the pooler needs TLS') });
  });
});

describe('serve', () => {
  test('answers, and ends on a signal with what is under way', async () => {
    const env = await variables();
    const running = edgerest(['serve'], env);
    await says(running, /API server listening on 127\.0\.0\.1:\d+/);
    const url = `http://127.0.0.1:${env.PGRST_SERVER_PORT}`;
    expect(await (await fetch(`${url}/item`)).json()).toEqual([{ id: 1 }]);

    const answer = fetch(`${url}/rpc/slow`, { method: 'POST' });
    await underWay(1);
    running.child.kill('SIGTERM');
    expect(await (await answer).json()).toBe(7);
    expect(await running.exited).toBe(0);
    await expect(fetch(url)).rejects.toThrow();
  });

  test('starts without its database, answers 503 meanwhile, and recovers', async () => {
    const port = await freePort();
    const env = await variables();
    const uri = new URL(env.PGRST_DB_URI ?? '');
    const target = { host: uri.hostname, port: Number(uri.port) };
    uri.hostname = '127.0.0.1';
    uri.port = String(port);
    const running = edgerest(['serve'], { ...env, PGRST_DB_URI: uri.href });
    await says(running, /API server listening/);
    const url = `http://127.0.0.1:${env.PGRST_SERVER_PORT}/item`;
    const away = await fetch(url);
    expect(away.status).toBe(503);
    expect(await away.json()).toMatchObject({ code: 'PGRST002' });

    const sockets = new Set<Socket>();
    const forward = createServer((socket) => {
      const upstream = connect(target);
      for (const one of [socket, upstream]) {
        sockets.add(one);
        one.on('error', () => undefined);
      }
      socket.pipe(upstream).pipe(socket);
    });
    forward.listen(port, '127.0.0.1');
    let status = 503;
    while (status === 503) {
      status = (await fetch(url)).status;
      await sleep(50);
    }
    expect(status).toBe(200);
    expect(running.said()).not.toContain('the-password');
    running.child.kill('SIGINT');
    expect(await running.exited).toBe(0);
    for (const socket of sockets) socket.destroy();
    forward.close();
  });

  test('a signal before anything listens ends it as well', async () => {
    const silent = createServer();
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const bound = silent.address();
    const port = bound !== null && typeof bound === 'object' ? bound.port : 0;
    const running = edgerest(['serve'], await variables({ PGRST_DB_URI: `postgresql://x:y@127.0.0.1:${port}/x` }));
    await says(running, /Starting edgerest/);
    running.child.kill('SIGTERM');
    expect(await running.exited).toBe(0);
    silent.close();
  });
});

describe('pooler', () => {
  /** Asks for the role that a transaction has. */
  const ask = async (hop: HttpHop, token: string | null, role: string): Promise<TransactionOutcome> =>
    await hop.transaction(messageOf(await snapshotOf(hop), { target: '/rpc/who', token, role }), null, null);
  const snapshotOf = async (hop: HttpHop): Promise<Snapshot> => {
    const fetched = await hop.fetchSnapshot([], null);
    if (fetched.kind !== 'new') throw new Error(fetched.kind);
    return fetched.snapshot;
  };

  test('runs transactions for whoever has the secret, as the role of the token and no other', async () => {
    const previous = 'p'.repeat(32);
    const env = await variables({ EDGEREST_POOLER_SECRET_PREVIOUS: previous });
    const running = edgerest(['pooler'], env);
    await says(running, /Pooler listening on 127\.0\.0\.1:\d+/);
    const hop = new HttpHop({ url: `http://127.0.0.1:${env.EDGEREST_POOLER_PORT}`, secret });
    const fetched = await hop.fetchSnapshot([], null);
    expect(fetched).toMatchObject({
      kind: 'new',
      snapshot: { tables: [{ name: 'item' }], settings: { dbAnonRole: anon } },
    });
    const other = new HttpHop({ url: `http://127.0.0.1:${env.EDGEREST_POOLER_PORT}`, secret: previous });
    expect(await other.fetchSnapshot([], null)).toMatchObject({ kind: 'new' });
    expect(await hop.fetchKeys(null)).toMatchObject({ kind: 'keys', keys: { keys: [], withheld: expect.any(String) } });
    expect(await bodyOf(await ask(hop, null, login))).toBe(JSON.stringify(anon));
    expect(await ask(hop, 'a.forged.token', anon)).toMatchObject({
      ok: false,
      failure: { kind: 'refused', reason: 'token', status: 401 },
    });
    running.child.kill('SIGTERM');
    expect(await running.exited).toBe(0);
    expect(running.said()).not.toMatch(/the-password|reallyreally/);
  });

  test('beyond loopback with a certificate', async () => {
    const { certificate, key } = selfSigned('localhost');
    const folder = await mkdtemp(join(tmpdir(), 'edgerest-cli-'));
    await writeFile(join(folder, 'cert.pem'), certificate);
    await writeFile(join(folder, 'key.pem'), key);
    const env = await variables({
      EDGEREST_POOLER_HOST: '0.0.0.0',
      EDGEREST_POOLER_TLS_CERT: join(folder, 'cert.pem'),
      EDGEREST_POOLER_TLS_KEY: join(folder, 'key.pem'),
    });
    const running = edgerest(['pooler'], env);
    await says(running, /Pooler listening/);
    const options = {
      host: '127.0.0.1',
      port: env.EDGEREST_POOLER_PORT,
      path: '/v1/live',
      ca: certificate,
      servername: 'localhost',
    };
    const [answer] = await once(get(options), 'response');
    expect(answer.statusCode).toBe(200);
    answer.resume();
    await rm(folder, { recursive: true });
  });

  test('SIGUSR1 loads the schema anew', async () => {
    await database.sql`drop table if exists made_later`;
    const env = await variables({ PGRST_DB_CHANNEL_ENABLED: 'false' });
    const running = edgerest(['pooler'], env);
    await says(running, /Pooler listening/);
    const hop = new HttpHop({ url: `http://127.0.0.1:${env.EDGEREST_POOLER_PORT}`, secret });
    await database.sql`create table made_later (id int)`;
    running.child.kill('SIGUSR1');
    await says(running, /Schema cache loaded[\s\S]*Schema cache loaded/);
    expect(await hop.fetchSnapshot([], null)).toMatchObject({
      snapshot: { tables: expect.arrayContaining([expect.objectContaining({ name: 'made_later' })]) },
    });
    await database.sql`drop table made_later`;
    running.child.kill('SIGUSR2');
    await says(running, /Config reloaded/);
    expect((await fetch(`http://127.0.0.1:${env.EDGEREST_POOLER_PORT}/v1/live`)).status).toBe(200);
  });

  test('without keys the roles must be listed', async () => {
    const env = await variables({ PGRST_JWT_SECRET: '', EDGEREST_ALLOWED_ROLES: `${anon},x_*` });
    const running = edgerest(['pooler'], env);
    await says(running, /Pooler listening/);
    const hop = new HttpHop({ url: `http://127.0.0.1:${env.EDGEREST_POOLER_PORT}`, secret });
    expect(await ask(hop, 'any', anon)).toMatchObject({ ok: true });
    // An identity that nobody has proven has no role.
    for (const role of [login, '']) expect(await ask(hop, 'any', role)).toMatchObject({ failure: { reason: 'role' } });
    expect(await hop.judge('any', null)).toMatchObject({ kind: 'failed', refusal: 'token' });
  });
});

/** Waits until so many statements of the test's database are running. */
async function underWay(count: number): Promise<void> {
  for (;;) {
    const [row] = await database.sql`select count(*)::int as n from pg_stat_activity
      where datname = current_database() and state = 'active' and pid <> pg_backend_pid()`;
    if (row?.n === count) return;
    await sleep(20);
  }
}
