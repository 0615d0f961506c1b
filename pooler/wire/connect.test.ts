import { createServer, connect as dial, type Server } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { listening } from '../../test/listening.ts';
import { createDatabase, type TestDatabase } from '../../test/postgres.ts';
import { connect } from './connect.ts';
import type { Connection } from './connection.ts';
import { parseConnectionString } from './uri.ts';

let database: TestDatabase;
const open: Connection[] = [];
const servers: Server[] = [];

beforeAll(async () => {
  database = await createDatabase('connect');
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((connection) => connection.close()));
  for (const server of servers.splice(0)) server.close();
});

afterAll(() => database.drop());

const setting = 'client_connection_check_interval';

async function shown(uri: string): Promise<string | null | undefined> {
  const connection = await connect(parseConnectionString(uri, {}));
  open.push(connection);
  const text = `show ${setting}`;
  const result = await connection.flight({
    statements: [{ text, parameters: [], prepare: 'unnamed', result: 'row' }],
    reset: true,
  });
  await connection.free();
  return result.results[0]?.row?.text(0);
}

/** A server that knows no such setting, as PostgreSQL 13 and poolers: all else is passed on. Gives its port and counts logins. */
async function older(logins: { refused: number; passed: number }): Promise<number> {
  const message = `SFATAL\0C42704\0Munrecognized configuration parameter "${setting}"\0\0`;
  const refusal = Buffer.alloc(5 + message.length);
  refusal.write('E');
  refusal.writeInt32BE(4 + message.length, 1);
  refusal.write(message, 5);
  const server = createServer((near) => {
    near.on('error', () => undefined);
    near.once('data', (startup) => {
      if (startup.includes(setting)) {
        logins.refused++;
        near.end(refusal);
        return;
      }
      logins.passed++;
      const far = dial(Number(new URL(database.uri).port), '127.0.0.1').on('error', () => undefined);
      far.write(startup);
      near.pipe(far).pipe(near);
    });
  });
  servers.push(server);
  return await listening(server);
}

test('the server is to notice when we are gone, also after a reset', async () => {
  expect(await shown(database.uri)).toBe('1s');
  expect(await shown(`${database.uri}?options=-c%20${setting}%3D7s`)).toBe('7s');
  const [connection] = open;
  const again = await connection?.flight({
    statements: [{ text: `show ${setting}`, parameters: [], prepare: 'unnamed', result: 'row' }],
    reset: false,
  });
  expect(again?.results[0]?.row?.text(0)).toBe('1s');
});

test('a server without that setting is asked once', async () => {
  const logins = { refused: 0, passed: 0 };
  const uri = new URL(database.uri);
  uri.port = String(await older(logins));
  uri.searchParams.set('sslmode', 'disable');
  const config = parseConnectionString(uri.href, {});
  for (let i = 0; i < 3; i++) open.push(await connect(config));
  expect(logins).toEqual({ refused: 1, passed: 3 });
});

test('a host that failed is tried after the others for a while', async () => {
  let attempts = 0;
  const silent = createServer((socket) => {
    attempts++;
    socket.on('error', () => undefined);
    socket.destroy();
  });
  servers.push(silent);
  const away = await listening(silent);
  const uri = new URL(database.uri);
  const hosts = `127.0.0.1:${away},${uri.host}`;
  const config = parseConnectionString(
    `postgres://${uri.username}:${uri.password}@${hosts}/${database.name}?sslmode=disable`,
    {},
  );
  for (let i = 0; i < 3; i++) open.push(await connect(config));
  expect(attempts).toBe(1);
});

test('a database that is called like the setting and is not there is no reason to go without it', async () => {
  const config = parseConnectionString(database.uri, {});
  await expect(connect({ ...config, database: setting })).rejects.toMatchObject({ kind: 'rejected' });
  const connection = await connect(config);
  open.push(connection);
  const result = await connection.flight({
    statements: [{ text: `show ${setting}`, parameters: [], prepare: 'unnamed', result: 'row' }],
    reset: false,
  });
  expect(result.results[0]?.row?.text(0)).toBe('1s');
});
