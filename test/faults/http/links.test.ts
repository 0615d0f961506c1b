/** Faults of the network, between a pooler and its database and between a worker and its pooler, over HTTP. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createDatabase, type TestDatabase, uniqueName } from '../../postgres.ts';
import { IS_LONG, patience, share } from '../amount.ts';
import { ledgerSchema, type Names } from './ledger.ts';
import { everythingElse, type FaultyLink, faulty, garbage, named, resetsAndCuts, type Schedule } from './link.ts';
import { BOUND, type Place, type System, startSystem } from './system.ts';

const names: Names = {
  login: uniqueName('faults_login'),
  roles: [uniqueName('alice'), uniqueName('bob'), uniqueName('carol')],
};

let database: TestDatabase;
let place: Place;

beforeAll(async () => {
  const noticing = `alter role ${names.login} set client_connection_check_interval = '100ms';`;
  database = await createDatabase('links', `${ledgerSchema(names)} ${noticing}`);
  place = { port: Number(new URL(database.uri).port), database: database.name, names };
});
afterAll(async () => {
  await database.sql
    .unsafe(`drop owned by ${names.roles.join()}; drop role ${names.login}, ${names.roles.join()}`)
    .simple();
  await database.drop();
});

const requests = share(0.004, 200);

interface Case extends FaultyLink {
  readonly schedules: readonly Schedule[];
}

const toDatabase = (system: System) => system.toDatabase;
const hop = (system: System) => system.hop;
const all = [resetsAndCuts, garbage, everythingElse];
/** What costs more to start has less time in the short form. */
const forTime = (few: readonly Schedule[], many: readonly Schedule[]): readonly Schedule[] => (IS_LONG ? many : few);

const cases: Readonly<Record<string, Case>> = {
  'between serve and the database': { topology: 'serve', link: toDatabase, schedules: all, encrypted: false },
  'between worker and pooler': { topology: 'two halves', link: hop, schedules: all, encrypted: false },
  'between the pooler of edge and the database': {
    topology: 'edge',
    link: toDatabase,
    schedules: forTime([everythingElse], [garbage, everythingElse]),
    encrypted: false,
  },
  'between a worker in workerd and its pooler': {
    topology: 'workerd',
    link: hop,
    schedules: forTime([garbage, everythingElse], all),
    encrypted: false,
  },
  'on the WebSocket of a Durable Object': {
    topology: 'Durable Object',
    link: hop,
    // Garbage in a frame's length is waited for until the socket has been silent for long, with everybody's requests.
    schedules: forTime([everythingElse], [resetsAndCuts, everythingElse]),
    encrypted: false,
  },
};

describe.each(Object.entries(cases))('%s', (_, { schedules, ...link }) => {
  let system: System;

  beforeAll(async () => {
    system = await startSystem(link.topology, place);
  });
  afterAll(async () => {
    expect(await system.stop()).toBeLessThanOrEqual(BOUND);
  });

  test.each(named(schedules))('%s', { timeout: patience(requests) }, async (_, schedule) => {
    await faulty(system, place, database.sql, link, schedule, requests);
  });
});
