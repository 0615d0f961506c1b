import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createDatabase, type TestDatabase } from '../../test/postgres.ts';
import { type Flight, parseConnectionString } from '../wire/index.ts';
import { createPool } from './create.ts';
import { TurnQueue } from './turns.ts';

interface Someone {
  readonly key: string;
  readonly number: number;
  place: number;
  lane: number;
}

let numbers = 0;
const someone = (key: string): Someone => ({ key, number: numbers++, place: -1, lane: -1 });

function queueOf(keys: string, turnWorth = 10): TurnQueue<Someone> {
  const queue = new TurnQueue<Someone>(turnWorth);
  for (const key of keys) queue.push(someone(key));
  return queue;
}

/** Serves one after the other, each for so long as its key takes. */
function served(queue: TurnQueue<Someone>, count: number, took: (key: string) => number = () => 1): string {
  let order = '';
  for (let i = 0; i < count; i++) {
    const next = queue.shift();
    if (next === undefined) break;
    order += next.key;
    queue.used(next.key, took(next.key));
  }
  return order;
}

describe('the order of service', () => {
  test('is one of each key in turn, and first come, first served within a key', () => {
    expect(served(queueOf('aaaaabbbc'), 9)).toBe('abcababaa');
    const queue = queueOf('');
    const all = [someone('a'), someone('a'), someone('b'), someone('a')];
    for (const each of all) queue.push(each);
    expect([queue.shift(), queue.shift(), queue.shift(), queue.shift()]).toEqual([all[0], all[2], all[1], all[3]]);
  });

  test('serves a key that comes anew next, but for those whose turn it is already', () => {
    const queue = queueOf('aaaabbbb');
    expect(served(queue, 3)).toBe('aba');
    queue.push(someone('c'));
    expect(served(queue, 3)).toBe('bca');
  });

  test('lets a key wait whose requests take long', () => {
    const long = (key: string): number => (key === 'a' ? 35 : 5);
    // 35 milliseconds are the turn that was taken and three more.
    expect(served(queueOf('aaabbbbbbbbb'), 12, long)).toBe('abbbbabbbbab');
  });

  test('forgives what is owed when nobody waits, and most of what took very long', () => {
    const queue = queueOf('ab');
    expect(served(queue, 1, () => 10_000_000)).toBe('a');
    for (const key of `a${'b'.repeat(200)}`) queue.push(someone(key));
    const order = served(queue, 201);
    expect(order.indexOf('a')).toBeGreaterThan(90);
    expect(order.indexOf('a')).toBeLessThan(110);
    served(queue, 1);
    expect(queue.length).toBe(0);
    queue.used('a', 1000);
    for (const key of 'ab') queue.push(someone(key));
    expect(served(queue, 2)).toBe('ab');
  });

  test('is kept for thousands of keys, of which some share a turn', () => {
    const queue = new TurnQueue<Someone>(10, 4);
    const keys = Array.from({ length: 2000 }, (_, i) => `key ${i}`);
    for (const key of [...keys, ...keys]) queue.push(someone(key));
    for (let i = 0; i < 1000; i++) queue.push(someone('noisy'));
    const order: string[] = [];
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) order.push(next.key);
    expect(order).toHaveLength(5000);
    // The first four are told apart: each has its second turn after one of each of the others.
    for (const key of keys.slice(0, 4)) expect(order.lastIndexOf(key)).toBeLessThan(2 * (4 + 64));
  });
});

test('nobody is lost, nobody is served twice, whoever comes, leaves or takes long', () => {
  const key = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h');
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.record({ do: fc.constant('push' as const), key }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('shift' as const), took: fc.nat(2000) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('remove' as const), which: fc.nat() }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 500, size: 'max' }), (steps) => {
      // Three lanes of their own: most keys share.
      const queue = new TurnQueue<Someone>(10, 3);
      const inside: Someone[] = [];
      for (const each of steps) {
        if (each.do === 'push') {
          const waiter = someone(each.key);
          queue.push(waiter);
          inside.push(waiter);
        } else if (each.do === 'shift') {
          const next = queue.shift();
          expect(next === undefined).toBe(inside.length === 0);
          if (next === undefined) continue;
          // The oldest of its key.
          expect(inside.find((other) => other.key === next.key)).toBe(next);
          inside.splice(inside.indexOf(next), 1);
          queue.used(next.key, each.took);
          queue.remove(next);
        } else {
          const [gone] = inside.splice(each.which % Math.max(1, inside.length), 1);
          if (gone === undefined) continue;
          queue.remove(gone);
          queue.remove(gone);
        }
        expect(queue.length).toBe(inside.length);
      }
      expect(new Set(queue.waiting())).toEqual(new Set(inside));
      const rest: Someone[] = [];
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) rest.push(next);
      expect(new Set(rest)).toEqual(new Set(inside));
      expect(rest).toHaveLength(inside.length);
    }),
    { numRuns: 50 },
  );
});

test('two keys that always have something to do get the same, up to one request of each', () => {
  const tooks = fc.record({
    a: fc.array(fc.nat(500), { minLength: 1, maxLength: 20 }),
    b: fc.array(fc.nat(500), { minLength: 1, maxLength: 20 }),
    c: fc.array(fc.nat(500), { minLength: 1, maxLength: 20 }),
  });
  fc.assert(
    fc.property(tooks, (all) => {
      const queue = new TurnQueue<Someone>(10);
      const turns = { a: 0, b: 0, c: 0 };
      const counts = { a: 0, b: 0, c: 0 };
      const isKey = (key: string): key is keyof typeof turns => key in turns;
      for (const key of 'abcabc') queue.push(someone(key));
      for (let i = 0; i < 500; i++) {
        const key = queue.shift()?.key ?? '';
        if (!isKey(key)) throw new Error('nobody is there');
        queue.push(someone(key));
        const list = all[key];
        const took = list[counts[key]++ % list.length] ?? 0;
        queue.used(key, took);
        turns[key] += 1 + Math.floor(took / 10);
        const most = 1 + 500 / 10;
        expect(Math.max(...Object.values(turns)) - Math.min(...Object.values(turns))).toBeLessThanOrEqual(most + 1);
      }
    }),
    { numRuns: 50 },
  );
});

describe('on a pool', () => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await createDatabase('turns');
  });

  afterAll(() => database.drop());

  const nap: Flight = {
    statements: [{ text: 'select pg_sleep(0.005)', parameters: [], prepare: 'named', result: 'row' }],
    reset: false,
  };

  test('a key with a hundred times the requests of another lets it wait for one turn at most', async () => {
    const pool = createPool(parseConnectionString(database.uri, {}), {
      size: 1,
      acquisitionTimeout: 60_000,
      // A machine that stands still for a moment shall not count.
      queue: () => new TurnQueue(60_000),
    });
    const order: string[] = [];
    const ask = (key: string): Promise<void> => pool.run(nap, { key }).then(() => void order.push(key));
    const noisy = Array.from({ length: 300 }, () => ask('noisy'));
    const waited: number[] = [];
    for (let i = 0; i < 3; i++) {
      await Promise.race(noisy.slice(i * 20));
      const before = order.length;
      await ask('quiet');
      waited.push(order.length - 1 - before);
    }
    // The one under way when it came, and none of the hundreds that were there before it.
    expect(Math.max(...waited)).toBeLessThanOrEqual(1);
    await Promise.all(noisy);
    await pool.drain(1000);
  });

  test('keys that always wait are served by turns, exactly', async () => {
    const pool = createPool(parseConnectionString(database.uri, {}), {
      size: 1,
      acquisitionTimeout: 60_000,
      queue: () => new TurnQueue(60_000),
    });
    const lease = await pool.acquire();
    const order: string[] = [];
    const ask = (key: string): Promise<void> => pool.run(nap, { key }).then(() => void order.push(key));
    const all = [...'aaaaaaaaaabbbcc'].map(ask);
    lease.release();
    await Promise.all(all);
    expect(order.join('')).toBe('abcabcabaaaaaaa');
    await pool.drain(1000);
  });

  test('a key may have four fifths of the queue, and leaves the rest to others', async () => {
    const pool = createPool(parseConnectionString(database.uri, {}), {
      size: 1,
      acquisitionTimeout: 60_000,
      queueLength: 100,
    });
    const lease = await pool.acquire();
    const noisy = Array.from({ length: 150 }, () => pool.run(nap, { key: 'noisy' }));
    const quiet = Array.from({ length: 10 }, () => pool.run(nap, { key: 'quiet' }));
    expect(pool.metrics()).toMatchObject({ waiting: 90, refused: { 'queue-full': 70 } });
    lease.release();
    expect((await Promise.allSettled(noisy)).filter(({ status }) => status === 'fulfilled')).toHaveLength(80);
    await Promise.all(quiet);
    await pool.drain(1000);
  });
});
