/** Faults of the database's server, over HTTP: it is killed, restarted, full, locked, changed under the requests' feet. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, startCluster, throwAwaySettings } from '../../cluster.ts';
import { patience, SEED, share } from '../amount.ts';
import { Random } from '../random.ts';
import { ledgerSchema, type Names, roleScript } from './ledger.ts';
import type { Kind } from './questions.ts';
import { BackendCount, failures, insist, ORDINARY, type Run, run } from './run.ts';
import { BOUND, type Place, type System, startSystem } from './system.ts';

const requests = share(0.004, 120);
const TIMEOUT = patience(requests);

const names: Names = { login: 'faults_login', roles: ['alice', 'bob', 'carol'] };

/** What was answered is kept when a backend is killed and the server begins anew. */
const settings = { ...throwAwaySettings, synchronous_commit: 'on', client_connection_check_interval: '100ms' };

let dataDir: string;
let cluster: Cluster;
let sql: postgres.Sql;
let place: Place;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'edgerest-faults-'));
  cluster = await startCluster({ dataDir, settings });
  sql = postgres(cluster.superuserUri(), { max: 2, fetch_types: false, onnotice: () => undefined });
  await sql.unsafe(`${ledgerSchema(names)} alter role ${names.login} set temp_file_limit = '1MB';`).simple();
  place = { port: cluster.port, database: 'postgres', names };
});
afterAll(async () => {
  await sql.end({ timeout: 1 });
  await cluster.stop();
  await rm(dataDir, { recursive: true, force: true });
});

const random = new Random(SEED + 2);

/** The process ids of the backends that carry requests. */
async function pids(): Promise<readonly number[]> {
  const rows = await sql<{ pid: number }[]>`
    select pid from pg_stat_activity where usename = ${names.login} and query !~* '^listen'`;
  return rows.map(({ pid }) => pid);
}

async function oneOf(kill: (pid: number) => unknown): Promise<void> {
  const found = await pids().catch(() => []);
  const pid = found[random.below(found.length)];
  if (pid !== undefined) await kill(pid);
}

/** Statements of the superuser's; those that fail while the server is away are left out. */
const script = (text: string): Promise<unknown> =>
  sql
    .unsafe(text)
    .simple()
    .catch(() => undefined);

interface Schedule {
  readonly what: string;
  readonly kinds?: readonly [Kind, ...Kind[]];
  /** The errors that may come of it. */
  readonly expected: RegExp;
  /** One of them that has to, sooner or later. */
  readonly certain?: string;
  readonly every: number;
  readonly times: number;
  readonly happens: () => Promise<unknown>;
  readonly mend?: string;
}

const LOST = '502 EDGE002|503 PGRST00[012]|504 PGRST003|503 57P01|500 57P0[23]';
const changes = [
  'alter table api.shape add column more text',
  'alter table api.shape alter column extra type text',
  "create or replace function api.whoami(nonce text, size int default 0) returns json language sql stable return json_build_object('nonce', nonce, 'who', current_user, 'filler', repeat('x', size), 'claims', current_setting('request.jwt.claims'))",
  'alter table api.shape drop column more',
  'alter table api.shape alter column extra type bigint using extra::bigint',
  'alter table api.ledger add column more int; alter table api.ledger drop column more',
];
let change = 0;

const schedules: readonly Schedule[] = [
  {
    what: 'backends are ended (pg_terminate_backend)',
    expected: new RegExp(`^(${LOST})$`),
    every: 20,
    times: 20,
    happens: () => oneOf((pid) => sql`select pg_terminate_backend(${pid})`.catch(() => undefined)),
  },
  {
    what: 'a backend is killed (kill -9), and the server begins anew',
    expected: new RegExp(`^(${LOST})$`),
    every: 300,
    times: 2,
    happens: () => oneOf((pid) => process.kill(pid, 'SIGKILL')),
  },
  {
    what: 'the server is stopped and started',
    expected: new RegExp(`^(${LOST})$`),
    every: 300,
    times: 2,
    happens: async () => {
      await cluster.stop();
      cluster = await startCluster({ dataDir, settings, port: place.port });
    },
  },
  {
    what: 'the server lets too few connections in (53300)',
    expected: new RegExp(`^(${LOST})$`),
    every: 100,
    times: 6,
    happens: async () => {
      await script(`alter role ${names.login} connection limit ${random.pick([0, 1, 2, 3, 4, -1])}`);
      await script(`select pg_terminate_backend(pid) from pg_stat_activity where usename = '${names.login}'`);
    },
    mend: `alter role ${names.login} connection limit -1`,
  },
  {
    what: 'tables and functions are changed, and the schema cache is reloaded',
    kinds: [...ORDINARY, 'shape', 'shape', 'shape'],
    expected: /^(400 42804|409 40001|500 40P01)$/,
    every: 30,
    times: 12,
    happens: () => script(`${changes[change++ % changes.length]}; ${change % 4 === 0 ? 'notify pgrst' : ''}`),
  },
  {
    what: 'a role is dropped and made again',
    // 42704: PostgreSQL's own words where the role goes in the middle of a statement.
    expected: /^(401 22023|40[13] 42501|400 42704)$/,
    certain: '401 22023',
    every: 60,
    times: 6,
    happens: async () => {
      await script('drop owned by carol; drop role carol');
      await script(`select pg_sleep(0.03)`);
      await script(roleScript(names.login, 'carol'));
    },
  },
  {
    what: 'disks are full (53100, 53400), rows and tables are locked, statements take too long, commits fail',
    kinds: [...ORDINARY, 'full disk', 'spill', 'late', 'deferred', 'bump', 'bump', 'prepares'],
    expected: /^never$/,
    every: 50,
    times: 5,
    happens: () => script('begin; lock table api.ledger; select pg_sleep(0.05); commit'),
  },
];

describe.each(['serve', 'two halves'] as const)('%s', (topology) => {
  let system: System;
  let count: BackendCount;

  beforeAll(async () => {
    system = await startSystem(topology, place);
    count = new BackendCount(sql, place);
  });
  afterAll(async () => {
    await count.stop();
    expect(await system.stop()).toBeLessThanOrEqual(BOUND);
    expect(count.most).toBeGreaterThan(1);
    expect(count.most).toBeLessThanOrEqual(BOUND);
  });

  test.each(schedules.map((each) => [each.what, each] as const))('%s', { timeout: TIMEOUT }, async (_, schedule) => {
    const { kinds, expected, certain, every, times, happens, mend } = schedule;
    const options: Run = {
      name: `${topology}_${schedules.indexOf(schedule)}`.replaceAll(' ', '_'),
      requests,
      ...(kinds && { kinds }),
      expected,
      fault: {
        every,
        times,
        happens: async () => {
          await happens();
        },
      },
      ...(mend !== undefined && { mend: () => insist(() => sql.unsafe(mend).simple()) }),
    };
    const tally = await run(system, place, sql, options);
    if (certain !== undefined) expect(failures(tally, certain)).toBeGreaterThan(0);
  });
});
