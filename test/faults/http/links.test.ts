/** Faults of the network, between a pooler and its database and between a worker and its pooler, over HTTP. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createDatabase, type TestDatabase, uniqueName } from '../../postgres.ts';
import { patience, SEED, share } from '../amount.ts';
import type { Fault, FaultProxy } from '../proxy.ts';
import { Random } from '../random.ts';
import { ledgerSchema, type Names } from './ledger.ts';
import { failures, ORDINARY, run } from './run.ts';
import { BOUND, type Place, type System, startSystem, type Topology } from './system.ts';

const names: Names = {
  login: uniqueName('faults_login'),
  roles: [uniqueName('alice'), uniqueName('bob'), uniqueName('carol')],
};

let database: TestDatabase;
let place: Place;
let system: System | null = null;

beforeAll(async () => {
  const noticing = `alter role ${names.login} set client_connection_check_interval = '100ms';`;
  database = await createDatabase('links', `${ledgerSchema(names)} ${noticing}`);
  place = { port: Number(new URL(database.uri).port), database: database.name, names };
});
afterEach(async () => {
  await system?.stop();
  system = null;
});
afterAll(async () => {
  await database.sql
    .unsafe(`drop owned by ${names.roles.join()}; drop role ${names.login}, ${names.roles.join()}`)
    .simple();
  await database.drop();
});

/** What a client may be told: the connection lost, the pooler or the database away for a moment, too long a wait, a message cut short. */
const LOST = /^(502 EDGE00[24]|503 PGRST00[012]|504 PGRST003|503 57P01)$/;
/** Bytes that nobody sent may be refused by whoever gets them, for any reason; they are no fault of ours. */
const GARBLED = /^[45]\d\d (?!EDGE000)/;

const SHARE = 0.03;
const TIMEOUT = patience(share(SHARE, 'requests with each schedule'));

const everything = ['delay', 'bytes', 'reset', 'cut', 'half-close', 'freeze'] as const;

type Schedule = readonly [string, readonly [Fault, ...Fault[]], number];
const schedules: readonly Schedule[] = [
  ['resets and cuts', ['reset', 'cut', 'half-close'], 60],
  ['garbage', ['garbage'], 60],
  ['everything else at once', everything, 60],
];

/** Without TLS nobody can tell bytes that were put into a long row from the row's own. */
const kindsUnder = (faults: readonly Fault[]): typeof ORDINARY => {
  if (!faults.includes('garbage')) return ORDINARY;
  const [first, ...others] = ORDINARY;
  return [first, ...others.filter((kind) => kind !== 'large')];
};

async function faulty(
  topology: Topology,
  on: (system: System) => FaultProxy | null,
  schedule: Schedule,
): Promise<void> {
  const [name, faults, interval] = schedule;
  system = await startSystem(topology, place);
  const started = system;
  const proxy = on(system);
  if (proxy === null) throw new Error('no such link');
  const kinds = kindsUnder(faults);
  const requests = share(SHARE, `requests to ${topology} with ${name}`);
  proxy.inject({ faults, interval, random: new Random(SEED) });
  const before = [...proxy.counts.faults.values()].reduce((sum, count) => sum + count, 0);
  const tally = await run(system, place, database.sql, {
    name: `${topology}_${proxy === system.hop ? 'hop' : 'db'}_${name}`.replaceAll(' ', '_'),
    requests,
    kinds,
    expected: faults.includes('garbage') ? GARBLED : LOST,
    // A length that nobody meant is waited for. The client ends that.
    ...(faults.includes('garbage') && { patience: 1000 }),
    // A frozen link tells nobody: somebody has to lose patience.
    fault: {
      every: 500,
      times: 0,
      happens: async () => {
        started.toDatabase.thaw();
        started.hop?.thaw();
      },
    },
  });
  const done = [...proxy.counts.faults.values()].reduce((sum, count) => sum + count, 0) - before;
  expect(done).toBeGreaterThan(requests / 200);
  expect(failures(tally, '502 EDGE002')).toBeLessThan(requests / 2);
  system = null;
  expect(await started.stop()).toBeLessThanOrEqual(BOUND);
}

describe('between serve and the database', () => {
  test.each(schedules)('%s', { timeout: TIMEOUT }, async (...schedule) => {
    await faulty('serve', ({ toDatabase }) => toDatabase, schedule);
  });
});

describe('between worker and pooler', () => {
  test.each(schedules)('%s', { timeout: TIMEOUT }, async (...schedule) => {
    await faulty('two halves', ({ hop }) => hop, schedule);
  });
});
