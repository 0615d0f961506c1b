/** The driver's door for WebSockets in the programs: its parameters, and how it closes. */
import { Client } from '@neondatabase/serverless';
import { expect, test } from 'vitest';
import WebSocket from 'ws';
import type { Process } from '../operating/program.ts';
import { programs } from './program.ts';

const open = programs('sessions');

interface Opened {
  readonly process: Process;
  /** A client, and what has ended it. */
  connect(path?: string): Promise<{ readonly client: Client; readonly ended: Promise<unknown> }>;
}

async function opened(env: Record<string, string> = {}): Promise<Opened> {
  const { process, port } = await open.opened(env);
  return {
    process,
    connect: async (path = '/v2') => {
      const client = new Client(open.uri());
      client.neonConfig.webSocketConstructor = WebSocket;
      client.neonConfig.useSecureWebSocket = false;
      client.neonConfig.wsProxy = (host, wanted) => `127.0.0.1:${port}${path.replace('ADDRESS', `${host}:${wanted}`)}`;
      const ended = new Promise((resolve) => client.on('error', resolve));
      await client.connect();
      return { client, ended };
    },
  };
}

test('it lets transactions end before it closes', async () => {
  const { process, connect } = await opened({ PGRST_DB_POOL: '3' });
  const [{ client, ended }, idle] = [await connect(), await connect()];
  await client.query('begin');
  await idle.client.query('select 1');
  process.child.kill('SIGTERM');
  expect(await idle.ended).toMatchObject({ code: '57P01' });
  expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
  await client.query('commit');
  expect(await ended).toMatchObject({ code: '57P01' });
  expect(await process.exited).toBe(0);
});

test('EDGEREST_DRIVER_MAX_SOCKETS', async () => {
  const { connect } = await opened({ EDGEREST_DRIVER_MAX_SOCKETS: '2' });
  const { client } = await connect();
  await connect();
  await expect(connect()).rejects.toMatchObject({ message: expect.stringContaining('503') });
  expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
});

test('EDGEREST_DRIVER_MAX_PINNED', async () => {
  const { connect } = await opened({ EDGEREST_DRIVER_MAX_PINNED: '0' });
  const { client, ended } = await connect();
  await client.query('listen news');
  expect(await ended).toMatchObject({ code: '53400', message: expect.stringContaining('LISTEN') });
});

test('EDGEREST_DRIVER_IDLE_TRANSACTION', async () => {
  const { connect } = await opened({ EDGEREST_DRIVER_IDLE_TRANSACTION: '1' });
  const { client, ended } = await connect();
  await client.query('begin');
  expect(await ended).toMatchObject({ code: '25P03' });
});

test('/v1 leads to the servers of EDGEREST_DRIVER_TARGETS and nowhere else', async () => {
  const { host } = new URL(open.database.uri);
  const { connect } = await opened({ EDGEREST_DRIVER_TARGETS: host });
  const { client } = await connect('/v1?address=ADDRESS');
  expect((await client.query('select current_user::text as me')).rows).toEqual([{ me: open.user }]);
  const elsewhere = await connect('/v1?address=127.0.0.1:1');
  await expect(elsewhere.client.query('select 1')).rejects.toMatchObject({ code: '08004' });
});
