import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createPool, type Lease, type Pool } from '../../pooler/pool/index.ts';
import { type Flight, parseConnectionString } from '../../pooler/wire/index.ts';
import { createDatabase, type TestDatabase, uniqueName } from '../postgres.ts';
import { patience, SEED, share } from './amount.ts';
import { Oracle, schema } from './oracle.ts';
import { type Fault, FaultProxy } from './proxy.ts';
import { Random } from './random.ts';
import { SocketCount } from './sockets.ts';

const flights = share(0.018, 300);
const size = 4;
const clients = 12;

let database: TestDatabase;
const roles = [uniqueName('alice'), uniqueName('bob'), uniqueName('carol')] as const;
const login = uniqueName('login');

beforeAll(async () => {
  const granted = `create role ${login} login noinherit password 'x' in role ${roles.join()};`;
  database = await createDatabase('faults', `${schema(roles)} ${granted}`);
});

afterAll(async () => {
  await database.sql.unsafe(`drop owned by ${roles.join()}; drop role ${login}, ${roles.join()}`).simple();
  await database.drop();
});

/** Runs something behind a proxy of its own, and afterwards finds every connection clean and the bound kept. */
async function behindProxy(use: (pool: Pool, proxy: FaultProxy) => Promise<void>): Promise<void> {
  const server = new URL(database.uriAs(login, 'x'));
  const proxy = new FaultProxy(Number(server.port));
  const port = await proxy.listen();
  const sockets = new SocketCount(port);
  server.port = String(port);
  server.searchParams.set('sslmode', 'disable');
  server.searchParams.set('connect_timeout', '1');
  const limits = { cancelTimeout: 300, closeTimeout: 100 };
  const pool = createPool(parseConnectionString(server.href, {}), { size, acquisitionTimeout: 5000 }, limits);
  try {
    await use(pool, proxy);
    proxy.inject(null);
    proxy.thaw();
    await expect
      .poll(() => pool.metrics(), { timeout: 10_000 })
      .toMatchObject({ busy: 0, resetting: 0, closing: 0, connecting: 0 });
    await everyConnectionIsClean(pool);
    expect(sockets.most).toBeLessThanOrEqual(size);
  } finally {
    sockets.stop();
    await pool.drain(1000);
    await proxy.close();
  }
  await expect
    .poll(() => database.sql`select from pg_stat_activity where usename = ${login}`, { timeout: 10_000 })
    .toEqual([]);
}

async function everyConnectionIsClean(pool: Pool): Promise<void> {
  const text = `select current_user, session_user, current_setting('search_path'), nullif(current_setting('request.claims', true), ''),
    (select count(*) from pg_listening_channels()), (select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()),
    pg_catalog.to_regclass('pg_temp.ledger'), (select count(*) from pg_prepared_statements where from_sql)`;
  const leases: Lease[] = [];
  for (let i = 0; i < size; i++) {
    // The first attempts may still find the database away.
    await expect.poll(async () => leases.push(await pool.acquire()) > i, { timeout: 10_000 }).toBe(true);
  }
  for (const { connection } of leases) {
    const statements = [{ text, parameters: [], prepare: 'unnamed', result: 'row' }] as const;
    const row = (await connection.flight({ statements, reset: false })).results[0]?.row;
    expect(Array.from({ length: row?.length ?? 0 }, (_, i) => row?.text(i))).toEqual([
      login,
      login,
      '"$user", public',
      null,
      '0',
      '0',
      null,
      '0',
    ]);
  }
  for (const lease of leases) lease.release();
}

const schedules: readonly (readonly [string, readonly [Fault, ...Fault[]], number])[] = [
  ['delays and bytes one by one', ['delay', 'bytes'], 5],
  ['resets', ['reset'], 40],
  ['connections cut inside a message', ['cut'], 40],
  ['half-closed connections', ['half-close'], 40],
  ['garbage', ['garbage'], 40],
  ['frozen connections', ['freeze'], 150],
  ['everything at once', ['delay', 'bytes', 'reset', 'cut', 'half-close', 'freeze', 'garbage'], 60],
];

// A test that is tried again has the same nonces.
beforeEach(async () => {
  await database.sql`truncate oracle.ledger`;
});

describe('every answer is its own request’s, and only what was answered is in the database', () => {
  test.each(schedules)('with %s', { timeout: patience(flights) }, async (name, faults, interval) => {
    await behindProxy(async (pool, proxy) => {
      const random = new Random(SEED);
      const oracle = new Oracle(pool, roles, new Random(SEED + 1), name.replaceAll(' ', '_'), flights);
      proxy.inject({ faults, interval, random });
      // A frozen link tells nobody: somebody has to lose patience.
      const impatience = setInterval(() => proxy.thaw(), 500);
      let left = flights;
      const client = async () => {
        while (left-- > 0) await oracle.request();
      };
      await Promise.all(Array.from({ length: clients }, client));
      clearInterval(impatience);
      proxy.inject(null);
      proxy.thaw();
      await expect
        .poll(() => database.sql`select from pg_stat_activity where usename = ${login} and state <> 'idle'`)
        .toEqual([]);
      const tally = await oracle.tally(database.sql);
      expect(tally.mistakes, `seed ${SEED}`).toEqual([]);
      expect(tally.requests).toBe(flights);
      expect(tally.completed).toBeGreaterThan(flights / 4);
      // They come in turn, so the last ones may have had none when there are many.
      expect(proxy.counts.faults.size).toBeGreaterThanOrEqual(Math.min(faults.length, 4));
    });
  });
});

test('one request is one flight: one write, one Sync, and one more Sync with the reset', async () => {
  await behindProxy(async (pool, proxy) => {
    const lease = await pool.acquire();
    lease.release();
    const [link] = proxy.links;
    const syncs = () => (link?.sent.messages.get('S') ?? 0) + (link?.sent.messages.get('Q') ?? 0);
    const insert = "insert into oracle.ledger values ($1, current_user, '') returning nonce";
    const flight = (i: number, reset: boolean): Flight => ({
      statements: [
        {
          text: "select pg_catalog.set_config('role', $1, true)",
          parameters: [roles[i % 3] ?? ''],
          prepare: 'named',
          result: 'none',
        },
        { text: insert, parameters: [`count-${i}`], prepare: 'named', scope: String(i % 3), result: 'row' },
      ],
      ...(i % 5 === 0 ? { transaction: { isolation: 'serializable', readOnly: false, end: 'commit' } } : {}),
      reset,
    });
    for (let i = 0; i < 200; i++) {
      const reset = i % 2 === 0;
      const before = { syncs: syncs(), bursts: link?.bursts ?? 0 };
      const result = await pool.run(flight(i, reset));
      expect(result.outcome).toBe('completed');
      await lease.connection.free();
      expect({ syncs: syncs() - before.syncs, bursts: (link?.bursts ?? 0) - before.bursts }).toEqual({
        syncs: reset ? 2 : 1,
        bursts: 1,
      });
    }
    expect(proxy.counts.links).toBe(1);
  });
});
