/** Tokens whose key never leaves the pooler: the worker answers as if it had the key, and good tokens cost it no question. */
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { transactionRequest } from '../../shared/hop/request.fixture.ts';
import { createEdgerest, type EdgerestFetch } from '../../worker/edgerest.ts';
import { HttpHop } from '../../worker/hop/http.ts';
import { uniqueName } from '../postgres.ts';
import { signedToken, tokenPart } from '../token.ts';
import { createEdgeDatabase, type EdgeDatabase, jwtSecret, poolerSecret } from './database.ts';
import { type Program, startProgram } from './program.ts';
import { askRaw } from './raw.ts';

let database: EdgeDatabase;
/** A role besides the anonymous one. */
const user = uniqueName('edge_user');
let edge: Program;
let serve: Program;
let pooler: Program;

beforeAll(async () => {
  database = await createEdgeDatabase();
  const login = new URL(database.variables.PGRST_DB_URI ?? '').username;
  const { anon, sql } = database;
  await sql.unsafe(`create role ${user}; grant ${anon} to ${user}; grant ${user} to ${login}`).simple();
  [edge, serve, pooler] = await Promise.all([
    startProgram('edge', database.variables),
    startProgram('serve', database.variables),
    startProgram('pooler', { ...database.variables, PGRST_LOG_LEVEL: 'warn', EDGEREST_POOLER_SECRET: poolerSecret }),
  ]);
});
afterEach(() => {
  vi.restoreAllMocks();
});
afterAll(async () => {
  await Promise.all([edge?.stop(), serve?.stop(), pooler?.stop()]);
  await database?.sql.unsafe(`drop role ${user}`).simple();
  await database?.drop();
});

const signed = (claims: unknown, key = jwtSecret, header: object = { alg: 'HS256' }): string =>
  signedToken(claims, key, header);

const now = Math.floor(Date.now() / 1000);
const FORGED = 'a secret that the pooler does not have';

/** Tokens, given the name of a role that there is. */
const tokens: readonly (readonly [what: string, of: (role: string) => string])[] = [
  ['a good one', (role) => signed({ role })],
  ['one without a role', () => signed({ sub: 'me' })],
  ['one for a role that is not there', () => signed({ role: 'nobody_of_this_name' })],
  ['one that names a key', (role) => signed({ role }, jwtSecret, { alg: 'HS256', kid: 'x' })],
  ['one that has expired', (role) => signed({ role, exp: now - 1000 })],
  ['one that is not valid yet', (role) => signed({ role, nbf: now + 1000 })],
  ['one whose time is none', (role) => signed({ role, exp: 'soon' })],
  ['one whose claims are none', () => signed('[1]')],
  ['one whose claims are no JSON', () => signed('{')],
  ['a forged one', (role) => signed({ role }, FORGED)],
  ['a forged one that has expired', (role) => signed({ role, exp: now - 1000 }, FORGED)],
  ['a forged one whose claims are no JSON', () => signed('{', FORGED)],
  ['one of another algorithm', (role) => signed({ role }, jwtSecret, { alg: 'HS512' })],
  ['one of another type of key', (role) => signed({ role }, jwtSecret, { alg: 'RS256' })],
  ['one without a signature', (role) => `${tokenPart({ alg: 'none' })}.${tokenPart({ role })}.`],
  ['one of two parts', () => 'e30.e30'],
  ['one that is no base64', () => 'a.!.c'],
];

const requests: readonly (readonly [line: string, body: string])[] = [
  ['GET /rpc/echo?nonce=n', ''],
  ['HEAD /item?limit=1', ''],
  ['GET /item?order=id.up', ''],
  ['GET /nothing', ''],
  ['OPTIONS /item', ''],
  ['HEAD /', ''],
  ['POST /written', '{"nonce":'],
  ['POST /written', '{"nonce":"n"}'],
  ['GET /item?id=lt.', ''],
];

describe.each(tokens)('%s', (_what, of) => {
  test.each(requests)('%s is answered as where the key is', async (line, body) => {
    const headers = [`Authorization: Bearer ${of(user)}`, 'Content-Type: application/json'];
    const answers = await Promise.all([edge, serve].map(({ url }) => askRaw(url, line, headers, body)));
    expect(answers[0]).toEqual(answers[1]);
  });
});

/** A worker of its own in this process, and the paths that it asks the pooler for. */
function ownWorker(): { readonly worker: EdgerestFetch; readonly asked: readonly string[] } {
  const asked: string[] = [];
  const { fetch } = globalThis;
  vi.spyOn(globalThis, 'fetch').mockImplementation((input, init) => {
    asked.push(new URL(String(input)).pathname);
    return fetch(input, init);
  });
  return { worker: createEdgerest({ url: pooler.url, secret: poolerSecret, log: silent }), asked };
}
const silent = { access: () => undefined, diagnostic: () => undefined };

const ask = async (worker: EdgerestFetch, target: string, token: string, method = 'GET'): Promise<Response> =>
  await worker(
    new Request(`http://api.example.com${target}`, { method, headers: { authorization: `Bearer ${token}` } }),
  );

const STATE = ['/v1/snapshot', '/v1/keys'];

describe('a worker', () => {
  test('asks nothing about a token that is good, and knows it afterwards', async () => {
    const { worker, asked } = ownWorker();
    const token = signed({ role: user });
    expect(await (await ask(worker, '/rpc/echo?nonce=1', token)).json()).toMatchObject({ role: user });
    expect(asked.filter((path) => !STATE.includes(path))).toEqual(['/v1/transaction']);
    const before = asked.length;
    expect((await ask(worker, '/item?order=id.up', token)).status).toBe(400);
    expect((await ask(worker, '/item', token, 'OPTIONS')).status).toBe(200);
    expect(asked.slice(before)).toEqual([]);
  });

  test('asks about a token that has had no transaction before it says anything', async () => {
    const { worker, asked } = ownWorker();
    expect((await ask(worker, '/item', signed({ role: user }), 'OPTIONS')).status).toBe(200);
    expect((await ask(worker, '/item', signed({ role: user }, FORGED), 'OPTIONS')).status).toBe(401);
    expect(asked.filter((path) => !STATE.includes(path))).toEqual(['/v1/token', '/v1/token']);
  });

  test('that sends a token which is not good is nothing unusual to the pooler', async () => {
    const { worker, asked } = ownWorker();
    const token = signed({ role: user }, FORGED);
    expect((await ask(worker, '/item', token)).status).toBe(401);
    expect(asked.filter((path) => !STATE.includes(path))).toEqual(['/v1/transaction', '/v1/token']);
    const hop = new HttpHop({ url: pooler.url, secret: poolerSecret });
    await hop.transaction(transactionRequest({ token, role: user }), null, null);
    await pooler.says('refused a message');
    expect(pooler.said().split('refused a message')).toHaveLength(2);
  });

  test('says nothing while no pooler can be asked', async () => {
    const { worker } = ownWorker();
    const token = signed({ role: user }, FORGED);
    expect((await ask(worker, '/item', token)).status).toBe(401);
    vi.spyOn(globalThis, 'fetch').mockRejectedValue(new TypeError('fetch failed'));
    for (const [target, method] of [
      ['/item?order=id.up', 'GET'],
      ['/item', 'OPTIONS'],
      ['/item', 'GET'],
    ] as const) {
      expect((await ask(worker, target, token, method)).status).toBe(503);
    }
  });
});

test('the key is nowhere to be had, and other keys are told apart', async () => {
  const hop = new HttpHop({ url: pooler.url, secret: poolerSecret });
  const [snapshot, keys] = await Promise.all([hop.fetchSnapshot([], null), hop.fetchKeys(null)]);
  const said = JSON.stringify([snapshot, keys]);
  expect(said).not.toContain(jwtSecret);
  expect(said).not.toContain(tokenPart(jwtSecret));
  expect(keys).toMatchObject({ kind: 'keys', keys: { keys: [], withheld: expect.stringMatching(/^[\w-]{43}$/) } });
});
