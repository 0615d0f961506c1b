import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../../test/cluster.ts';
import { createDatabase, type TestDatabase } from '../../test/postgres.ts';
import { type Connection, ConnectionError, connect, type Flight, parseConnectionString } from '../wire/index.ts';
import { createPool } from './create.ts';
import { forward } from './forward.fixture.ts';
import { Pool } from './pool.ts';
import type { PoolEvent, PoolOptions } from './types.ts';

let database: TestDatabase;
let pools: Pool[] = [];

beforeAll(async () => {
  database = await createDatabase('pool');
});

afterEach(async () => {
  await Promise.all(pools.map((pool) => pool.drain(1000)));
  pools = [];
});

afterAll(() => database.drop());

function pool(options: Partial<PoolOptions> = {}, uri = database.uri): Pool {
  const made = createPool(parseConnectionString(uri, {}), { size: 2, acquisitionTimeout: 10_000, ...options });
  pools.push(made);
  return made;
}

function flight(text: string, parameters: readonly string[] = [], reset = false): Flight {
  return { statements: [{ text, parameters, prepare: 'named', result: 'row' }], reset };
}

async function value(on: Pool, text: string, scope = ''): Promise<string | null | undefined> {
  const result = await on.run(flight(text), { scope });
  if (result.outcome === 'failed') throw result.error;
  return result.results[0]?.row?.text(0);
}

const backends = () =>
  database.sql`select from pg_stat_activity where datname = ${database.name} and pid <> pg_backend_pid()`;
const pid = 'select pg_backend_pid()';

/** Keeps the connections of a pool busy until it is told to let them go. */
async function occupy(on: Pool, count: number): Promise<() => void> {
  const leases = await Promise.all(Array.from({ length: count }, () => on.acquire()));
  return () => {
    for (const lease of leases) lease.release();
  };
}

describe('the bound', () => {
  test('holds however many ask, and everyone is answered', async () => {
    const on = pool({ size: 3 });
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        on.run(flight('select $1::text, pg_sleep(0.001)', [String(i)], i % 2 === 0)),
      ),
    );
    expect(answers.map((answer) => answer.results[0]?.row?.text(0))).toEqual(
      Array.from({ length: 100 }, (_, i) => String(i)),
    );
    expect(await backends()).toHaveLength(3);
    expect(on.metrics()).toMatchObject({ size: 3, connects: 3, flights: 100, waiting: 0, closed: 0 });
  });

  test('counts a connection until its socket is closed', async () => {
    const on = pool({ size: 1 });
    const first = await value(on, pid);
    const lease = await on.acquire();
    void lease.connection.close();
    expect(on.metrics()).toMatchObject({ closing: 1, available: 0 });
    lease.release();
    expect(await value(on, pid)).not.toBe(first);
    expect(on.metrics()).toMatchObject({ connects: 2, closed: 1 });
  });
});

describe('waiting', () => {
  test('is first come, first served', async () => {
    const on = pool({ size: 1 });
    const release = await occupy(on, 1);
    const order: number[] = [];
    const all = Array.from({ length: 20 }, (_, i) => on.run(flight('select 1')).then(() => order.push(i)));
    release();
    await Promise.all(all);
    expect(order).toEqual(Array.from({ length: 20 }, (_, i) => i));
  });

  test('ends after the acquisition timeout, at the deadline, or when the client leaves', async () => {
    const on = pool({ size: 1, acquisitionTimeout: 700 });
    const release = await occupy(on, 1);
    const controller = new AbortController();
    const patient = on.run(flight('select 1'));
    const hurried = on.run(flight('select 1'), { deadline: Date.now() + 20 });
    const gone = on.run(flight('select 1'), { signal: controller.signal });
    expect(on.metrics().waiting).toBe(3);
    controller.abort();
    await expect(gone).rejects.toMatchObject({ code: 'aborted' });
    await expect(hurried).rejects.toMatchObject({ code: 'deadline' });
    await expect(patient).rejects.toMatchObject({ code: 'acquisition-timeout' });
    await expect(on.run(flight('select 1'), { deadline: Date.now() - 1 })).rejects.toMatchObject({ code: 'deadline' });
    await expect(on.run(flight('select 1'), { signal: controller.signal })).rejects.toMatchObject({ code: 'aborted' });
    release();
    expect(await value(on, 'select 1')).toBe('1');
    expect(on.metrics().refused).toMatchObject({ 'acquisition-timeout': 1, deadline: 2, aborted: 2 });
  });

  test('is refused at once when too many do', async () => {
    const on = pool({ size: 1, queueLength: 2 });
    const release = await occupy(on, 1);
    const waiting = [value(on, 'select 1'), value(on, 'select 2')];
    await expect(on.run(flight('select 3'))).rejects.toMatchObject({ code: 'queue-full' });
    release();
    expect(await Promise.all(waiting)).toEqual(['1', '2']);
  });

  test('is known beforehand where too many do', async () => {
    const on = pool({ size: 1, queueLength: 5 });
    const waitsAs = (key: string): Promise<unknown> => on.run(flight('select 1'), { key });
    const release = await occupy(on, 1);
    expect(on.turnsAway('a')).toBe(false);
    const waiting = Array.from({ length: 4 }, () => waitsAs('a'));
    // Of one key, as long as others may come.
    expect([on.turnsAway('a'), on.turnsAway('b')]).toEqual([true, false]);
    await expect(waitsAs('a')).rejects.toMatchObject({ code: 'queue-full' });
    expect(on.metrics().refused['queue-full']).toBe(2);
    release();
    await Promise.all(waiting);
    expect(on.turnsAway('a')).toBe(false);
  });

  test('can be forbidden: then whoever finds no connection, and no room for one, is refused', async () => {
    const on = pool({ size: 2, queueLength: 0 });
    const both = [value(on, 'select 1, pg_sleep(0.01)'), value(on, 'select 2, pg_sleep(0.01)')];
    await expect(on.run(flight('select 3'))).rejects.toMatchObject({ code: 'queue-full' });
    expect(await Promise.all(both)).toEqual(['1', '2']);
    expect(await value(on, 'select 4')).toBe('4');
  });

  test('ten thousand times ends as well', async () => {
    const on = pool({ size: 2 });
    const controller = new AbortController();
    const all = Array.from({ length: 10_000 }, (_, i) =>
      on.run(flight('select 1'), i % 3 === 0 ? { signal: controller.signal } : {}),
    );
    controller.abort();
    const ended = await Promise.allSettled(all);
    expect(ended.filter(({ status }) => status === 'fulfilled')).toHaveLength(6666);
  });
});

test('an idle connection that served the same scope is preferred, then the one used last', async () => {
  const on = pool({ size: 2 });
  const leases = await Promise.all(['alice', 'bob'].map((scope) => on.acquire({ scope })));
  const [alice, bob] = leases.map(({ connection }) => String(connection.processId));
  for (const lease of leases) lease.release();
  for (let i = 0; i < 3; i++) {
    expect(await value(on, pid, 'alice')).toBe(alice);
    expect(await value(on, pid, 'alice')).toBe(alice);
    expect(await value(on, pid, 'bob')).toBe(bob);
  }
  expect(await value(on, pid, 'carol')).toBe(bob);
  expect(await value(on, pid, 'alice')).toBe(alice);
});

test('the statements of many scopes are divided among idle connections, each where it stays', async () => {
  const config = parseConnectionString(database.uri, {});
  const on = new Pool({
    size: 4,
    acquisitionTimeout: 10_000,
    connect: () => connect(config, { statementCapacity: 10 }),
  });
  pools.push(on);
  (await occupy(on, 4))();
  const ask = async (scope: string): Promise<string> => {
    const result = await on.run(
      { statements: [{ text: pid, parameters: [], prepare: 'named', scope, result: 'row' }], reset: false },
      { scope },
    );
    return result.results[0]?.row?.text(0) ?? '';
  };
  const askAll = async (scopes: readonly string[]): Promise<readonly string[]> => {
    const answers: string[] = [];
    for (const scope of scopes) answers.push(await ask(scope));
    return answers;
  };
  // One after the other they fill the connections, as many as it takes.
  const few = Array.from({ length: 24 }, (_, i) => `role ${i}`);
  const filled = await askAll(few);
  expect(new Set(filled).size).toBe(3);
  expect(await askAll(few)).toEqual(filled);
  // More scopes than there is room for: each goes where it went before, unless it was evicted meanwhile.
  const many = Array.from({ length: 400 }, (_, i) => `role ${i}`);
  const places = new Map<string, Set<string>>();
  for (let round = 0; round < 4; round++) {
    for (const scope of many) {
      places.set(scope, (places.get(scope) ?? new Set()).add(await ask(scope)));
    }
  }
  const used = new Set([...places.values()].flatMap((each) => [...each]));
  expect(used.size).toBe(4);
  // Round robin would bring nearly all of them to several connections.
  expect([...places.values()].filter((each) => each.size === 1).length).toBeGreaterThan(300);
});

test('idle and old connections are closed, a minimum is kept', async () => {
  const on = pool({ size: 3, minimum: 1, idleTimeout: 30 });
  (await occupy(on, 3))();
  await expect.poll(() => on.metrics()).toMatchObject({ idle: 1, closed: 2 });
  const short = pool({ size: 1, maxLifetime: 30 });
  const first = await value(short, pid);
  await expect.poll(() => value(short, pid)).not.toBe(first);
  await expect.poll(() => short.metrics().idle).toBe(0);
});

test('statements are prepared anew when the schema has changed', async () => {
  const on = pool({ size: 1 });
  const count = "select count(*) from pg_prepared_statements where statement = 'select 4711'";
  await value(on, 'select 4711');
  expect(await value(on, count)).toBe('1');
  on.forgetStatements();
  expect(await value(on, count)).toBe('0');
});

test('a flight that cannot be encoded leaves the connection usable', async () => {
  const on = pool({ size: 1 });
  const wrong = on.run(flight('select 1\0'));
  const right = value(on, 'select 1');
  await expect(wrong).rejects.toThrow(RangeError);
  expect(await right).toBe('1');
});

describe('when the database goes away', () => {
  test('idle connections that it ended are replaced without an error', async () => {
    const on = pool({ size: 2 });
    (await occupy(on, 2))();
    for (let round = 0; round < 20; round++) {
      await database.sql`select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = ${database.name} and pid <> pg_backend_pid()`;
      // They have ended. Whether that is noticed before the flight is sent or after, it has not been executed.
      const [one, two] = await Promise.all([value(on, 'select 1'), value(on, 'select 2')]);
      expect([one, two]).toEqual(['1', '2']);
    }
  });

  test('connections beside one that was lost are asked before they carry a request', async () => {
    const address = new URL(database.uri);
    const proxy = await forward(Number(address.port));
    address.port = String(proxy.port);
    const on = pool({ size: 3 }, address.href);
    (await occupy(on, 3))();
    await expect.poll(() => on.metrics().idle).toBe(3);
    // A network that is gone tells nobody; one of the connections happens to notice.
    proxy.freeze();
    proxy.reset();
    await expect.poll(() => on.metrics().closed).toBe(1);
    // Without being asked they would swallow the request.
    expect(await value(on, 'select 1')).toBe('1');
    await expect.poll(() => on.metrics(), { timeout: 10_000 }).toMatchObject({ closed: 3, busy: 0, closing: 0 });
    await on.drain(1000);
    await proxy.close();
  });

  test('a statement whose client is gone is noticed by the server', async () => {
    const address = new URL(database.uri);
    const proxy = await forward(Number(address.port));
    address.port = String(proxy.port);
    const on = pool({ size: 1 }, address.href);
    const lost = on.run(flight('select pg_sleep(600) as nobody_waits'));
    const running = () =>
      database.sql`select from pg_stat_activity where query like '%nobody_waits' and pid <> pg_backend_pid()`;
    await expect.poll(running).toHaveLength(1);
    await proxy.close();
    await expect(lost).rejects.toMatchObject({ kind: 'unknown' });
    await expect.poll(running, { timeout: 10_000 }).toEqual([]);
  });

  test('requests fail at once with the reason, and it recovers by itself', async () => {
    const address = new URL(database.uri);
    const events: PoolEvent[] = [];
    const port = await freePort();
    const on = pool(
      { size: 3, observe: (event) => events.push(event) },
      `postgres://${address.username}:${address.password}@127.0.0.1:${port}/${database.name}?sslmode=disable`,
    );
    const failing = await Promise.allSettled(Array.from({ length: 50 }, () => on.run(flight('select 1'))));
    expect(failing.every((each) => each.status === 'rejected' && each.reason instanceof ConnectionError)).toBe(true);
    await expect(on.run(flight('select 1'))).rejects.toMatchObject({ kind: 'refused' });
    const proxy = await forward(Number(address.port), port);
    await expect.poll(() => value(on, 'select 1').catch(() => 'away'), { timeout: 5000 }).toBe('1');
    expect(proxy.most()).toBeLessThanOrEqual(3);
    expect(events.some((event) => event.type === 'connect-failed')).toBe(true);
    await on.drain(1000);
    await proxy.close();
  });

  test('a wrong password is told as such', async () => {
    const uri = new URL(database.uri);
    uri.username = 'nobody_of_this_name';
    uri.password = 'secret';
    const attempt = pool({}, uri.href).run(flight('select 1'));
    // A server that trusts everyone says that there is no such role, which is class 28 too.
    await expect(attempt).rejects.toMatchObject({ kind: 'authentication' });
  });

  test('too many connections elsewhere are no reason to fail while one of ours is alive', async () => {
    const config = parseConnectionString(database.uri, {});
    const rejected = new ConnectionError('rejected', 'sorry, too many clients already');
    let opened = 0;
    const once = (): Promise<Connection> => (opened++ === 0 ? connect(config) : Promise.reject(rejected));
    const on = new Pool({ size: 5, acquisitionTimeout: 10_000, connect: once });
    pools.push(on);
    const all = await Promise.all(Array.from({ length: 20 }, () => value(on, 'select 1')));
    expect(all).toEqual(Array(20).fill('1'));
    expect(on.metrics().connectFailures).toBeGreaterThan(0);
  });
});

describe('draining', () => {
  test('serves what was accepted and refuses the rest', async () => {
    const on = pool({ size: 2 });
    const accepted = Array.from({ length: 20 }, (_, i) => value(on, `select ${i}, pg_sleep(0.002)`));
    const drained = on.drain();
    await expect(on.run(flight('select 1'))).rejects.toMatchObject({ code: 'closed' });
    expect(await Promise.all(accepted)).toEqual(Array.from({ length: 20 }, (_, i) => String(i)));
    await drained;
    expect(on.metrics()).toMatchObject({ idle: 0, busy: 0, connecting: 0, closing: 0, refused: { closed: 1 } });
    await expect.poll(backends).toEqual([]);
  });

  test('serves what was accepted on another connection where its own has ended', async () => {
    const address = new URL(database.uri);
    const proxy = await forward(Number(address.port));
    address.port = String(proxy.port);
    const on = pool({ size: 1 }, address.href);
    await value(on, 'select 1');
    proxy.freeze();
    const accepted = value(on, 'select 2');
    const drained = on.drain();
    // The server says that it has not read the flight.
    await database.sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = ${database.name} and pid <> pg_backend_pid()`;
    expect(await accepted).toBe('2');
    await drained;
    await proxy.close();
    expect(on.metrics()).toMatchObject({ retries: 1, idle: 0, busy: 0 });
  });

  test('ends in time when a flight does not', async () => {
    const on = pool({ size: 1 });
    const endless = on.run(flight('select pg_sleep(600)'));
    const waiting = on.run(flight('select 1'));
    const ended = Promise.allSettled([endless, waiting]);
    await on.drain(100);
    expect((await ended).map((each) => each.status)).toEqual(['rejected', 'rejected']);
    await expect(waiting).rejects.toMatchObject({ code: 'closed' });
    await expect.poll(backends).toEqual([]);
  });
});
