/**
 * Many sockets over few connections. A few hundred here; EDGEREST_DRIVER_SOCKETS says how many else: `npm run test:sockets` has 5,000 of
 * them.
 */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { bind, execute, parse, query, RawClient, sync, valuesOf } from '../../pooler/driver/session/raw.fixture.ts';
import { programs } from './program.ts';

const SOCKETS = Number(process.env.EDGEREST_DRIVER_SOCKETS ?? 300);
const CONNECTIONS = 10;
/** Of the program, whatever it holds. */
const MEMORY = 500 * 1024 * 1024;
const LIMIT = 120_000;

const open = programs('load', 'create table paid (n int primary key, twice int); grant all on paid to USER');
const { user } = open;

/** A program with everybody connected to it and logged in, and nobody has paid. */
async function crowd() {
  await open.database.sql`truncate paid`;
  const env = {
    PGRST_DB_POOL: String(CONNECTIONS),
    PGRST_DB_POOL_ACQUISITION_TIMEOUT: '60',
    EDGEREST_QUEUE_LENGTH: '10000',
  };
  const { process: server, port } = await open.opened(env);
  const who = { user, database: open.database.name };
  const clients: RawClient[] = [];
  while (clients.length < SOCKETS) {
    const some = Math.min(100, SOCKETS - clients.length);
    clients.push(...(await Promise.all(Array.from({ length: some }, () => RawClient.login(port, who, open.password)))));
  }
  let most = 0;
  let watching = true;
  const watch = (async () => {
    while (watching) {
      const [row] = await open.database.sql`select count(*)::int as n from pg_stat_activity where usename = ${user}`;
      most = Math.max(most, Number(row?.n));
      await sleep(20);
    }
  })();
  return {
    clients,
    /** Ends it. Gives the most connections that were seen, and the most memory the program had, where that can be known. */
    end: async () => {
      watching = false;
      await watch;
      const status = await readFile(`/proc/${server.child.pid}/status`, 'utf8').catch(() => '');
      const memory = Number(/VmHWM:\s*(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
      for (const { socket } of clients) socket.terminate();
      return { most, memory };
    },
  };
}

/** A transaction of five messages, each waited for. */
async function pay(client: RawClient, n: number): Promise<void> {
  client.send(query('begin'));
  expect(await client.round()).toBe('CZT');
  client.send(parse('twice', 'select $1::int * 2'), bind('twice', String(n)), execute, sync);
  const row = (await client.until('Z')).find(({ type }) => type === 'D');
  client.send(query(`insert into paid values (${n}, ${row && valuesOf(row)[0]})`));
  expect(await client.round()).toBe('CZT');
  client.send(query('commit'));
  expect(await client.round()).toBe('CZI');
}

test(
  `${SOCKETS} sockets over ${CONNECTIONS} connections each run a transaction`,
  async () => {
    const { clients, end } = await crowd();
    await Promise.all(clients.map(pay));
    const { most, memory } = await end();
    expect(most).toBeLessThanOrEqual(CONNECTIONS);
    expect(memory).toBeLessThan(MEMORY);
    const [row] = await open.database.sql`select count(*)::int as n, sum(twice - 2 * n)::int as wrong from paid`;
    expect(row).toEqual({ n: SOCKETS, wrong: 0 });
  },
  LIMIT,
);

test(
  `half of ${SOCKETS} sockets cut at random leave nothing in a transaction`,
  async () => {
    const { clients, end } = await crowd();
    const paid = await Promise.allSettled(
      clients.map((client, n) => {
        if (n % 2 === 0) return pay(client, n);
        // After some of what it sends and some of what it is sent.
        setTimeout(() => client.socket.terminate(), Math.random() * SOCKETS);
        return pay(client, n);
      }),
    );
    expect(paid.filter(({ status }, n) => n % 2 === 0 && status === 'rejected')).toEqual([]);
    const busy = () =>
      open.database.sql`select state, query from pg_stat_activity where usename = ${user} and state <> 'idle'`;
    while ((await busy()).some(({ state }) => state === 'active')) await sleep(20);
    const { most, memory } = await end();
    expect(await busy()).toEqual([]);
    expect(most).toBeLessThanOrEqual(CONNECTIONS);
    expect(memory).toBeLessThan(MEMORY);
    // Whoever was told of the commit has paid, and nobody has paid by half.
    const rows = await open.database.sql`select n, twice from paid`;
    const found = new Set(rows.map(({ n }) => n));
    expect(paid.flatMap(({ status }, n) => (status === 'fulfilled' && !found.has(n) ? [n] : []))).toEqual([]);
  },
  LIMIT,
);
