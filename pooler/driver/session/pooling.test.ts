import { once } from 'node:events';
import type { Client } from '@neondatabase/serverless';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Door, openDoor } from './door.fixture.ts';
import { bind, execute, parse, query, RawClient, sync } from './raw.fixture.ts';

let door: Door;

beforeAll(async () => {
  door = await openDoor({
    size: 3,
    maxPinned: 2,
    script: `create role USER_other; grant USER_other to USER;
      create function app.hidden() returns void language sql as
        $$ select pg_advisory_lock(77); select set_config('work_mem', '9MB', false) $$;
      create function app.sleeper(text) returns text language plpgsql as
        $$ begin perform pg_sleep(0.02); return $1; end $$;
      create table app.seen (n int); alter table app.seen owner to USER;`,
  });
});
afterAll(async () => {
  expect(door.faults).toEqual([]);
  await door.database.sql.unsafe(`drop role ${door.user}_other`);
  await door.close();
});

afterEach(() => door.cut());

const backend = async (client: Client): Promise<number> =>
  (await client.query<{ pid: number }>('select pg_backend_pid() as pid')).rows[0]?.pid ?? 0;

/** Takes every connection of the pool through other hands, so that nothing is where it was left by chance. */
const shuffle = async (): Promise<void> => {
  const clients = await Promise.all([door.client(), door.client(), door.client()]);
  await Promise.all(clients.map((client) => client.query('select pg_sleep(0.01)')));
  await Promise.all(clients.map((client) => client.end()));
};

/** The state in which a connection is passed on, as the superuser sees it. */
const leftOpen = async (): Promise<readonly string[]> =>
  (await door.database.sql`select state from pg_stat_activity where usename = ${door.user} and state <> 'idle'`).map(
    ({ state }) => String(state),
  );

describe('a connection', () => {
  test('is held for a transaction and no longer', async () => {
    const clients = await Promise.all(Array.from({ length: 12 }, () => door.client()));
    await Promise.all(
      clients.map(async (client, i) => {
        for (let round = 0; round < 5; round++) {
          await client.query('begin');
          await client.query("select set_config('app.mine', $1, true)", [String(i)]);
          const { rows } = await client.query("select app.sleeper(current_setting('app.mine')) as mine");
          expect(rows).toEqual([{ mine: String(i) }]);
          await client.query(round % 2 === 0 ? 'commit' : 'rollback');
        }
      }),
    );
    await door.quiet();
    expect(door.pool.metrics().connects).toBeLessThanOrEqual(3);
    expect(door.sockets.counts()).toEqual({ sockets: 12, busy: 0, pinned: 0 });
    await Promise.all(clients.map((client) => client.end()));
  });

  test('is given back in order when its client is cut off, wherever that is', async () => {
    const where: readonly ((client: RawClient) => Promise<void>)[] = [
      async (client) => client.send(query('begin; insert into seen values (1)')),
      async (client) => {
        client.send(query('begin; insert into seen values (1)'));
        await client.until('Z');
      },
      async (client) => {
        client.send(query('begin; select wrong'));
        await client.until('Z');
      },
      async (client) => client.send(query('insert into seen values (1); select pg_sleep(60)')),
      async (client) => client.send(parse('', 'insert into seen values (1)'), bind(''), execute),
      async (client) => client.send(parse('', 'wrong'), bind('')),
      async (client) => {
        client.send(query('copy seen from stdin'));
        await client.until('G');
      },
      async (client) => client.send(parse('', 'copy seen from stdin'), bind(''), execute, sync),
      async (client) => client.send(query("select repeat('x', 1000000) from generate_series(1, 100)")),
      async (client) => client.send(query('listen something'), query('begin')),
      async (client) => client.send(Buffer.from('Q')),
    ];
    for (const [i, act] of [...where, ...where].entries()) {
      const who = { user: door.user, database: door.database.name };
      const client = await RawClient.login(door.port, who, door.password);
      await act(client);
      if (i >= where.length) await new Promise((resolve) => setTimeout(resolve, 20));
      client.socket.terminate();
    }
    // Until then somebody's last words may not have been read yet.
    await expect.poll(() => door.sockets.counts().sockets).toBe(0);
    await shuffle();
    await door.quiet();
    expect(await leftOpen()).toEqual([]);
    expect(await door.query('select n from seen')).toEqual([]);
    expect(door.pool.metrics().busy).toBe(0);
    expect(door.sockets.counts().pinned).toBe(0);
  });

  test('is cancelled by its client’s key, and nobody else is', async () => {
    const client = await door.client();
    const others = await Promise.all([door.client(), door.client()]);
    const running = Promise.all(
      others.map(async (each) => {
        for (let i = 0; i < 40; i++) await each.query('select app.sleeper($1)', ['x']);
      }),
    );
    for (let i = 0; i < 5; i++) {
      const stopped = client.query('select pg_sleep(60)').then(
        () => 'it ran',
        (error: unknown) => Reflect.get(Object(error), 'code'),
      );
      await door.database.sql`select pg_sleep(0.05)`;
      cancel(client);
      expect(await stopped).toBe('57014');
      expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    }
    await running;
    await Promise.all([client, ...others].map((each) => each.end()));
  });

  test('that others hold too long: the client is told, and may try again', async () => {
    const impatient = await openDoor({ size: 1, acquisitionTimeout: 500 });
    const holder = await impatient.client();
    const waiter = await impatient.client();
    await holder.query('begin');
    await expect(waiter.query('select 1')).rejects.toMatchObject({ code: '53300', severity: 'ERROR' });
    await expect(waiter.query('select $1::int', [1])).rejects.toMatchObject({ code: '53300' });
    // Whoever waits can be cancelled.
    const waiting = waiter.query('select 1').catch((error: unknown) => Reflect.get(Object(error), 'code'));
    await holder.query('select 1');
    cancel(waiter);
    expect(['57014', '53300']).toContain(await waiting);
    await holder.query('commit');
    expect((await waiter.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    await impatient.close();
  });

  test('is taken from a client that leaves it waiting', async () => {
    const strict = await openDoor({ idleTransaction: 50 });
    // Outside of a transaction it may wait.
    const idle = await strict.client();
    await idle.query('select 1');
    for (let i = 0; i < 2; i++) {
      const client = await strict.client();
      const ended = new Promise((resolve) => client.once('error', resolve));
      await client.query('begin');
      expect(await ended).toMatchObject({ code: '25P03', severity: 'FATAL' });
    }
    await strict.quiet();
    expect((await idle.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    await strict.close();
  });

  test('that the server ends: the client is told why', async () => {
    const client = await door.client();
    const ended = new Promise((resolve) => client.once('error', resolve));
    await client.query('begin');
    const pid = await backend(client);
    await door.database.sql`select pg_terminate_backend(${pid})`;
    expect(await ended).toMatchObject({ code: '57P01' });
    expect(await door.query('select 1 as one')).toEqual([{ one: 1 }]);
  });

  test('that the server ends in the middle of a query: the client is told once', async () => {
    const client = await RawClient.login(door.port, { user: door.user, database: door.database.name }, door.password);
    client.send(query('select pg_terminate_backend(pg_backend_pid())'));
    await expect(client.until('nothing')).rejects.toThrow(/^closed after TD?E$/);
  });
});

/** As the driver would, were there a way to ask it for. */
function cancel(client: Client): void {
  const processId: unknown = Reflect.get(client, 'processID');
  const key: unknown = Reflect.get(client, 'secretKey');
  const request = Buffer.alloc(16);
  request.writeInt32BE(16, 0);
  request.writeInt32BE(80_877_102, 4);
  request.writeInt32BE(Number(processId), 8);
  request.writeInt32BE(Number(key), 12);
  const raw = new RawClient(door.port);
  raw.socket.on('open', () => raw.send(request));
}

describe('prepared statements', () => {
  test('are parsed on whatever connection they are used', async () => {
    const clients = await Promise.all(Array.from({ length: 9 }, () => door.client()));
    await Promise.all(
      clients.map(async (client, i) => {
        for (let round = 0; round < 10; round++) {
          const { rows } = await client.query({
            name: `n${i % 3}`,
            text: `select $1::int + ${i} as n`,
            values: [round],
          });
          expect(rows).toEqual([{ n: round + i }]);
        }
      }),
    );
    await Promise.all(clients.map((client) => client.end()));
  });

  test('of which a connection keeps a bounded number', async () => {
    const client = await door.client();
    for (let i = 0; i < 700; i++) await client.query({ name: `s${i}`, text: `select ${i} as n` });
    for (const i of [0, 350, 699]) {
      expect((await client.query({ name: `s${i}`, text: `select ${i} as n` })).rows).toEqual([{ n: i }]);
    }
    const [row] = await door.query('select count(*)::int as n from pg_prepared_statements');
    expect(row?.n).toBeLessThan(300);
    await client.end();
  });

  test('whose table has changed are parsed anew after the error', async () => {
    const client = await door.client();
    await client.query('drop table if exists changing');
    await client.query('create table changing (a int)');
    const statement = { name: 'c', text: 'select * from changing' };
    await client.query(statement);
    await shuffle();
    await client.query('alter table changing add b int');
    for (let i = 0; ; i++) {
      const result = await client.query(statement).catch((error: unknown) => Reflect.get(Object(error), 'code'));
      if (typeof result === 'object') break;
      expect(result).toBe('0A000');
      expect(i).toBeLessThan(4);
    }
    await client.query('drop table changing');
    await client.end();
  });

  test('that are prepared after a change are parsed after it', async () => {
    const types = ['int', 'text', 'bigint', 'jsonb'];
    for (const [i, type] of types.entries()) {
      const owner = await door.client();
      const others = await Promise.all([door.client(), door.client()]);
      await owner.query(`create table changing (a ${type})`);
      for (const client of others) {
        expect((await client.query({ name: `c${i}`, text: 'select a from changing' })).rows).toEqual([]);
      }
      await owner.query('begin; drop table changing; create table changing (b int, a date)');
      // Nobody but its transaction sees the change yet.
      const read = { name: `owner${i}`, text: 'select a from changing' };
      expect((await owner.query(read)).fields[0]?.dataTypeID).toBe(1082);
      await owner.query('rollback');
      const late = await door.client();
      await late.query({ name: 'late', text: 'select a from changing' });
      await owner.query('drop table changing');
      await Promise.all([owner, late, ...others].map((client) => client.end()));
    }
  });

  test('of temporary tables do not meet those of others', async () => {
    for (const type of ['int', 'text', 'date']) {
      const client = await door.client();
      await client.query(`create temp table temporary as select null::${type} as a`);
      expect((await client.query({ name: 'same', text: 'select a from temporary' })).rows).toEqual([{ a: null }]);
      await client.end();
      await door.quiet();
    }
  });

  test('that an error in the same batch has skipped are there for the next', async () => {
    const who = { user: door.user, database: door.database.name };
    const client = await RawClient.login(door.port, who, door.password);
    client.send(parse('late', 'select 1'), sync);
    expect(await client.round()).toBe('1ZI');
    await shuffle();
    // Its Parse, which has to come again, is behind an error, and the next batch is sent without waiting.
    for (let i = 0; i < 3; i++)
      client.send(parse('', 'wrong'), bind('late'), execute, sync, bind('late'), execute, sync);
    for (let i = 0; i < 3; i++) {
      expect(await client.round()).toBe('EZI');
      expect(await client.round()).toBe('2DCZI');
    }
    client.socket.close();
  });
});

test('a DEALLOCATE that needs no server holds no connection', async () => {
  const client = await door.client();
  await client.query({ name: 'gone', text: 'select 1' });
  await client.query('deallocate gone');
  await door.quiet();
  await expect(client.query('deallocate gone')).rejects.toMatchObject({ code: '26000' });
  await client.end();
});

describe('settings', () => {
  test('go with the client and with nobody else', async () => {
    const one = await door.client();
    const two = await door.client();
    await one.query(`set statement_timeout = '7s'; set TimeZone = 'Asia/Tokyo'; set app.tenant = 'a "quoted\\ one'`);
    await one.query(`set role ${door.user}_other`);
    await one.query("select set_config('app.other', 'b', false)");
    await two.query("set local statement_timeout = '1s'");
    const read = `select current_setting('statement_timeout') t, current_setting('TimeZone') z,
      current_setting('app.tenant', true) a, current_setting('app.other', true) b, current_user::text u`;
    for (let i = 0; i < 4; i++) {
      await shuffle();
      const [mine, others] = await Promise.all([one.query(read), two.query(read)]);
      expect(mine.rows).toEqual([{ t: '7s', z: 'Asia/Tokyo', a: 'a "quoted\\ one', b: 'b', u: `${door.user}_other` }]);
      expect(others.rows[0]).toMatchObject({ t: '0', u: door.user });
      expect(others.rows[0]?.a || null).toBeNull();
      expect(others.rows[0]?.z).not.toBe('Asia/Tokyo');
    }
    await one.query('reset statement_timeout; reset role; reset app.tenant');
    await shuffle();
    expect((await one.query(read)).rows).toMatchObject([{ t: '0', z: 'Asia/Tokyo', b: 'b', u: door.user }]);
    await one.query('discard all');
    await shuffle();
    expect((await one.query(read)).rows).not.toMatchObject([{ z: 'Asia/Tokyo' }]);
    expect(door.sockets.counts().pinned).toBe(0);
    await one.end();
    await two.end();
  });

  test('do not stay behind where there was only reading', async () => {
    const single = await openDoor({ size: 1 });
    const one = await single.client();
    const two = await single.client();
    await one.query("set work_mem = '5MB'");
    for (let i = 0; i < 3; i++) {
      expect((await one.query('show work_mem')).rows).toEqual([{ work_mem: '5MB' }]);
      expect((await two.query('show work_mem')).rows).not.toEqual([{ work_mem: '5MB' }]);
    }
    await single.close();
  });

  test('that were rolled back do not go anywhere', async () => {
    const client = await door.client();
    await client.query("begin; set work_mem = '5MB'; rollback");
    await shuffle();
    expect((await client.query('show work_mem')).rows).not.toEqual([{ work_mem: '5MB' }]);
    await client.end();
  });

  test('the same text under another search_path is another statement', async () => {
    await door.database.sql
      .unsafe(`drop schema if exists other cascade; drop table if exists app.here;
      create schema other authorization ${door.user};
      create table other.here as select 'other' as it; create table app.here as select 'app' as it;
      alter table other.here owner to ${door.user}; alter table app.here owner to ${door.user}`)
      .simple();
    const one = await door.client();
    const two = await door.client();
    await two.query('set search_path = other');
    const statement = { name: 'here', text: 'select * from here' };
    for (let i = 0; i < 3; i++) {
      await shuffle();
      expect((await one.query(statement)).rows).toEqual([{ it: 'app' }]);
      expect((await two.query(statement)).rows).toEqual([{ it: 'other' }]);
    }
    await one.end();
    await two.end();
  });

  test('that change who it is or what bytes mean are refused', async () => {
    for (const [text, config] of [
      ["set client_encoding = 'LATIN1'", {}],
      ["set names 'latin1'", {}],
      [`set session authorization ${door.user}`, { connectionString: door.database.uri }],
    ] as const) {
      const client = await door.client(config);
      const ended = new Promise((resolve) => client.once('error', resolve));
      await client.query(text);
      expect(await ended).toMatchObject({ code: '0A000', severity: 'FATAL' });
    }
    expect(await door.query('show client_encoding')).toEqual([{ client_encoding: 'UTF8' }]);
  });
});

describe('what cannot be taken along', () => {
  test.each([
    ['LISTEN', 'listen news', 'unlisten *'],
    ['a temporary table', 'create temp table mine (a int)', 'drop table mine'],
    ['an advisory lock', 'select pg_advisory_lock(5)', 'select pg_advisory_unlock(5)'],
    ['a cursor', 'begin; declare c cursor with hold for select 1; commit', 'close c'],
    ['PREPARE', 'prepare p as select 1', 'deallocate p'],
    ['what a block does', `do $$ begin perform pg_advisory_lock(6); end $$`, 'select pg_advisory_unlock_all()'],
    ['a setting without a visible name', "select set_config('app.' || 'x', 'y', false)", null],
  ])('%s: the client keeps its connection', async (_, make, undo) => {
    const client = await door.client();
    await client.query(make);
    await door.database.sql`select 1`;
    const pid = await backend(client);
    await shuffle();
    expect(door.sockets.counts().pinned).toBe(1);
    expect(await backend(client)).toBe(pid);
    if (undo !== null) {
      await client.query(undo);
      await door.quiet();
      expect(door.sockets.counts().pinned).toBe(0);
    }
    await client.end();
    await door.quiet();
    expect(door.sockets.counts().pinned).toBe(0);
    const left = await door.query(`select
      (select count(*)::int from pg_locks where locktype = 'advisory') as locks,
      (select count(*)::int from pg_listening_channels()) as channels,
      (select count(*)::int from pg_prepared_statements where from_sql) as prepared,
      current_setting('app.x', true) as setting, to_regclass('mine') as tables`);
    expect(left[0]?.setting || null).toBeNull();
    expect(left).toMatchObject([{ locks: 0, channels: 0, prepared: 0, tables: null }]);
  });

  test('notifications arrive at any time', async () => {
    const client = await door.client();
    await client.query('listen news');
    for (let i = 0; i < 20; i++) {
      const arrived = once(client, 'notification');
      await door.query("select pg_notify('news', $1)", [String(i)]);
      const [{ channel, payload }] = await arrived;
      expect([channel, payload]).toEqual(['news', String(i)]);
      await client.query('select 1');
    }
    await client.end();
  });

  test('its own notifications bear the process id that it was told', async () => {
    const client = await door.client();
    await client.query('listen self');
    const own: unknown = Reflect.get(client, 'processID');
    // No process of the server has it: whoever asks for its end there hits nobody.
    const ended = await client.query('select pg_terminate_backend($1::int) as ended', [own]);
    expect(ended.rows).toEqual([{ ended: false }]);
    const heard: unknown[] = [];
    client.on('notification', ({ processId, payload }) => heard.push(payload === 'mine', processId === own));
    await client.query("notify self, 'mine'");
    await door.query("notify self, 'another''s'");
    await expect.poll(() => heard).toEqual([true, true, false, false]);
    await client.end();
  });

  test('more than may are refused, in words, and leave nothing behind', async () => {
    const clients = await Promise.all([door.client(), door.client(), door.client()]);
    await clients[0]?.query('listen a');
    await clients[1]?.query('select pg_advisory_lock(1)');
    await door.database.sql`select pg_sleep(0.05)`;
    const [, , third] = clients;
    const ended = new Promise((resolve) => third?.once('error', resolve));
    await third?.query('create temp table t (a int)');
    expect(await ended).toMatchObject({
      code: '53400',
      severity: 'FATAL',
      message: expect.stringContaining('temporary objects'),
    });
    expect(await door.query("select to_regclass('t') as t")).toEqual([{ t: null }]);
    await Promise.all(clients.slice(0, 2).map((client) => client.end()));
    await door.quiet();
    expect(door.sockets.counts().pinned).toBe(0);
  });

  test('what code in the database leaves is undone', async () => {
    const client = await door.client();
    await client.query('select hidden()');
    await shuffle();
    expect(
      await door.query(`select count(*)::int as locks, current_setting('work_mem') <> '9MB' as reset
        from pg_locks where locktype = 'advisory'`),
    ).toEqual([{ locks: 0, reset: true }]);
    expect(door.sockets.counts().pinned).toBe(0);
    await client.end();
  });
});

describe('the end', () => {
  test('sessions between two transactions are told, others end theirs first', async () => {
    const other = await openDoor({ size: 2 });
    const idle = await other.client();
    const busy = await other.client();
    const told = new Promise((resolve) => idle.once('error', resolve));
    const toldToo = new Promise((resolve) => busy.once('error', resolve));
    await busy.query('begin');
    const closed = other.sockets.close(10_000);
    expect(await told).toMatchObject({ code: '57P01' });
    await busy.query('commit');
    expect(await toldToo).toMatchObject({ code: '57P01' });
    await closed;
    await other.close();
  });

  test.each(['select 1', 'create table app.kept (n int)'])(
    'one that keeps its connection as well: %s',
    async (text) => {
      const other = await openDoor({ size: 2 });
      const client = await other.client();
      const ended = new Promise((resolve) => client.once('error', resolve));
      await client.query('listen something');
      await client.query('begin');
      await client.query(text);
      const closed = other.sockets.close(10_000);
      await client.query('commit');
      expect(await ended).toMatchObject({ code: '57P01' });
      await closed;
      await other.quiet();
      await other.close();
    },
  );
});
