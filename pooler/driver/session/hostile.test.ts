/** Clients that do what no driver does, by mistake or on purpose. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { Changes } from '../changes.ts';
import { type Door, openDoor } from './door.fixture.ts';
import { FrontendReader } from './frontend.ts';
import { Texts } from './names.ts';
import { Pins } from './pins.ts';
import { bind, execute, fieldsOf, parse, password, query, RawClient, startup, sync, valuesOf } from './raw.fixture.ts';
import { Session } from './session.ts';

let door: Door;
let who: { readonly user: string; readonly database: string };

beforeAll(async () => {
  door = await openDoor({ size: 1 });
  who = { user: door.user, database: door.database.name };
});
afterAll(async () => {
  expect(door.faults).toEqual([]);
  await door.close();
});

afterEach(() => door.cut());

const login = (): Promise<RawClient> => RawClient.login(door.port, who, door.password);

test('an unnamed statement that a client has not parsed is not that of another client', async () => {
  const one = await login();
  const other = await login();
  one.send(parse('', "select 'of another'"), sync);
  expect(await one.round()).toBe('1ZI');
  await door.quiet();
  other.send(bind(''), execute, sync);
  const messages = await other.until('Z');
  expect(messages.map(({ type }) => type).join('')).toBe('EZ');
  expect(messages[0] && fieldsOf(messages[0])).toMatchObject({ C: '26000' });
  one.send(bind(''), execute, sync);
  expect(await one.round()).toBe('2DCZI');
  one.socket.close();
  other.socket.close();
});

test('an unnamed statement that fails does not take the next one with it', async () => {
  const client = await login();
  client.send(parse('', 'wrong'), sync, parse('', "select 'the next'"));
  expect(await client.round()).toBe('EZI');
  client.send(bind(''), execute, sync);
  const row = (await client.until('Z')).find(({ type }) => type === 'D');
  expect(row && valuesOf(row)).toEqual(['the next']);
  client.socket.close();
});

test('a client that takes nothing is answered no further', () => {
  const answers = 300_000;
  let answered = 0;
  let isPaused = false;
  let closed = false;
  const peer = {
    buffered: 0,
    send: (bytes: Buffer) => {
      answered++;
      peer.buffered += bytes.length;
    },
    pause: () => {
      isPaused = true;
    },
    resume: () => {
      isPaused = false;
    },
    close: () => {
      closed = true;
    },
  };
  const reader = new FrontendReader(1000);
  const connect = () => Promise.reject(new Error('not asked'));
  const nobody = { key: '', user: '', database: '', queue: '', share: '', connect };
  const session = new Session(nobody, peer, reader, {
    pool: door.pool,
    logins: { admission: () => ({}) },
    texts: new Texts(),
    changes: new Changes(),
    processId: 1,
    pins: new Pins(0),
    idleLimit: 1000,
    checkReads: () => false,
    onFault: () => undefined,
    onEnd: () => undefined,
  });
  reader.push(Buffer.concat(Array.from({ length: answers }, () => sync)));
  session.arrived();
  expect(peer.buffered).toBeLessThan(1024 * 1024 + 1000);
  expect(isPaused).toBe(true);
  while (answered < answers) {
    expect(peer.buffered).toBeGreaterThan(0);
    peer.buffered = 0;
    session.taken();
  }
  expect(isPaused).toBe(false);
  session.expire(Date.now() + 1000);
  expect(closed).toBe(false);
  peer.buffered = 1024 * 1024;
  session.expire(Date.now() + 1000);
  expect(closed).toBe(true);
});

test('clients that take nothing keep memory up to a limit', async () => {
  const small = await openDoor({ maxBuffered: 2 * 1024 * 1024 });
  const who = { user: small.user, database: small.database.name };
  const clients = await Promise.all([1, 2, 3].map(() => RawClient.login(small.port, who, small.password)));
  const cut = clients.map(({ socket }) => new Promise((resolve) => socket.once('close', resolve)));
  for (const client of clients) {
    client.send(query("select repeat('x', 100000) from generate_series(1, 1000)"));
    client.socket.pause();
  }
  // Whoever does not read is not told that it is cut: what it reads then breaks off.
  await expect.poll(() => small.sockets.counts().sockets, { timeout: 20_000 }).toBeLessThan(3);
  for (const { socket } of clients) socket.resume();
  await Promise.race(cut);
  for (const { socket } of clients) socket.terminate();
  await small.quiet();
  await small.close();
});

test('what a client sends and does not end counts as well', async () => {
  const small = await openDoor({ maxBuffered: 2 * 1024 * 1024 });
  const who = { user: small.user, database: small.database.name };
  const [one, other] = await Promise.all([1, 2].map(() => RawClient.login(small.port, who, small.password)));
  const cut = new Promise((resolve) => other?.socket.once('close', resolve));
  other?.socket.send(Buffer.alloc(3 * 1024 * 1024), { fin: false });
  await cut;
  one?.send(query('select 1'));
  expect(await one?.round()).toBe('TDCZI');
  one?.socket.terminate();
  await small.close();
});

test('a client that leaves out its Sync does not keep a connection', async () => {
  const strict = await openDoor({ idleTransaction: 50 });
  const client = await RawClient.login(
    strict.port,
    { user: strict.user, database: strict.database.name },
    strict.password,
  );
  client.send(parse('', 'select pg_advisory_xact_lock(1)'), bind(''), execute);
  expect(await client.error()).toMatchObject({ C: '25P03' });
  await strict.quiet();
  await strict.close();
});

test('texts that a client prepares are bounded', async () => {
  const client = await login();
  const long = `select 1 -- ${'x'.repeat(5 * 1024 * 1024)}`;
  for (let i = 0; i < 8; i++) client.send(parse(`s${i}`, `${long}${i}`));
  expect(await client.error()).toMatchObject({ C: '54000' });
  await client.closed();
  expect(await door.query('select 1 as one')).toEqual([{ one: 1 }]);
});

test('what is sent during a login waits for its end', async () => {
  const client = new RawClient(door.port);
  await client.opened();
  client.send(startup(who), password(door.password));
  // Frames of their own: the login is not over when the first come.
  for (let i = 0; i < 2000; i++) client.send(query(`select ${i} -- ${'x'.repeat(200)}`));
  await client.until('Z');
  for (let i = 0; i < 2000; i++) {
    const row = (await client.until('Z')).find(({ type }) => type === 'D');
    expect(row && valuesOf(row)).toEqual([String(i)]);
  }
  client.socket.close();
});
