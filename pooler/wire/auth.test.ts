import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { selfSigned } from '../../test/certificate.ts';
import { type Cluster, startCluster, throwAwaySettings } from '../../test/cluster.ts';
import { connect } from './connect.ts';
import { ConnectionError } from './errors.ts';
import { Secret } from './secret.ts';
import { parseConnectionString } from './uri.ts';

let folder: string;
let cluster: Cluster;
const tls = selfSigned('localhost');
const stranger = selfSigned('localhost');
const password = 'pä"ss\u00a0wörd①';

const hba = [
  'hostssl all only_tls 127.0.0.1/32 scram-sha-256',
  'hostnossl all only_plain 127.0.0.1/32 scram-sha-256',
  'host all only_tls,only_plain 127.0.0.1/32 reject',
  'host all by_scram 127.0.0.1/32 scram-sha-256',
  'host all by_md5 127.0.0.1/32 md5',
  'host all by_cleartext 127.0.0.1/32 password',
  'host all by_trust 127.0.0.1/32 trust',
  'host all nobody 127.0.0.1/32 reject',
];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'edgerest-auth-'));
  await writeFile(join(folder, 'root.crt'), tls.certificate);
  await writeFile(join(folder, 'stranger.crt'), stranger.certificate);
  cluster = await startCluster({
    dataDir: join(folder, 'data'),
    settings: { ...throwAwaySettings, ssl: 'on' },
    files: { 'server.crt': tls.certificate, 'server.key': tls.key },
    hba,
  });
  const sql = postgres(cluster.superuserUri(), { max: 1, onnotice: () => undefined });
  const literal = `'${password}'`;
  for (const role of ['by_scram', 'by_cleartext', 'only_tls', 'only_plain', 'nobody']) {
    await sql.unsafe(`create role ${role} login password ${literal}`);
  }
  await sql.unsafe(`set password_encryption = md5; create role by_md5 login password ${literal}`).simple();
  await sql.unsafe('create role by_trust login');
  await sql.end();
});

afterAll(async () => {
  await cluster?.stop();
  await rm(folder, { recursive: true, force: true });
});

type Given = { user: string; password?: string | null; [parameter: string]: string | null | undefined };

/** Who we are after logging in, and whether TLS was used; or the kind of the error. */
async function login(given: Given): Promise<string> {
  const { user, password: word = password, host = '127.0.0.1', port = String(cluster.port), ...rest } = given;
  const quote = (value: string) => `'${value.replace(/[\\']/g, '\\$&')}'`;
  const parameters = { user, password: word, host, port, dbname: 'postgres', connect_timeout: '10', ...rest };
  const pairs = Object.entries(parameters).flatMap(([name, value]) => (value ? [`${name}=${quote(value)}`] : []));
  try {
    const connection = await connect(parseConnectionString(pairs.join(' '), {}));
    const text = 'select current_user, ssl from pg_stat_ssl where pid = pg_backend_pid()';
    const result = await connection.flight({
      statements: [{ text, parameters: [], prepare: 'unnamed', result: 'row' }],
      reset: false,
    });
    await connection.close();
    const row = result.results[0]?.row;
    return `${row?.text(0)} ${row?.text(1) === 't' ? 'over TLS' : 'in the open'}`;
  } catch (error) {
    if (!(error instanceof ConnectionError)) throw error;
    expect(`${error.message} ${JSON.stringify(error)}`).not.toContain(password);
    return error.kind;
  }
}

describe.each(['disable', 'require'])('sslmode=%s', (sslmode) => {
  const how = sslmode === 'disable' ? 'in the open' : 'over TLS';

  test.each(['by_scram', 'by_md5', 'by_cleartext'])('%s takes the password and no other', async (user) => {
    expect(await login({ user, sslmode })).toBe(`${user} ${how}`);
    expect(await login({ user, sslmode, password: 'wrong' })).toBe('authentication');
    expect(await login({ user, sslmode, password: null })).toBe('authentication');
  });

  test('trust wants no password', async () => {
    expect(await login({ user: 'by_trust', sslmode, password: null })).toBe(`by_trust ${how}`);
  });

  test('where the password has to be checked, trust is not enough', async () => {
    const loginTo = (user: string) => {
      const host = `host=127.0.0.1 port=${cluster.port} dbname=postgres sslmode=${sslmode} connect_timeout=10`;
      return connect({
        ...parseConnectionString(host, {}),
        user,
        password: new Secret(password),
        passwordChecked: true,
      });
    };
    for (const user of ['by_scram', 'by_md5', 'by_cleartext']) await (await loginTo(user)).close();
    await expect(loginTo('by_trust')).rejects.toMatchObject({ kind: 'authentication' });
  });

  test('a missing user, database and permission are told apart', async () => {
    expect(await login({ user: 'nosuchuser', sslmode })).toBe('authentication');
    expect(await login({ user: 'nobody', sslmode })).toBe('authentication');
    expect(await login({ user: 'by_scram', sslmode, dbname: 'nosuchdb' })).toBe('rejected');
  });
});

test('sslmode chooses between TLS and none as in libpq', async () => {
  expect(await login({ user: 'by_scram', sslmode: 'prefer' })).toBe('by_scram over TLS');
  expect(await login({ user: 'by_scram', sslmode: 'allow' })).toBe('by_scram in the open');
  expect(await login({ user: 'only_tls', sslmode: 'allow' })).toBe('only_tls over TLS');
  expect(await login({ user: 'only_tls', sslmode: 'disable' })).toBe('authentication');
  expect(await login({ user: 'only_plain', sslmode: 'prefer' })).toBe('only_plain in the open');
  expect(await login({ user: 'only_plain', sslmode: 'require' })).toBe('authentication');
});

test('certificates are checked as sslmode says', async () => {
  const user = 'by_scram';
  const root = (name: string) => ({ sslrootcert: join(folder, name) });
  expect(await login({ user, sslmode: 'verify-ca', ...root('root.crt') })).toBe('by_scram over TLS');
  expect(await login({ user, sslmode: 'verify-ca', ...root('stranger.crt') })).toBe('tls');
  expect(await login({ user, sslmode: 'verify-full', host: 'localhost', ...root('root.crt') })).toBe(
    'by_scram over TLS',
  );
  expect(await login({ user, sslmode: 'verify-full', ...root('root.crt') })).toBe('tls');
  expect(await login({ user, sslmode: 'verify-full', host: 'localhost', sslrootcert: 'system' })).toBe('tls');
  expect(await login({ user, sslmode: 'require', ...root('stranger.crt') })).toBe('tls');
  expect(await login({ user, sslmode: 'verify-ca', ...root('missing.crt') })).toBe('tls');
});

test('SCRAM is bound to the TLS connection', async () => {
  expect(await login({ user: 'by_scram', sslmode: 'require', channel_binding: 'require' })).toBe('by_scram over TLS');
  expect(await login({ user: 'by_scram', sslmode: 'require', channel_binding: 'disable' })).toBe('by_scram over TLS');
  expect(await login({ user: 'by_scram', sslmode: 'disable', channel_binding: 'require' })).toBe('authentication');
  expect(await login({ user: 'by_trust', sslmode: 'require', channel_binding: 'require' })).toBe('authentication');
});

test('the next host is tried when one is away', async () => {
  const given = { user: 'by_scram', host: '127.0.0.1,127.0.0.1', port: `1,${cluster.port}` };
  expect(await login(given)).toBe('by_scram over TLS');
  expect(await login({ ...given, target_session_attrs: 'read-write' })).toBe('by_scram over TLS');
  expect(await login({ ...given, target_session_attrs: 'prefer-standby' })).toBe('by_scram over TLS');
  expect(await login({ ...given, target_session_attrs: 'standby' })).toBe('rejected');
  expect(await login({ user: 'by_scram', port: '1' })).toBe('refused');
});

describe('a server that is none', () => {
  async function withServer(answer: (server: Server) => void, use: (port: string) => Promise<void>): Promise<void> {
    const server = createServer();
    answer(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    try {
      await use(String(typeof address === 'object' ? address?.port : ''));
    } finally {
      server.close();
    }
  }
  const answering = (bytes: string) => (server: Server) =>
    server.on('connection', (socket) =>
      socket.on('error', () => undefined).once('data', () => socket.write(bytes, 'latin1')),
    );

  test.each([
    ['S\x52\0\0\0\x08\0\0\0\0', 'require', 'tls'],
    ['N', 'require', 'tls'],
    ['HTTP/1.1 400 Bad Request\r\n\r\n', 'require', 'tls'],
    ['HTTP/1.1 400 Bad Request\r\n\r\n', 'disable', 'protocol'],
    ['\x52\0\0\0\x03', 'disable', 'protocol'],
    ['\x5a\0\0\0\x05I', 'disable', 'protocol'],
    ['\x52\0\0\0\x08\0\0\0\x07', 'disable', 'authentication'],
    // SCRAM that ends before the server has proven anything.
    ['\x52\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0\x52\0\0\0\x08\0\0\0\0\x5a\0\0\0\x05I', 'disable', 'authentication'],
  ])('answers %j to sslmode=%s: %s', async (bytes, sslmode, kind) => {
    await withServer(answering(bytes), async (port) => {
      expect(await login({ user: 'by_scram', port, sslmode })).toBe(kind);
    });
  });

  test('a server that says nothing is given up', async () => {
    await withServer(
      () => undefined,
      async (port) => {
        expect(await login({ user: 'by_scram', port, connect_timeout: '1' })).toBe('timeout');
      },
    );
  });
});
