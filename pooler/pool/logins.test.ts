import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { createDatabase, type TestDatabase, uniqueName } from '../../test/postgres.ts';
import { ConnectionError, connect, type Flight, parseConnectionString } from '../wire/index.ts';
import { type Forward, forward } from './forward.fixture.ts';
import { Pool } from './pool.ts';
import type { Lease, Login, PoolEvent, PoolOptions } from './types.ts';

const users = Array.from({ length: 6 }, () => uniqueName('login'));
const [alice = '', bob = '', carol = ''] = users;
let database: TestDatabase;
let door: Forward;
let pools: Pool[] = [];

beforeAll(async () => {
  database = await createDatabase(
    'logins',
    users.map((user) => `create role ${user} login password 'right';`).join('\n'),
  );
  door = await forward(Number(new URL(database.uri).port));
});

afterEach(async () => {
  await Promise.all(pools.map((pool) => pool.drain(1000)));
  pools = [];
  await expect.poll(() => door.open()).toBe(0);
});

afterAll(async () => {
  await door.close();
  const dropped = users.map((user) => `drop role ${user};`).join('\n');
  await database.drop();
  await (await createDatabase('logins', dropped)).drop();
});

function throughDoor(uri: string) {
  const changed = new URL(uri);
  changed.port = String(door.port);
  const config = parseConnectionString(changed.href, {});
  return () => connect({ ...config, connectTimeout: 10_000 });
}

function pool(options: Partial<PoolOptions> = {}): Pool {
  const made = new Pool({ size: 2, acquisitionTimeout: 10_000, connect: throughDoor(database.uri), ...options });
  pools.push(made);
  return made;
}

function login(user: string, password = 'right', more: Partial<Login> = {}): Login {
  return { key: `${user}:${password}`, connect: throughDoor(database.uriAs(user, password)), ...more };
}

const flight = (text: string): Flight => ({
  statements: [{ text, parameters: [], prepare: 'named', result: 'row' }],
  reset: false,
});

async function ask(on: Pool, text: string, as?: Login): Promise<string | null | undefined> {
  const result = await on.run(flight(text), as === undefined ? {} : { login: as });
  if (result.outcome === 'failed') throw result.error;
  return result.results[0]?.row?.text(0);
}

const whoami = 'select session_user';
const pid = 'select pg_backend_pid()';

describe('several logins', () => {
  test('each gets connections of its own, and keeps them while there is room', async () => {
    const on = pool({ size: 3 });
    expect(await ask(on, whoami)).toBe('postgres');
    expect(await ask(on, whoami, login(alice))).toBe(alice);
    expect(await ask(on, whoami, login(bob))).toBe(bob);
    const first = await ask(on, pid, login(alice));
    expect(await ask(on, pid, login(alice))).toBe(first);
    expect(await ask(on, whoami)).toBe('postgres');
    expect(on.metrics()).toMatchObject({ connects: 3, closed: 0, idle: 3, size: 3 });
  });

  test('the one idle longest makes room for another login', async () => {
    const on = pool({ size: 2 });
    await ask(on, whoami, login(carol));
    const kept = await ask(on, pid, login(alice));
    expect(await ask(on, whoami, login(bob))).toBe(bob);
    expect(await ask(on, pid, login(alice))).toBe(kept);
    expect(on.metrics()).toMatchObject({ connects: 3, closed: 1 });
    expect(door.open()).toBe(2);
  });

  test('share the bound, counted on sockets, however many ask for however many logins', async () => {
    const on = pool({ size: 3 });
    const everyone = [undefined, ...users.map((user) => login(user))];
    const all = await Promise.all(
      Array.from({ length: 140 }, (_, i) => ask(on, `${whoami}, pg_sleep(0.002)`, everyone[i % everyone.length])),
    );
    expect(all).toEqual(
      Array.from({ length: 140 }, (_, i) => everyone[i % everyone.length]?.key.split(':')[0] ?? 'postgres'),
    );
    // One that was being opened for somebody whom another has served by then.
    await expect.poll(() => on.metrics()).toMatchObject({ waiting: 0, connecting: 0 });
    expect(door.most()).toBeLessThanOrEqual(3);
  });

  test('none waits for ever while another one always has something to do', async () => {
    const on = pool({ size: 2 });
    let going = true;
    const busy = Array.from({ length: 8 }, async () => {
      while (going) await ask(on, 'select pg_sleep(0.002)');
    });
    try {
      for (const user of users.slice(0, 4)) expect(await ask(on, whoami, login(user))).toBe(user);
    } finally {
      going = false;
      await Promise.all(busy);
    }
  });

  test('what is idle is left to its login for a while by one that has its share', async () => {
    const on = pool({ size: 2 });
    const own = await Promise.all([on.acquire(), on.acquire()]);
    const pids = own.map(({ connection }) => String(connection.processId));
    for (const lease of own) lease.release();
    const one = await on.acquire({ login: login(alice) });
    // Her second connection comes only when the pool's own has not been used for some time.
    const two = on.acquire({ login: login(alice) });
    expect(pids).toContain(await ask(on, pid));
    const lease = await two;
    expect(on.metrics()).toMatchObject({ busy: 2, idle: 0 });
    for (const each of [one, lease]) each.release();
    expect(await ask(on, whoami)).toBe('postgres');
  });

  test('a lease given back serves the next one of its login; one destroyed makes room', async () => {
    const on = pool({ size: 1 });
    const lease = await on.acquire({ login: login(alice) });
    const first = String(lease.connection.processId);
    const next = ask(on, pid, login(alice));
    lease.release();
    expect(await next).toBe(first);
    const other = await on.acquire({ login: login(alice) });
    const waiting = ask(on, whoami, login(bob));
    other.destroy();
    other.release();
    other.destroy();
    expect(await waiting).toBe(bob);
    expect(on.metrics()).toMatchObject({ busy: 0, idle: 1 });
  });

  test('a lease destroyed in the middle of something leaves nothing behind', async () => {
    const on = pool({ size: 1 });
    const lease = await on.acquire({ login: login(alice) });
    const lost = lease.connection.flight(flight('select pg_sleep(600)'));
    lease.destroy();
    await expect(lost).rejects.toBeInstanceOf(ConnectionError);
    expect(await ask(on, whoami)).toBe('postgres');
    await expect
      .poll(() => database.sql`select from pg_stat_activity where usename = ${alice} and datname = ${database.name}`)
      .toEqual([]);
  });

  test('a connection of a login with a lifetime is replaced by a new login', async () => {
    const on = pool({ size: 1 });
    const first = await ask(on, pid, login(alice, 'right', { lifetime: 30 }));
    await expect.poll(() => ask(on, pid, login(alice, 'right', { lifetime: 30 }))).not.toBe(first);
  });
});

/** Everybody always wants more connections than there are, and each is held for a while. Gives whose they are in the end. */
async function shared(everyone: readonly (Login | undefined)[], size: number): Promise<readonly string[]> {
  const on = pool({ size, acquisitionTimeout: 60_000 });
  const over = new AbortController();
  const held: { readonly user: string; readonly lease: Lease }[] = [];
  const want = async (as: Login | undefined): Promise<void> => {
    const lease = await on.acquire({ signal: over.signal, ...(as && { login: as }) }).catch(() => null);
    if (lease === null) return;
    held.push({ user: as?.user ?? as?.key ?? 'own', lease });
    void want(as);
  };
  for (const as of everyone) for (let i = 0; i < size; i++) void want(as);
  const full = () => expect.poll(() => held.length, { interval: 1, timeout: 10_000 }).toBe(size);
  for (let i = 0; i < 4 * size; i++) {
    await full();
    held.shift()?.lease.release();
  }
  await full();
  over.abort();
  const users = held.map(({ user }) => user);
  for (const { lease } of held) lease.release();
  return users;
}

describe('shares of the bound', () => {
  const of = (user: string, name = user): Login => login(user, 'right', { key: name, user });

  test('are counted by user, however many logins somebody makes of himself', async () => {
    const many = Array.from({ length: 9 }, (_, i) => of(alice, `alice as ${i}`));
    const shares = await shared([...many, of(bob)], 6);
    expect(shares.filter((user) => user === bob)).toHaveLength(3);
  });

  test('are half for the own login, however many users there are beside', async () => {
    const shares = await shared([undefined, ...users.map((user) => of(user))], 6);
    expect(shares.filter((user) => user === 'own')).toHaveLength(3);
  });

  test('are given back by one login of a user to another', async () => {
    const on = pool({ size: 2 });
    const leases = await Promise.all([1, 2].map(() => on.acquire({ login: of(alice, 'first') })));
    const more = Promise.all([1, 2].map(() => ask(on, whoami, of(alice, 'first'))));
    const other = ask(on, whoami, of(alice, 'second'));
    leases[0]?.release();
    expect(await other).toBe(alice);
    leases[1]?.release();
    await more;
    expect(on.metrics()).toMatchObject({ connects: 3, closed: 1 });
  });
});

test('the queue has room for others, whatever logins somebody makes of himself, and for the own login', async () => {
  const on = pool({ size: 1, queueLength: 100, acquisitionTimeout: 60_000 });
  const lease = await on.acquire();
  const over = new AbortController();
  const waiting = (as?: Login) => on.acquire({ signal: over.signal, ...(as && { login: as }) }).catch(() => null);
  const { refused } = on.metrics();
  const accepted = (asked: number): number => asked + refused['queue-full'] - on.metrics().refused['queue-full'];
  const all = Array.from({ length: 200 }, (_, i) => waiting(login(alice, 'right', { key: `${i % 50}`, user: alice })));
  expect(accepted(200)).toBe(64);
  all.push(...Array.from({ length: 5 }, () => waiting(login(bob, 'right', { user: bob }))));
  expect(accepted(205)).toBe(69);
  all.push(...Array.from({ length: 10 }, () => waiting()));
  expect(accepted(215)).toBe(79);
  over.abort();
  lease.release();
  await Promise.all(all);
});

describe('a login that is refused', () => {
  test('is an error at once, without a second attempt, and touches nobody else', async () => {
    const events: PoolEvent[] = [];
    const on = pool({ size: 2, observe: (event) => events.push(event) });
    const own = await ask(on, pid);
    const wrong = on.run(flight('select 1'), { login: login(alice, 'wrong') });
    await expect(wrong).rejects.toMatchObject({ kind: 'authentication', cause: { code: '28P01' } });
    expect(await ask(on, pid)).toBe(own);
    expect(await ask(on, whoami, login(alice))).toBe(alice);
    expect(events.filter((event) => event.type === 'connect-failed')).toHaveLength(1);
  });

  test('many of them leave the most of the connections to the others', async () => {
    const on = pool({ size: 8 });
    const release = await Promise.all(Array.from({ length: 8 }, () => on.acquire()));
    const before = release.map(({ connection }) => connection.processId);
    for (const lease of release) lease.release();
    const wrong = Array.from({ length: 100 }, (_, i) =>
      on.run(flight('select 1'), { login: login(alice, `wrong ${i}`) }),
    );
    const ended = await Promise.allSettled(wrong);
    expect(ended.every((each) => each.status === 'rejected' && each.reason instanceof ConnectionError)).toBe(true);
    const after = await Promise.all(Array.from({ length: 8 }, () => on.acquire()));
    const kept = after.filter(({ connection }) => before.includes(connection.processId));
    // One has made room for the first; the others have used the same place.
    expect(kept).toHaveLength(7);
    for (const lease of after) lease.release();
  });

  test('gives nobody else the place of a connection for a second, but whoever is known', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const on = pool({ size: 2 });
    let going = true;
    const busy = Array.from({ length: 6 }, async () => {
      while (going) await ask(on, 'select pg_sleep(0.002)');
    });
    try {
      await expect.poll(() => on.metrics().connects).toBe(2);
      vi.setSystemTime(Date.now() + 1000);
      await expect(ask(on, whoami, login(alice, 'wrong'))).rejects.toMatchObject({ kind: 'authentication' });
      const refused = Date.now();
      await expect.poll(() => on.metrics().connects).toBe(3);
      vi.setSystemTime(refused + 999);
      const second = ask(on, whoami, login(bob)).then((name) => ({ name, at: Date.now() }));
      expect(await ask(on, whoami, login(carol, 'right', { known: true }))).toBe(carol);
      vi.setSystemTime(refused + 1000);
      expect(await second).toEqual({ name: bob, at: refused + 1000 });
    } finally {
      going = false;
      await Promise.all(busy);
      vi.useRealTimers();
    }
  });

  test('loses the connections that it had', async () => {
    const user = uniqueName('login');
    await database.sql.unsafe(`create role ${user} login password 'right'`);
    const on = pool({ size: 2 });
    const as = login(user);
    const lease = await on.acquire({ login: as });
    await database.sql.unsafe(`alter role ${user} password 'other'`);
    // The second connection needs the password.
    await expect(on.run(flight('select 1'), { login: as })).rejects.toMatchObject({ kind: 'authentication' });
    lease.release();
    await expect(on.run(flight('select 1'), { login: as })).rejects.toMatchObject({ kind: 'authentication' });
    await expect.poll(() => on.metrics()).toMatchObject({ busy: 0, idle: 0, closing: 0 });
    await database.sql.unsafe(`drop role ${user}`);
  });

  test('a database that does not exist is no reason to wait', async () => {
    const on = pool();
    const uri = new URL(database.uri);
    uri.pathname = 'there_is_no_such_database';
    const as: Login = { key: 'absent', connect: throughDoor(uri.href) };
    await expect(on.run(flight('select 1'), { login: as })).rejects.toMatchObject({ cause: { code: '3D000' } });
  });

  test('a server that is away fails the requests of its login at once, and it recovers when somebody asks', async () => {
    const on = pool({ size: 2 });
    let away = true;
    const as: Login = {
      key: alice,
      connect: () =>
        away ? Promise.reject(new ConnectionError('refused', 'away')) : throughDoor(database.uriAs(alice, 'right'))(),
    };
    await expect(on.run(flight('select 1'), { login: as })).rejects.toMatchObject({ kind: 'refused' });
    const attempts = on.metrics().connectFailures;
    await expect(on.run(flight('select 1'), { login: as })).rejects.toMatchObject({ kind: 'refused' });
    expect(on.metrics().connectFailures).toBe(attempts);
    expect(await ask(on, whoami)).toBe('postgres');
    away = false;
    await expect.poll(() => ask(on, whoami, as).catch(() => 'away'), { timeout: 5000 }).toBe(alice);
  });
});

test('draining serves the requests of every login that were accepted', async () => {
  const on = pool({ size: 2 });
  const everyone = [undefined, login(alice), login(bob)];
  const accepted = Array.from({ length: 30 }, (_, i) => ask(on, `select ${i}, pg_sleep(0.002)`, everyone[i % 3]));
  const drained = on.drain();
  await expect(on.run(flight('select 1'), { login: login(alice) })).rejects.toMatchObject({ code: 'closed' });
  expect(await Promise.all(accepted)).toEqual(Array.from({ length: 30 }, (_, i) => String(i)));
  await drained;
  expect(on.metrics()).toMatchObject({ idle: 0, busy: 0, connecting: 0, closing: 0, waiting: 0 });
});
