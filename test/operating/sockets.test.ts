/** Where the programs listen: socket files, shared ports; and what they do not take. */
import { once } from 'node:events';
import { lstat, readdir, writeFile } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freePort } from '../cluster.ts';
import { ask, office, says, until } from './program.ts';

const db = office('sockets');

const modeOf = async (path: string): Promise<string> => ((await lstat(path)).mode & 0o777).toString(8);

test.each(['serve', 'edge'] as const)(
  '%s on a socket file: its mode, its end, and one from an earlier run',
  async (command) => {
    const path = join(db.folder, `${command}.sock`);
    // A socket that nobody listens on any more.
    const dead = createServer().listen(path);
    await once(dead, 'listening');
    const process = db.start(command, { PGRST_SERVER_UNIX_SOCKET: path, PGRST_SERVER_UNIX_SOCKET_MODE: '640' });
    await says(process, new RegExp(`API server listening on ${path}\n`));
    expect(await modeOf(path)).toBe('640');
    expect((await ask(path, '/item?id=eq.1&select=id')).text).toBe('[{"id":1}]');
    process.child.kill('SIGTERM');
    expect(await process.exited).toBe(0);
    const left = await readdir(db.folder);
    expect(left.filter((name) => name.includes(command) || name.startsWith('.'))).toEqual([]);
    dead.close();
  },
);

test('a successor takes the file over, and keeps it when the first one ends', async () => {
  const path = join(db.folder, 'successor.sock');
  const admin = join(db.folder, 'first-admin.sock');
  const env = { PGRST_SERVER_UNIX_SOCKET: path };
  const first = db.start('serve', {
    ...env,
    PGRST_ADMIN_SERVER_UNIX_SOCKET: admin,
    PGRST_ADMIN_SERVER_UNIX_SOCKET_MODE: '600',
  });
  await says(first, /API server listening/);
  expect([await modeOf(path), await modeOf(admin)]).toEqual(['660', '600']);
  expect((await ask(admin, '/live')).status).toBe(200);
  const second = db.start('serve', env);
  await says(second, /API server listening/);
  expect((await ask(admin, '/live')).status).toBe(500);
  first.child.kill('SIGTERM');
  expect(await first.exited).toBe(0);
  expect((await ask(path, '/item?id=eq.1')).status).toBe(200);
});

test.each([
  ['a file that is no socket', 'plain', 'that is there already, and no socket'],
  ['a folder that is missing', 'missing/api.sock', 'cannot listen there'],
  ['a path that is too long', 'x'.repeat(120), 'the path of a socket has at most'],
])('%s is one clear line', async (_, name, message) => {
  await writeFile(join(db.folder, 'plain'), 'precious');
  const path = join(db.folder, name);
  const process = db.start('serve', { PGRST_SERVER_UNIX_SOCKET: path });
  expect(await process.exited).toBe(1);
  expect(process.said()).toContain(`edgerest: PGRST_SERVER_UNIX_SOCKET is ${path}: ${message}`);
});

test('a port is handed over with server-reuseport: no request is lost', async () => {
  const port = await freePort();
  const env = { PGRST_SERVER_PORT: String(port), PGRST_SERVER_REUSEPORT: 'true', PGRST_LOG_LEVEL: 'info' };
  const first = db.start('serve', env);
  await says(first, /API server listening/);
  const nap = ask(port, '/rpc/nap', { method: 'POST', body: '{"seconds": 1}' });
  const second = db.start('serve', env);
  await says(second, /API server listening/);
  for (let i = 0; i < 20; i++) expect((await ask(port, '/item?id=eq.1')).status).toBe(200);
  first.child.kill('SIGTERM');
  const answer = await nap;
  expect([answer.text, answer.headers.connection]).toEqual(['7', 'close']);
  expect(await first.exited).toBe(0);
  for (let i = 0; i < 5; i++) expect((await ask(port, '/item?id=eq.1')).status).toBe(200);
  const served = (): readonly number[] => [first, second].map(({ out }) => out().split('/item?id=eq.1').length - 1);
  await until(second, () => served().reduce((a, b) => a + b) === 25);
  expect(served()[1]).toBeGreaterThanOrEqual(5);
});

test('with server-reuseport a port is taken only when there is something to answer with', async () => {
  const port = await freePort();
  const { sql } = db.database;
  const process = db.start('serve', {
    PGRST_SERVER_PORT: String(port),
    PGRST_SERVER_REUSEPORT: 'true',
    PGRST_DB_SCHEMAS: 'coming',
  });
  await says(process, /Attempting to reconnect/);
  await expect(ask(port, '/')).rejects.toThrow('ECONNREFUSED');
  await sql`create schema coming`;
  await sql`notify pgrst`;
  await says(process, /API server listening/);
  await sql`drop schema coming`;
});

test('edge cannot share its port, and says so', async () => {
  const process = db.start('edge', { PGRST_SERVER_REUSEPORT: '1' });
  expect(await process.exited).toBe(1);
  expect(process.said()).toBe(
    'edgerest: PGRST_SERVER_REUSEPORT is set: workerd cannot share its port, only serve can.\n',
  );
});

/** Sends some bytes and gives what comes back until the server closes the connection. */
async function raw(port: number, text: string): Promise<string> {
  const socket: Socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    answer += chunk;
  });
  socket.write(text);
  await once(socket, 'close');
  return answer;
}

test('headers have a limit, and what is no HTTP is refused', async () => {
  const { process, port } = await db.serve({ PGRST_LOG_LEVEL: 'debug' });
  const headers = `GET /item?id=eq.1 HTTP/1.1\r\nHost: x\r\nX-Large: `;
  expect((await ask(port, '/item?id=eq.1', { headers: { 'x-large': 'x'.repeat(60_000) } })).status).toBe(200);
  expect(await raw(port, `${headers}${'x'.repeat(70_000)}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 431 /);
  expect(await raw(port, 'EHLO example.com\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
  await until(process, () => process.said().split('API server: Parse Error').length === 3);
});
