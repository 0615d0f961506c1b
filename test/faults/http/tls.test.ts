/** Faults on links with TLS: no byte that was changed on the way is ever taken for data, and none is lost in silence. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { selfSigned } from '../../certificate.ts';
import { type Cluster, startCluster, throwAwaySettings } from '../../cluster.ts';
import { IS_LONG, patience, share } from '../amount.ts';
import { ledgerSchema, type Names } from './ledger.ts';
import { everythingElse, type FaultyLink, faulty, missingBytes, named, otherBytes, type Schedule } from './link.ts';
import { BOUND, type Place, type System, startSystem } from './system.ts';

const requests = share(0.003, 100);

const names: Names = { login: 'faults_login', roles: ['alice', 'bob', 'carol'] };
/** The database's and the pooler's, each its own authority. */
const [ofDatabase, ofPooler] = [selfSigned('localhost'), selfSigned('localhost')];

let folder: string;
let cluster: Cluster;
let sql: postgres.Sql;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'edgerest-tls-'));
  await writeFile(join(folder, 'root.crt'), ofDatabase.certificate);
  await writeFile(join(folder, 'pooler.crt'), ofPooler.certificate);
  await writeFile(join(folder, 'pooler.key'), ofPooler.key);
  // The worker's fetch trusts what its process does.
  setDefaultCACertificates([...getCACertificates('default'), ofPooler.certificate]);
  cluster = await startCluster({
    dataDir: join(folder, 'data'),
    settings: { ...throwAwaySettings, ssl: 'on', client_connection_check_interval: '100ms' },
    files: { 'server.crt': ofDatabase.certificate, 'server.key': ofDatabase.key },
    hba: [`hostnossl all ${names.login} 127.0.0.1/32 reject`],
  });
  sql = postgres(cluster.superuserUri(), { max: 2, fetch_types: false, onnotice: () => undefined });
  await sql.unsafe(ledgerSchema(names)).simple();
});
afterAll(async () => {
  await sql.end({ timeout: 1 });
  await cluster.stop();
  await rm(folder, { recursive: true, force: true });
});

interface Case extends FaultyLink {
  readonly sslmode: string;
  readonly schedules: readonly Schedule[];
}

const all = IS_LONG ? [otherBytes, missingBytes, everythingElse] : [otherBytes];

const cases: Readonly<Record<string, Case>> = {
  'between serve and the database, sslmode=verify-full': {
    topology: 'serve',
    link: (system) => system.toDatabase,
    sslmode: 'verify-full',
    schedules: all,
    encrypted: true,
  },
  'between the pooler of edge and the database, sslmode=require': {
    topology: 'edge',
    link: (system) => system.toDatabase,
    sslmode: 'require',
    schedules: IS_LONG ? all : [],
    encrypted: true,
  },
  'between worker and pooler': {
    topology: 'two halves over TLS',
    link: (system) => system.hop,
    sslmode: 'require',
    schedules: all,
    encrypted: true,
  },
};

describe.each(Object.entries(cases).filter(([, { schedules }]) => schedules.length > 0))(
  '%s',
  (_, { sslmode, schedules, ...link }) => {
    let system: System;
    let place: Place;

    beforeAll(async () => {
      const root = sslmode === 'require' ? {} : { sslrootcert: join(folder, 'root.crt') };
      place = { port: cluster.port, database: 'postgres', names, tls: { sslmode, ...root } };
      const own = {
        EDGEREST_POOLER_TLS_CERT: join(folder, 'pooler.crt'),
        EDGEREST_POOLER_TLS_KEY: join(folder, 'pooler.key'),
      };
      system = await startSystem(link.topology, place, link.topology === 'two halves over TLS' ? own : {});
    });
    afterAll(async () => {
      expect(await system.stop()).toBeLessThanOrEqual(BOUND);
    });

    test.each(named(schedules))('%s', { timeout: patience(requests) }, async (_, schedule) => {
      await faulty(system, place, sql, link, schedule, schedule === missingBytes ? requests / 3 : requests);
      const [plain] = await sql`select count(*)::int from pg_stat_ssl join pg_stat_activity using (pid)
      where usename = ${names.login} and not ssl`;
      expect(plain?.count).toBe(0);
    });
  },
);
