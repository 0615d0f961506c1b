import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TLSSocket } from 'node:tls';
import { afterEach, expect, test } from 'vitest';
import { type Certificate, selfSigned } from '../../test/certificate.ts';
import { listening } from '../../test/listening.ts';
import { superuserUri } from '../../test/postgres.ts';
import type { ConnectionConfig, Endpoint } from '../wire/config.ts';
import { parseConnectionString } from '../wire/uri.ts';
import { singleConnection } from './client.ts';
import { inTransaction } from './transaction.ts';

const servers: Server[] = [];
const folders: string[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

async function listen(server: Server): Promise<number> {
  servers.push(server);
  return await listening(server);
}

function testServer(): Extract<Endpoint, { kind: 'tcp' }> {
  const [endpoint] = parseConnectionString(superuserUri(), {}).endpoints;
  if (endpoint?.kind !== 'tcp') throw new Error('the test server is expected on TCP');
  return endpoint;
}

/** The port of the test server with TLS in front of it. */
function tlsFront({ key, certificate }: Certificate): Promise<number> {
  return listen(
    createServer((socket) => {
      // SSLRequest: 8 bytes, answered with S before the handshake
      socket.once('data', () => {
        socket.write('S');
        const secured = new TLSSocket(socket, { isServer: true, key, cert: certificate });
        const upstream = connect(testServer().port, testServer().host);
        secured.pipe(upstream).pipe(secured);
        for (const end of [secured, upstream]) end.on('error', () => undefined);
      });
      socket.on('error', () => undefined);
    }),
  );
}

const configOf = (ports: readonly number[], host = '127.0.0.1'): ConnectionConfig => ({
  ...parseConnectionString(superuserUri(), {}),
  endpoints: ports.map((port) => ({ kind: 'tcp', host, address: null, port })),
});

test('it connects as the connection string says', async () => {
  const sql = singleConnection(
    parseConnectionString(`${superuserUri()}?application_name=mine&options=-c%20work_mem=1234kB`, {}),
  );
  expect(await sql`select current_setting('application_name') as name, current_setting('work_mem') as memory`).toEqual([
    { name: 'mine', memory: '1234kB' },
  ]);
  await sql.end();
});

test.each(['127.0.0.1', 'localhost'])('an unreachable server is an error that says so: %s', async (host) => {
  const port = await listen(createServer());
  servers.splice(0)[0]?.close();
  const sql = singleConnection(configOf([port], host));
  await expect(sql`select 1`).rejects.toThrow('ECONNREFUSED');
  await sql.end({ timeout: 0 });
});

test('a server that closes at once is tried once', async () => {
  let connections = 0;
  const port = await listen(
    createServer((socket) => {
      connections++;
      socket.destroy();
    }),
  );
  const sql = singleConnection(configOf([port]));
  await expect(sql`select 1`).rejects.toThrow('closed');
  await sql.end({ timeout: 0 });
  expect(connections).toBe(1);
});

test('the next host is tried when one cannot be reached', async () => {
  const away = await listen(createServer());
  servers.splice(0)[0]?.close();
  const sql = singleConnection(configOf([away, testServer().port]), {}, 'read-write');
  expect(await sql`select 1 as one`).toEqual([{ one: 1 }]);
  await sql.end();
});

test('a certificate counts for the name or address that was asked for', async () => {
  const certificate = selfSigned('localhost');
  const port = await tlsFront(certificate);
  const folder = mkdtempSync(join(tmpdir(), 'edgerest-'));
  folders.push(folder);
  const root = join(folder, 'root.crt');
  writeFileSync(root, certificate.certificate);

  const attempt = async (host: string, parameters: string): Promise<unknown> => {
    const uri = new URL(superuserUri());
    uri.host = `${host}:${port}`;
    uri.search = parameters;
    const sql = singleConnection(parseConnectionString(uri.href, {}));
    try {
      return (await sql`select 1 as one`)[0]?.one;
    } catch (error) {
      return error instanceof Error && 'code' in error ? error.code : error;
    } finally {
      await sql.end({ timeout: 0 });
    }
  };

  expect(await attempt('127.0.0.1', 'sslmode=require')).toBe(1);
  expect(await attempt('127.0.0.1', `sslmode=verify-ca&sslrootcert=${root}`)).toBe(1);
  expect(await attempt('localhost', `sslmode=verify-full&sslrootcert=${root}`)).toBe(1);
  expect(await attempt('127.0.0.1', `sslmode=verify-full&sslrootcert=${root}`)).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
  expect(await attempt('127.0.0.1', 'sslmode=verify-ca')).toBe('DEPTH_ZERO_SELF_SIGNED_CERT');
  // no binding to the channel here: the certificate has to be right
  expect(await attempt('localhost', `sslmode=require&channel_binding=require&sslrootcert=${root}`)).toBe(1);
  expect(await attempt('localhost', 'sslmode=require&channel_binding=require')).toBe('DEPTH_ZERO_SELF_SIGNED_CERT');
});

test('a connection that is lost in the middle of a transaction is an error, and no more than that', async () => {
  const config = parseConnectionString(superuserUri(), {});
  for (let i = 0; i < 3; i++) {
    const sql = singleConnection(config);
    const lost = inTransaction(sql, 'read only', async (transaction) => {
      await transaction.unsafe('select pg_catalog.pg_terminate_backend(pg_catalog.pg_backend_pid())');
    });
    await expect(lost).rejects.toThrow();
    await sql.end({ timeout: 0 });
  }
});
