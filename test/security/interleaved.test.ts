/** Several roles on the same connections: nobody is ever taken for another, and nothing that one leaves is there for the next. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { patience, SEED, share } from '../faults/amount.ts';
import { clearLedger, ledgerSchema, type Names, PASSWORD } from '../faults/http/ledger.ts';
import { HttpOracle } from '../faults/http/oracle.ts';
import { type Kind, question, token } from '../faults/http/questions.ts';
import { Random } from '../faults/random.ts';
import { createDatabase, type TestDatabase, uniqueName } from '../postgres.ts';
import { type Api, startApi } from './api.ts';

const names: Names = { login: uniqueName('inter_login'), roles: [uniqueName('alice'), uniqueName('bob')] };
const [alice, bob = ''] = names.roles;

/** Functions of the schema that leave something behind without a word, and a view and a policy that call one. */
const QUIETLY = `
  create function api.leave_quietly() returns text language sql volatile return set_config('left.behind', 'here', false);
  create view api.sneaky as select api.leave_quietly() as left;
  create table api.guarded (id int); insert into api.guarded values (1); alter table api.guarded enable row level security;
  create policy sneaky on api.guarded using (api.leave_quietly() is not null);
  create function api.sneaky_column(api.guarded) returns text language sql volatile return api.leave_quietly();`;

let database: TestDatabase;
let api: Api | null = null;

beforeAll(async () => {
  database = await createDatabase('interleaved', ledgerSchema(names) + QUIETLY);
  await database.sql.unsafe(`grant select on all tables in schema api to ${names.roles.join()}`).simple();
});
beforeEach(() => clearLedger(database.sql));
afterEach(async () => {
  await api?.close();
  api = null;
});
afterAll(async () => {
  await database.sql
    .unsafe(`drop owned by ${names.roles.join()}; drop role ${names.login}, ${names.roles.join()}`)
    .simple();
  await database.drop();
});

async function start(env: Readonly<Record<string, string>>): Promise<Api> {
  api = await startApi(database.uriAs(names.login, PASSWORD), alice, env);
  return api;
}

/** Mostly plain reads, which nothing is done for afterwards, and everything that may leave something to them. */
const KINDS: readonly [Kind, ...Kind[]] = [
  'view',
  ...Array.from({ length: 60 }, () => 'view' as const),
  ...Array.from({ length: 20 }, () => 'read' as const),
  ...(['write', 'write', 'write', 'write', 'guarded', 'rolled back', 'late', 'leftovers', 'leftovers'] as const),
  ...(['leaves state', 'leaves state', 'leaves state', 'leaves state', 'prepares'] as const),
];

const requests = share(0.7);

test('each answer is its own request’s, and nothing is left for the next one', {
  timeout: patience(requests),
}, async () => {
  const { ask } = await start({ PGRST_DB_POOL: '4' });
  const oracle = new HttpOracle({
    ask,
    roles: names.roles,
    random: new Random(SEED),
    run: 'interleaved',
    kinds: KINDS,
    expected: /^never$/,
    streams: false,
    requests,
  });
  let left = requests;
  const caller = async (): Promise<void> => {
    while (left-- > 0) await oracle.request();
  };
  await Promise.all(Array.from({ length: 16 }, caller));
  const tally = await oracle.tally(database.sql);
  expect(tally.mistakes.slice(0, 10), `seed ${SEED}`).toEqual([]);
  expect([tally.good, tally.unknown]).toEqual([requests, 0]);
});

/** Asks as a role for JSON. */
async function json({ ask }: Api, role: string, target: string): Promise<unknown> {
  const answer = await ask({
    method: 'GET',
    target,
    headers: { authorization: `Bearer ${token({ role })}` },
    body: '',
  });
  if (answer.kind !== 'answered' || answer.status !== 200) throw new Error(JSON.stringify(answer));
  return JSON.parse(answer.text);
}

describe('every kind of state that a function leaves is gone for the next role,', () => {
  test.each(['leaves state', 'prepares'] as const)('on one connection, after a request that %s', async (kind) => {
    const started = await start({ PGRST_DB_POOL: '1' });
    for (let i = 0; i < 3; i++) {
      const asked = question(kind, `${kind}-${i}`.replace(' ', '_'), alice, new Random(i));
      expect(await started.ask(asked)).toMatchObject({ status: 200 });
      expect(await json(started, bob, '/through_view')).toEqual([{ left: {} }]);
    }
  });

  test('also of a request that failed', async () => {
    const started = await start({ PGRST_DB_POOL: '1' });
    // The second time the nonce is taken, after the lock: but settings and locks of a session outlive a rollback.
    const asked = question('leaves state', 'twice', alice, new Random(1));
    expect(await started.ask(asked)).toMatchObject({ status: 200 });
    expect(await started.ask(asked)).toMatchObject({ status: 409 });
    expect(await json(started, bob, '/through_view')).toEqual([{ left: {} }]);
  });
});

/** Plain reads in which code runs all the same: a view's, a policy's. */
const PLAIN = ['/sneaky', '/guarded'];
/** Reads that name a function. */
const NAMING = [
  '/guarded?select=sneaky_column',
  '/guarded?sneaky_column=eq.here',
  '/guarded?select=id&order=sneaky_column',
];

describe('code that a plain read runs', () => {
  test.each(PLAIN)('may leave something with the default, as documented: %s', async (target) => {
    const started = await start({ PGRST_DB_POOL: '1' });
    await json(started, alice, target);
    expect(await json(started, bob, '/through_view')).toEqual([{ left: { setting: 'here' } }]);
    // Until the next request that is known to run code.
    expect(await json(started, bob, '/rpc/whoami?nonce=x')).toMatchObject({ who: bob });
    expect(await json(started, bob, '/through_view')).toEqual([{ left: {} }]);
  });

  test.each(NAMING)('leaves nothing with the default where the request names it: %s', async (target) => {
    const started = await start({ PGRST_DB_POOL: '1' });
    await json(started, alice, target);
    expect(await json(started, bob, '/through_view')).toEqual([{ left: {} }]);
  });

  test.each(PLAIN)('leaves nothing with EDGEREST_SESSION_RESET=full: %s', async (target) => {
    const started = await start({ PGRST_DB_POOL: '1', EDGEREST_SESSION_RESET: 'full' });
    await json(started, alice, target);
    expect(await json(started, bob, '/through_view')).toEqual([{ left: {} }]);
  });

  test.each(['auto', 'full'])('never changes who the next one is: %s', async (reset) => {
    const started = await start({ PGRST_DB_POOL: '1', EDGEREST_SESSION_RESET: reset });
    for (const target of [...PLAIN, ...NAMING]) {
      await json(started, alice, target);
      const asked = question('view', 'mine', bob, new Random(1));
      const answer = await started.ask(asked);
      expect(answer.kind === 'answered' && asked.answer(JSON.parse(answer.text))).toBe(true);
    }
  });
});
