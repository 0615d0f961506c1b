import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { superuserUri } from '../../test/postgres.ts';
import type { ConnectionConfig } from '../wire/config.ts';
import { parseConnectionString } from '../wire/uri.ts';
import { singleConnection } from './client.ts';

const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function listen(server: Server): Promise<number> {
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const configOf = (...ports: readonly number[]): ConnectionConfig => ({
  ...parseConnectionString(superuserUri(), {}),
  endpoints: ports.map((port) => ({ kind: 'tcp', host: '127.0.0.1', address: null, port })),
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

test('an unreachable server is an error, not a wait', async () => {
  const port = await listen(createServer());
  servers.splice(0)[0]?.close();
  const sql = singleConnection(configOf(port));
  await expect(sql`select 1`).rejects.toMatchObject({ code: 'ECONNREFUSED' });
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
  const sql = singleConnection(configOf(port));
  await expect(sql`select 1`).rejects.toThrow('closed');
  await sql.end({ timeout: 0 });
  expect(connections).toBe(1);
});

test('the next host is tried when one cannot be reached', async () => {
  const away = await listen(createServer());
  servers.splice(0)[0]?.close();
  const [there] = parseConnectionString(superuserUri(), {}).endpoints;
  if (there?.kind !== 'tcp') throw new Error('the test server is expected on TCP');
  const sql = singleConnection(configOf(away, there.port), {}, 'read-write');
  expect(await sql`select 1 as one`).toEqual([{ one: 1 }]);
  await sql.end();
});
