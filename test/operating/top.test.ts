/** `edgerest top`, as an operator and as a script run it: without a terminal, in front of a real program. */
import { expect, test } from 'vitest';
import { edgerest } from '../../pooler/cli/program.fixture.ts';
import { freePort } from '../cluster.ts';
import { ask, office, portOf, until } from './program.ts';

const db = office('top');

const adminOn = (port: number): Record<string, string> => ({
  PGRST_ADMIN_SERVER_HOST: '127.0.0.1',
  PGRST_ADMIN_SERVER_PORT: String(port),
});

/** The cells of the first line that begins with this. */
const cells = (out: string, start: string): readonly string[] =>
  out
    .split('\n')
    .find((line) => line.startsWith(start))
    ?.split(/ {2,}/) ?? [];

test('--once is a table for scripts', async () => {
  const { process, port } = await db.serve({ ...adminOn(0), PGRST_DB_POOL: '1' });
  const admin = await portOf(process, 'Admin server');
  const authorization = `Bearer ${await db.token()}`;
  for (let i = 0; i < 3; i++) await ask(port, '/item?name=eq.a-value', { headers: { authorization } });
  await ask(port, '/item?id=eq.no-number');
  const nap = ask(port, '/rpc/nap', { method: 'POST', body: '{"seconds": 600}' });
  nap.catch(() => undefined);
  await until(process, async () => (await ask(admin, '/top')).text.includes('"busy":1'));
  const waiting = ask(port, '/part');
  waiting.catch(() => undefined);
  await until(process, async () => (await ask(admin, '/top')).text.includes('"waiting":1,"oldest"'));

  const once = edgerest(['top', '--once', '--admin', `http://127.0.0.1:${admin}`]);
  expect(await once.exited).toBe(0);
  const out = once.out();
  expect(once.said()).toBe('');
  expect(out).toMatch(/^edgerest \d+\.\d+\.\d+, up \d.*, \d+ MiB, event loop late by /);
  expect(out).toContain('\nconnections 1: 1 busy, 0 resetting, 0 idle, 0 connecting, 0 closing; 0 lost\n');
  expect(out).toMatch(/\nwaiting 1 of 1 key\(s\), the oldest for [\d.]+ m?s\n/);
  const [key, queued, , requests] = cells(out, `${db.anon} 127`);
  expect([key, queued, requests]).toEqual([`${db.anon} 127.0.0.0/24`, '1', '2']);
  expect(cells(out, db.author).slice(0, 4)).toEqual([db.author, '0', '-', '3']);
  const statements = out.slice(out.indexOf('\nID ') + 1).split('\n');
  const read = statements.find((line) => line.includes(db.author))?.split(/ {2,}/) ?? [];
  expect(read[0]).toMatch(/^[0-9a-f]{8}$/);
  expect(read.slice(1, 5)).toEqual([db.author, '3', '-', '0']);
  expect(read.at(-1)).toBe('SELECT "public"."item".* FROM "public"."item" WHERE "public"."item"."name" = $1');
  expect(statements.find((line) => line.includes(db.anon))?.split(/ {2,}/)[4]).toBe('1');
  for (const value of ['a-value', 'no-number', authorization.slice(7), '\x1b']) expect(out).not.toContain(value);
  process.child.kill('SIGKILL');
});

test('the configuration says where the program is', async () => {
  const admin = await freePort();
  const { process } = await db.serve(adminOn(admin));
  await portOf(process, 'Admin server');
  const once = edgerest(['top', '--once'], adminOn(admin));
  expect(await once.exited).toBe(0);
  expect(once.out()).toContain('connections 2: ');
});

test('a program that goes away and comes back, looked at without a terminal', async () => {
  const admin = await freePort();
  const first = await db.serve(adminOn(admin));
  const top = edgerest(['top', '--interval=0.1', '--admin', `http://127.0.0.1:${admin}`]);
  const shows = (text: string): Promise<void> => until(top, () => top.out().includes(text));
  await shows('\nconnections 2: ');
  first.process.child.kill('SIGTERM');
  await first.process.exited;
  await shows(`http://127.0.0.1:${admin} cannot be reached. Trying again.\n`);
  const before = top.out().length;
  await db.serve(adminOn(admin));
  await until(top, () => top.out().slice(before).includes('\nconnections 2: '));
  top.child.kill('SIGINT');
  expect(await top.exited).toBe(0);
  expect(top.out()).not.toContain('\x1b');
  expect(top.said()).toBe('');
});

test('what cannot be looked at', async () => {
  const gone = edgerest(['top', '--once', '--admin', `http://127.0.0.1:${await freePort()}`]);
  expect(await gone.exited).toBe(1);
  expect(gone.said()).toMatch(/^edgerest: http:\/\/127\.0\.0\.1:\d+ cannot be reached\.\n$/);
  const { port } = await db.serve();
  const other = edgerest(['top', '--once', '--admin', `http://127.0.0.1:${port}`]);
  expect(await other.exited).toBe(1);
  expect(other.said()).toContain('is not the admin server of an edgerest of this version.');
  const nowhere = edgerest(['top']);
  expect(await nowhere.exited).toBe(1);
  expect(nowhere.said()).toContain('set PGRST_ADMIN_SERVER_PORT');
});

test.each([
  [['--interval', '0'], '--interval is a number of seconds'],
  [['--interval'], '--interval wants a value'],
  [['--admin', 'https://example.com'], '--admin is http://host:port'],
  [['--admin', 'http://example.com/path'], '--admin is http://host:port'],
  [['--twice'], 'top has no option --twice'],
  [['one.conf', 'two.conf'], 'there is one configuration file'],
])('top %j is answered with the usage', async (args, message) => {
  const running = edgerest(['top', ...args]);
  expect(await running.exited).toBe(2);
  expect(running.said()).toContain(`edgerest: ${message}`);
});

test('it explains itself', async () => {
  const help = edgerest(['top', '--help']);
  expect(await help.exited).toBe(0);
  for (const word of ['--admin URL', '--interval N', '--once']) expect(help.out()).toContain(word);
});
