/** Connections to the database that are lost under a worker without a pooler. */
import { connect, createServer, type Server } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createHyperdrive } from '../../worker/hyperdrive.ts';
import { listening } from '../listening.ts';
import { createStandaloneDatabase, type StandaloneDatabase } from './database.ts';
import type { Ask } from './requests.ts';
import { type StandaloneWorker, startStandalone } from './workerd.ts';

/** Sockets that carry this to the database are cut before it arrives; null cuts none. */
let fatal: string | null = null;
let database: StandaloneDatabase;
let relay: Server;
let uri: string;

beforeAll(async () => {
  database = await createStandaloneDatabase();
  const { hostname, port } = new URL(database.loginUri);
  relay = createServer((client) => {
    const server = connect(Number(port), hostname);
    const cut = (): void => {
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) socket.on('error', cut).on('close', cut);
    client.on('data', (bytes) => {
      if (fatal !== null && bytes.includes(fatal)) cut();
      else server.write(bytes);
    });
    server.on('data', (bytes) => client.write(bytes));
  });
  const through = new URL(database.loginUri);
  through.hostname = '127.0.0.1';
  through.port = String(await listening(relay));
  uri = through.href;
});
afterEach(() => {
  fatal = null;
});
afterAll(async () => {
  relay.close();
  await database.drop();
});

function losses(ask: Ask): void {
  const insert = async (id: number): Promise<readonly [number, unknown]> => {
    const response = await ask('/item', {
      method: 'POST',
      body: JSON.stringify({ id, name: `item ${id}` }),
      headers: { authorization: `Bearer ${await database.token()}`, 'content-type': 'application/json' },
    });
    const text = await response.text();
    return [response.status, text === '' ? null : JSON.parse(text).code];
  };
  const exists = async (id: number): Promise<boolean> => (await (await ask(`/item?id=eq.${id}`)).json()).length === 1;

  test.each([
    ['the beginning', 'begin isolation', [503, 'PGRST000']],
    ['the settings', 'set_config', [503, 'PGRST001']],
    ['the statement', 'INSERT INTO', [503, 'PGRST001']],
    ['the commit', 'commit\u0000', [502, 'EDGE002']],
  ] as const)(
    'at %s: what is known is said, nothing is written, and the next request is served',
    async (_, at, answer) => {
      expect((await ask('/item')).status).toBe(200);
      fatal = at;
      expect(await insert(50)).toEqual(answer);
      fatal = null;
      expect(await exists(50)).toBe(false);
      expect(await insert(51)).toEqual([201, null]);
      expect(await exists(51)).toBe(true);
      await database.sql`delete from api.item where id = 51`;
    },
  );

  test('by the server, in the middle of a statement', async () => {
    const response = await ask('/rpc/terminate', { method: 'POST' });
    expect([response.status, (await response.json()).code]).toEqual([503, 'PGRST001']);
    expect((await ask('/item')).status).toBe(200);
  });
}

describe('in Node', () => {
  const silent = { access: () => undefined, diagnostic: () => undefined };
  let edgerest: ReturnType<typeof createHyperdrive>;
  beforeAll(() => {
    edgerest = createHyperdrive({ bindings: { ...database.bindings, PGRST_DB_URI: uri }, log: silent });
  });
  losses((target, init) => edgerest(new Request(`http://localhost${target}`, init)));
});

describe('in workerd', () => {
  let worker: StandaloneWorker;
  beforeAll(async () => {
    worker = await startStandalone('hyperdrive', { ...database.bindings, PGRST_DB_URI: uri });
  });
  afterAll(() => worker.stop());
  losses((target, init) => fetch(new URL(target, worker.url), init));
});
