import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { ListenOptions } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { resolveConfig } from '../../shared/config/resolve.ts';
import { freePort } from '../../test/cluster.ts';
import { checkReady, type Readiness } from './ready.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function serverOn(where: ListenOptions, status: number): Promise<void> {
  const server = createServer((request, response) => response.writeHead(request.url === '/ready' ? status : 404).end());
  servers.push(server);
  await once(server.listen(where), 'listening');
}

function check(env: Readonly<Record<string, string>>): Promise<Readiness> {
  const { config, errors } = resolveConfig({ env });
  if (config === null) throw new Error(errors.join('\n'));
  return checkReady(config);
}

describe('a program that listens', () => {
  test.each([
    ['127.0.0.1', '127.0.0.1', '127.0.0.1'],
    ['!4', '0.0.0.0', '127.0.0.1'],
    ['*4', '0.0.0.0', '127.0.0.1'],
    ['*', '0.0.0.0', '127.0.0.1'],
    ['localhost', '127.0.0.1', 'localhost'],
    ['::1', '::1', '[::1]'],
    ['!6', '::1', '[::1]'],
  ])('on %s is found', async (host, bind, shown) => {
    const port = await freePort();
    try {
      await serverOn({ host: bind, port }, 200);
    } catch (error) {
      // Not every machine has IPv6.
      if (error instanceof Error && 'code' in error && error.code === 'EADDRNOTAVAIL') return;
      throw error;
    }
    const url = `http://${shown}:${port}/ready`;
    const env = { PGRST_SERVER_HOST: host, PGRST_ADMIN_SERVER_PORT: String(port) };
    expect(await check(env)).toEqual({ ready: true, message: `OK: ${url}` });
  });

  test('on a socket file is found', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'edgerest-ready-'));
    const path = join(folder, 'admin.sock');
    await serverOn({ path }, 200);
    expect(await check({ PGRST_ADMIN_SERVER_UNIX_SOCKET: path })).toEqual({
      ready: true,
      message: `OK: ${path}:/ready`,
    });
    await rm(folder, { recursive: true });
  });

  test('and is not ready says so', async () => {
    const port = await freePort();
    await serverOn({ host: '127.0.0.1', port }, 503);
    expect(await check({ PGRST_ADMIN_SERVER_PORT: String(port) })).toEqual({
      ready: false,
      message: `ERROR: http://127.0.0.1:${port}/ready`,
    });
  });
});

test('nobody there', async () => {
  const port = await freePort();
  expect(await check({ PGRST_ADMIN_SERVER_HOST: 'localhost', PGRST_ADMIN_SERVER_PORT: String(port) })).toEqual({
    ready: false,
    message: `ERROR: connection refused to http://localhost:${port}/ready`,
  });
});

test('without an admin server', async () => {
  expect(await check({})).toEqual({
    ready: false,
    message: 'ERROR: Admin server is not running. Please check admin-server-port config.',
  });
});
