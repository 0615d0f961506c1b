import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { type Door, openDoor } from './door.fixture.ts';
import {
  bind,
  closeStatement,
  cstring,
  describeStatement,
  execute,
  fieldsOf,
  int32,
  message,
  packet,
  parse,
  password,
  query,
  RawClient,
  startup,
  sync,
  terminate,
  valuesOf,
} from './raw.fixture.ts';

let door: Door;
let who: { readonly user: string; readonly database: string };

beforeAll(async () => {
  door = await openDoor({
    script: `create table app.numbers (n int primary key); alter table app.numbers owner to USER;
      create table app.late (n int unique deferrable initially deferred); alter table app.late owner to USER;`,
  });
  who = { user: door.user, database: door.database.name };
});
afterAll(async () => {
  expect(door.faults).toEqual([]);
  await door.close();
});

afterEach(() => door.cut());

const login = (parameters: Readonly<Record<string, string>> = {}): Promise<RawClient> =>
  RawClient.login(door.port, { ...who, ...parameters }, door.password);

describe('logging in', () => {
  test('in one frame with the first query: each is answered once', async () => {
    const client = new RawClient(door.port);
    await client.opened();
    client.send(startup(who), password(door.password), query('select 1'));
    const first = await client.until('Z');
    const types = first.map(({ type }) => type).join('');
    expect(types).toMatch(/^RRS+KZ$/);
    expect(first[0]?.payload.readInt32BE()).toBe(3);
    expect(first[1]?.payload.readInt32BE()).toBe(0);
    const reported = new Map(
      first.filter(({ type }) => type === 'S').map(({ payload }) => payload.toString().split('\0') as [string, string]),
    );
    expect(reported.get('client_encoding')).toBe('UTF8');
    expect(reported.get('session_authorization')).toBe(door.user);
    expect(await client.round()).toBe('TDCZI');
    client.send(terminate);
    expect(await client.closed()).toBe(1000);
  });

  test('byte by byte, after encryption was asked for', async () => {
    const client = new RawClient(door.port);
    await client.opened();
    for (const code of [80_877_103, 80_877_104]) {
      client.send(packet(code));
      await client.until('no');
    }
    for (const byte of Buffer.concat([startup(who), password(door.password)])) client.send(Buffer.of(byte));
    await client.until('Z');
    client.send(terminate);
    await client.closed();
  });

  test.each(['UTF8', 'utf-8', 'utf_8', "'Unicode'"])('in the encoding %s', async (encoding) => {
    const client = await login({ client_encoding: encoding });
    client.send(terminate);
    expect(await client.closed()).toBe(1000);
  });

  test('settings of the startup are the session’s defaults', async () => {
    const client = await login({
      options: '-c work_mem=3MB',
      application_name: 'an app',
      TimeZone: 'Asia/Kolkata',
      'my.setting': 'with a space \\ and more',
    });
    client.send(
      query(`set work_mem = '4MB'; reset work_mem; select current_setting('work_mem'), current_setting('application_name'),
        current_setting('TimeZone'), current_setting('my.setting')`),
    );
    const row = (await client.until('Z')).find(({ type }) => type === 'D');
    expect(row && valuesOf(row)).toEqual(['3MB', 'an app', 'Asia/Kolkata', 'with a space \\ and more']);
    client.socket.close();
  });

  const refused = async (...frames: readonly Buffer[]): Promise<Readonly<Record<string, string>>> => {
    const client = new RawClient(door.port);
    await client.opened();
    client.send(...frames);
    const fields = await client.error();
    await client.closed();
    return fields;
  };

  test.each([
    ['a wrong password', () => [startup(who), password('wrong')], '28P01'],
    ['an unknown user', () => [startup({ ...who, user: 'nobody_here' }), password('wrong')], '28P01'],
    ['no password', () => [startup(who), password('')], '28P01'],
    ['an unknown database', () => [startup({ ...who, database: 'not_there' }), password(door.password)], '3D000'],
    ['replication', () => [startup({ ...who, replication: 'database' })], '0A000'],
    ['another encoding', () => [startup({ ...who, client_encoding: 'LATIN1' })], '0A000'],
    ['a setting that there is none of', () => [startup({ ...who, nonsense: 'x' }), password(door.password)], '42704'],
    ['a setting that is no name', () => [startup({ ...who, 'a -c b': 'x' })], '42704'],
    ['no user', () => [startup({ database: 'postgres' })], '28000'],
    ['an old protocol', () => [packet(2 << 16, Buffer.alloc(10))], '0A000'],
    ['a query in place of a password', () => [startup(who), query('select 1')], '08P01'],
    ['nonsense', () => [Buffer.from('GET / HTTP/1.1\r\n\r\n')], '08P01'],
  ])('%s is refused', async (_, frames, code) => {
    const fields = await refused(...frames());
    expect(fields).toMatchObject({ S: 'FATAL', C: code });
    expect(JSON.stringify(fields)).not.toContain(door.password);
  });

  test('a client that changes its mind before it has begun is closed without a word', async () => {
    const client = new RawClient(door.port);
    await client.opened();
    client.send(terminate);
    await expect(client.until('E')).rejects.toThrow('closed after ');
    const asked = new RawClient(door.port);
    await asked.opened();
    asked.send(startup(who), terminate);
    expect((await asked.until('R')).length).toBe(1);
    await expect(asked.until('E')).rejects.toThrow('closed after ');
  });

  test('a text frame ends the connection', async () => {
    const client = new RawClient(door.port);
    await client.opened();
    client.socket.send('hello');
    expect(await client.closed()).toBe(1003);
  });

  test('other paths are refused, and /v1 where there is no list of servers', async () => {
    for (const [path, status] of [
      ['/', 404],
      ['/v3', 404],
      ['/v1?address=127.0.0.1:22', 403],
    ] as const) {
      const socket = new WebSocket(`ws://127.0.0.1:${door.port}${path}`);
      const found = await new Promise((resolve) => {
        socket.on('unexpected-response', (_, response) => resolve(response.statusCode));
        socket.on('error', () => undefined);
      });
      expect(found, path).toBe(status);
    }
  });
});

describe('messages', () => {
  test('answers stay aligned where an error skips what follows', async () => {
    const client = await login();
    client.send(
      ...[
        parse('a', 'select $1::int'),
        bind('a', '1'),
        execute,
        bind('a', 'x'),
        execute,
        bind('a', '2'),
        execute,
        sync,
      ],
      ...[parse('b', 'select 2'), describeStatement('b'), bind('b'), execute, sync],
      query('select 3; select 4'),
    );
    expect(await client.round()).toBe('12DCEZI');
    expect(await client.round()).toBe('1tT2DCZI');
    expect(await client.round()).toBe('TDCTDCZI');
    // Skipped with the batch: the name does not exist, on whatever connection.
    client.send(bind('nothing'), parse('c', 'select 5'), sync, bind('c'), execute, sync);
    expect(await client.round()).toBe('EZI');
    const [error] = await client.until('Z');
    expect(error && fieldsOf(error)).toMatchObject({ C: '26000', M: 'prepared statement "c" does not exist' });
    client.socket.close();
  });

  test('a name is taken until it is closed', async () => {
    const client = await login();
    client.send(parse('a', 'select 1'), sync);
    expect(await client.round()).toBe('1ZI');
    client.send(parse('a', 'select 2'), sync);
    const [error] = await client.until('Z');
    expect(error && fieldsOf(error)).toMatchObject({ C: '42P05', M: 'prepared statement "a" already exists' });
    client.send(closeStatement('a'), parse('a', 'select 3'), bind('a'), execute, closeStatement('nothing'), sync);
    const messages = await client.until('Z');
    expect(messages.map(({ type }) => type).join('')).toBe('312DC3Z');
    expect(messages.flatMap((each) => (each.type === 'D' ? valuesOf(each) : []))).toEqual(['3']);
    client.send(
      parse('B c', 'select 1'),
      sync,
      query('deallocate "B c"'),
      bind('B c'),
      sync,
      query('deallocate "B c"'),
    );
    expect([await client.round(), await client.round(), await client.round(), await client.round()]).toEqual([
      '1ZI',
      'CZI',
      'EZI',
      'EZI',
    ]);
    client.send(query('deallocate all'), bind('a'), execute, sync);
    expect(await client.round()).toBe('CZI');
    expect(await client.round()).toBe('EZI');
    client.socket.close();
  });

  test('the unnamed statement lives on between transactions, whichever connection that is', async () => {
    const client = await login();
    client.send(parse('', 'select $1::int + 1'), sync);
    expect(await client.round()).toBe('1ZI');
    await Promise.all(Array.from({ length: 8 }, () => door.query('select 1')));
    client.send(describeStatement(''), bind('', '4'), execute, sync);
    expect(await client.round()).toBe('tT2DCZI');
    client.socket.close();
  });

  test('a Sync alone needs no connection, and what a server ignores is ignored', async () => {
    const client = await login();
    client.send(message('H'), message('d', Buffer.from('x')), message('c'), sync);
    expect(await client.round()).toBe('ZI');
    client.socket.close();
  });

  test('an error at commit is told', async () => {
    const client = await login();
    client.send(parse('', 'insert into late values (1), (1)'), bind(''), execute, sync);
    expect(await client.round()).toBe('12CEZI');
    client.send(query('begin; insert into late values (1), (1); commit'));
    expect(await client.round()).toBe('CCEZI');
    client.socket.close();
  });

  test('a function is called by its number', async () => {
    const client = await login();
    // pg_catalog.int4pl
    client.send(
      message('F', int32(177), Buffer.from([0, 1, 0, 0, 0, 2, 0, 0, 0, 1, 0x34, 0, 0, 0, 1, 0x35, 0, 0])),
      sync,
    );
    expect(await client.round()).toBe('VZI');
    expect(await client.round()).toBe('ZI');
    client.socket.close();
  });

  test('what makes no sense ends the session', async () => {
    const client = await login();
    client.send(message('y', cstring('?')));
    expect(await client.error()).toMatchObject({ S: 'FATAL', C: '08P01' });
    await client.closed();
    await door.quiet();
  });
});

describe('COPY', () => {
  const rows = (from: number, count: number): Buffer =>
    message('d', Buffer.from(Array.from({ length: count }, (_, i) => `${from + i}\n`).join('')));

  test('in and out, in a simple query', async () => {
    const client = await login();
    client.send(query('truncate numbers'), query('copy numbers from stdin'));
    expect(await client.round()).toBe('CZI');
    await client.until('G');
    for (let i = 0; i < 10; i++) client.send(rows(i * 1000, 1000));
    client.send(message('c'));
    expect(await client.round()).toBe('CZI');
    client.send(query('copy numbers to stdout'));
    const messages = await client.until('Z');
    expect(messages.filter(({ type }) => type === 'd')).toHaveLength(10_000);
    client.socket.close();
  });

  test('without waiting for the server, and with a Sync that it ignores', async () => {
    const client = await login();
    const copy = [parse('', 'copy numbers from stdin'), bind(''), execute];
    client.send(query('truncate numbers'), ...copy, rows(0, 5), message('c'), sync);
    expect(await client.round()).toBe('CZI');
    expect(await client.round()).toBe('12GCZI');
    client.send(...copy, sync);
    await client.until('G');
    client.send(rows(5, 5), message('c'), sync);
    expect(await client.round()).toBe('CZI');
    client.send(query('select count(*) from numbers'));
    expect(await client.round()).toBe('TDCZI');
    client.socket.close();
  });

  test('that fails, by the server and by the client', async () => {
    const client = await login();
    client.send(query('copy numbers from stdin'));
    await client.until('G');
    client.send(message('d', Buffer.from('x\n')), message('c'));
    expect(await client.round()).toBe('EZI');
    client.send(parse('', 'copy numbers from stdin'), bind(''), execute, sync);
    await client.until('G');
    client.send(message('f', cstring('no more')), sync);
    expect(await client.round()).toBe('EZI');
    client.send(query('select 1'));
    expect(await client.round()).toBe('TDCZI');
    client.socket.close();
  });
});
