/** A run: load on a system while something goes wrong with it, and what must hold afterwards. */
import { setTimeout as sleep } from 'node:timers/promises';
import type postgres from 'postgres';
import { expect } from 'vitest';
import { SEED } from '../amount.ts';
import { Random } from '../random.ts';
import { HttpClient } from './client.ts';
import { clearLedger } from './ledger.ts';
import { HttpOracle, type Tally } from './oracle.ts';
import { type Kind, token } from './questions.ts';
import { BOUND, type Place, POOL_SIZE, type System } from './system.ts';

const CLIENTS = 12;
/** A long run has faults at its beginning and goes on without: each takes its time, whatever the number of requests. */
const MOST = 10;

/** What every run asks. */
export const ORDINARY: readonly [Kind, ...Kind[]] = [
  'read',
  'read',
  'view',
  'large',
  'headed',
  'write',
  'write',
  'bulk',
  'guarded',
  'deferred',
  'rolled back',
  'leaves state',
  'abandoned',
  'late',
  'bump',
];

export interface Run {
  /** Begins the nonces: letters and underscores. */
  readonly name: string;
  readonly requests: number;
  readonly kinds?: readonly [Kind, ...Kind[]];
  /** The errors that the faults may lead to. */
  readonly expected: RegExp;
  /** Milliseconds after which a client gives up; nobody shall have to, unless it is given. */
  readonly patience?: number;
  /**
   * Goes wrong again and again, this many milliseconds after the last time; so often at least, however many requests that takes, and
   * at most ten times as often. 0 times: until all have been answered.
   */
  readonly fault?: { readonly every: number; readonly times: number; readonly happens: () => Promise<void> };
  /** Ends what went wrong. */
  readonly mend?: () => Promise<unknown>;
}

/** The superuser's connection breaks like all others: what it asks is asked again. */
export async function insist<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch {
      await sleep(50);
    }
  }
}

/** Puts the load on the system and checks every answer, every row and every connection. Leaves the system as it was. */
export async function run(system: System, place: Place, sql: postgres.Sql, options: Run): Promise<Tally> {
  const { name, requests, kinds = ORDINARY, expected, patience = 20_000, fault } = options;
  const { names, database } = place;
  await insist(() => clearLedger(sql));
  // workerd does not tell the worker of a client that only closes its connection, and what hangs would hang for ever.
  const client = new HttpClient(system.port, patience, options.patience === undefined ? 'close' : 'reset');
  const oracle = new HttpOracle({
    ask: (question) => client.ask(question),
    roles: names.roles,
    random: new Random(SEED + 1),
    run: name,
    kinds,
    expected,
    streams: system.isApart,
    requests,
  });
  let over = false;
  let happened = 0;
  let left = requests;
  const goesOn = (times: number): boolean =>
    !over && (times === 0 || happened < times || (left > 0 && happened < times * MOST));
  const trouble = (async () => {
    for (; fault !== undefined && goesOn(fault.times); happened++) {
      await sleep(fault.every);
      await fault.happens();
    }
    await options.mend?.();
  })();
  // And until half of what was wanted has been answered as without faults: most may fail while something is away.
  const caller = async (): Promise<void> => {
    while (left-- > 0 || happened < (fault?.times ?? 0) || oracle.good < requests / 2) await oracle.request();
  };
  try {
    await Promise.all(Array.from({ length: CLIENTS }, caller));
  } finally {
    over = true;
    await trouble;
  }
  system.toDatabase.inject(null);
  system.hop?.inject(null);
  system.toDatabase.thaw();
  system.hop?.thaw();
  await expectRecovery(system, names.roles[0]);
  await system.idle();
  // A server notices by itself what has become of its clients (client_connection_check_interval).
  await expect
    .poll(() => insist(() => backends(sql, database, names.login)), { timeout: 20_000 })
    .toMatchObject({ atWork: 0 });
  expect((await insist(() => backends(sql, database, names.login))).all).toBeLessThanOrEqual(BOUND);
  await expectClean(system, names.roles[0]);
  const tally = await insist(() => oracle.tally(sql));
  client.close();
  expect(tally.mistakes, `seed ${SEED}`).toEqual([]);
  expect(tally.requests).toBeGreaterThanOrEqual(requests);
  if (options.patience === undefined) expect(tally.givenUp).toBe(0);
  return tally;
}

async function backends(
  sql: postgres.Sql,
  database: string,
  login: string,
): Promise<{ readonly all: number; readonly atWork: number }> {
  const [row] = await sql<{ all: number; atWork: number }[]>`
    select count(*)::int as all, count(*) filter (where state <> 'idle')::int as "atWork"
    from pg_stat_activity where usename = ${login} and datname = ${database}`;
  return row ?? { all: 0, atWork: 0 };
}

/** Requests are answered again, by themselves. */
async function expectRecovery(system: System, role: string): Promise<void> {
  const headers = { authorization: `Bearer ${token({ role, nonce: 'recovery' })}` };
  const status = async (): Promise<number> => {
    const answer = await fetch(`http://127.0.0.1:${system.port}/rpc/whoami?nonce=recovery`, { headers });
    await answer.arrayBuffer();
    return answer.status;
  };
  await expect.poll(status, { timeout: 20_000 }).toBe(200);
}

/** Looks into every connection of the pool: nothing is left in them. */
async function expectClean(system: System, role: string): Promise<void> {
  const client = new HttpClient(system.port, 20_000);
  const headers = { authorization: `Bearer ${token({ role, nonce: 'clean' })}` };
  const hold = async (): Promise<{ readonly pid: unknown; readonly left: unknown }> => {
    const answer = await client.ask({
      kind: 'read',
      nonce: '',
      role,
      method: 'POST',
      target: '/rpc/hold',
      headers: { ...headers, 'content-type': 'application/json' },
      body: '{"seconds":0.1}',
      writes: 'no',
      refusal: null,
      leavesAfter: null,
      answer: () => true,
    });
    if (answer.kind !== 'answered' || answer.status !== 200) throw new Error(JSON.stringify(answer));
    return JSON.parse(answer.text);
  };
  // As many at once as there are connections, until each has answered.
  const seen = async (): Promise<number> => {
    const answers = await Promise.all(Array.from({ length: POOL_SIZE }, hold));
    for (const { left } of answers) expect(left).toEqual({});
    return new Set(answers.map(({ pid }) => pid)).size;
  };
  await expect.poll(seen, { timeout: 20_000 }).toBe(POOL_SIZE);
  client.close();
}

/** How often the tally has errors with this status and code. */
export const failures = ({ failed }: Tally, error: string): number => failed.get(error) ?? 0;

/** Counts the backends of a login again and again, as the server sees them. */
export class BackendCount {
  readonly #sql: postgres.Sql;
  readonly #place: Place;
  #over = false;
  readonly #counting: Promise<void>;
  most = 0;

  constructor(sql: postgres.Sql, place: Place) {
    this.#sql = sql;
    this.#place = place;
    this.#counting = this.#count();
  }

  async stop(): Promise<void> {
    this.#over = true;
    await this.#counting;
  }

  async #count(): Promise<void> {
    while (!this.#over) {
      const found = await backends(this.#sql, this.#place.database, this.#place.names.login).catch(() => null);
      this.most = Math.max(this.most, found?.all ?? 0);
      await sleep(10);
    }
  }
}
