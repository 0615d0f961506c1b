/** SIGTERM under load: what was accepted is answered, nothing else is taken, and the program ends well within its limit. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DRAIN_TIMEOUT } from '../../../pooler/cli/shutdown.ts';
import { createDatabase, type TestDatabase, uniqueName } from '../../postgres.ts';
import { SEED } from '../amount.ts';
import { Random } from '../random.ts';
import { HttpClient } from './client.ts';
import { clearLedger, ledgerSchema, type Names } from './ledger.ts';
import { HttpOracle } from './oracle.ts';
import { BOUND, startSystem } from './system.ts';

const names: Names = { login: uniqueName('drain_login'), roles: [uniqueName('alice'), uniqueName('bob')] };
let database: TestDatabase;

beforeAll(async () => {
  database = await createDatabase('drain', ledgerSchema(names));
});
afterAll(async () => {
  const roles = names.roles.join();
  await database.sql.unsafe(`drop owned by ${roles}; drop role ${names.login}, ${roles}`).simple();
  await database.drop();
});

test.each(['serve', 'two halves'] as const)('%s', { timeout: 60_000 }, async (topology) => {
  const place = { port: Number(new URL(database.uri).port), database: database.name, names };
  const system = await startSystem(topology, place, {}, false);
  await clearLedger(database.sql);
  const client = new HttpClient(system.port, 30_000);
  let refused = 0;
  const oracle = new HttpOracle({
    ask: async (question) => {
      const answer = await client.ask(question);
      // A door that is closed: nothing was sent.
      if (answer.kind !== 'lost' || !answer.reason.includes('ECONNREFUSED')) return answer;
      refused++;
      return { kind: 'answered', status: 503, text: '{"code":"EDGE008"}' };
    },
    roles: names.roles,
    random: new Random(SEED),
    run: topology.replace(' ', '_'),
    kinds: ['read', 'view', 'write', 'write', 'bulk', 'bump', 'guarded', 'leaves state'],
    expected: /^503 (EDGE008|PGRST00[012])$/,
    streams: false,
    requests: 200,
  });
  // Whoever is refused goes elsewhere.
  const caller = async (): Promise<void> => {
    while (await oracle.request());
  };
  const callers = Array.from({ length: 40 }, caller);
  while (oracle.good < 200) await sleep(10);
  // Everybody waits for the lock, with a request that has been accepted, when the signal comes.
  await database.sql.begin(async (sql) => {
    await sql`lock table api.ledger`;
    await expect.poll(() => system.metric('pgrst_db_pool_waiting'), { timeout: 10_000 }).toBeGreaterThan(10);
    process.kill(system.program.pid, 'SIGTERM');
    await system.program.says('SIGTERM');
  });
  const began = performance.now();
  expect(await system.program.ended).toBe(0);
  expect(performance.now() - began).toBeLessThan(DRAIN_TIMEOUT);
  await Promise.all(callers);
  const tally = await oracle.tally(database.sql);
  expect(tally.mistakes).toEqual([]);
  expect([tally.unknown, tally.givenUp]).toEqual([0, 0]);
  // Each of the callers has been refused once, and until then was answered.
  expect([...tally.failed.values()].reduce((sum, count) => sum + count, 0)).toBe(callers.length);
  if (topology === 'serve') expect(refused).toBeGreaterThan(0);
  client.close();
  expect(await system.stop()).toBeLessThanOrEqual(BOUND);
});
