/** The worker when its pooler is not there, goes away, comes back, or is not the right one. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { freePort } from '../cluster.ts';
import { type Answer, ask, type Question } from './client.ts';
import { createEdgeDatabase, type EdgeDatabase, poolerSecret, type Session } from './database.ts';
import { type Program, startProgram, startWorker } from './program.ts';

const otherSecret = 'another-secret-than-the-one-of-the-pooler';

let database: EdgeDatabase;
let port: number;
let pooler: Program | null = null;
let worker: Pick<Program, 'url' | 'stop'> | null = null;

beforeAll(async () => {
  database = await createEdgeDatabase();
});
afterAll(() => database.drop());

beforeEach(async () => {
  port = await freePort();
});
afterEach(async () => {
  await worker?.stop();
  await pooler?.stop();
  worker = null;
  pooler = null;
});

async function startPooler(secret = poolerSecret): Promise<Program> {
  pooler = await startProgram('pooler', { ...database.variables, EDGEREST_POOLER_SECRET: secret }, port);
  return pooler;
}

/** Asks a worker, the one of the test. */
async function workerFor(url: string, secret = poolerSecret): Promise<(question: Question) => Promise<Answer>> {
  const started = await startWorker(url, secret);
  worker = started;
  return (question) => ask(started.url, question);
}

const read: Question = { method: 'GET', target: '/item?id=eq.7' };
const write = (nonce: string): Question => ({
  method: 'POST',
  target: '/rpc/write_once_locked',
  body: JSON.stringify({ nonce }),
});

const found = { status: 200, text: '[{"id":7,"name":"item 7"}]' };

/** Checks that an answer is an error as all are, which tells no more than it should. */
function expectError({ status, headers, text }: Answer, expected: { status: number; code: string; details?: unknown }) {
  const error: unknown = JSON.parse(text);
  expect({ status, ...Object(error) }).toMatchObject(expected);
  expect(Object.keys(Object(error)).sort()).toEqual(['code', 'details', 'hint', 'message']);
  expect(headers.get('Proxy-Status')).toBe(`PostgREST; error=${expected.code}`);
  expect(text).not.toMatch(/\bat .+:\d+|\.ts\b|127\.0\.0\.1|localhost/);
  for (const secret of [poolerSecret, otherSecret]) expect(text).not.toContain(secret);
}

const untilBusy = (): Promise<void> =>
  database.untilSessions((sessions: readonly Session[]) => sessions.some(({ state }) => state === 'active'));

describe('a pooler that is away', () => {
  test('at the start, and comes', async () => {
    const answer = await workerFor(`http://127.0.0.1:${port}`);
    const away = { status: 503, code: 'PGRST002', details: 'The pooler cannot be reached.' };
    for (const each of await Promise.all([answer(read), answer(read), answer(write('w'))])) expectError(each, away);
    await startPooler();
    expect(await answer(read)).toMatchObject(found);
  });

  test('in the middle, and comes back', async () => {
    const answer = await workerFor(`http://127.0.0.1:${port}`);
    const first = await startPooler();
    const warmed = await Promise.all(Array.from({ length: 10 }, () => answer(read)));
    for (const each of warmed) expect(each).toMatchObject(found);
    await first.stop();
    for (let n = 0; n < 3; n++) {
      expectError(await answer(read), {
        status: 503,
        code: 'PGRST001',
        details: 'The pooler cannot be reached.',
      });
    }
    // workerd does not tell whether it has sent anything: nobody can say that it has not been written.
    expectError(await answer(write('away')), { status: 502, code: 'EDGE002' });
    expectError(await answer({ method: 'GET', target: '/unknown' }), { status: 503, code: 'PGRST002' });

    await startPooler();
    const again = await Promise.all(Array.from({ length: 10 }, () => answer(read)));
    for (const each of again) expect(each).toMatchObject(found);
    expect((await answer({ method: 'GET', target: '/unknown' })).status).toBe(404);
    expect(await database.sql`select nonce from api.written where nonce = 'away'`).toEqual([]);
  });

  test('in the middle of a write, which is never made twice', async () => {
    const answer = await workerFor(`http://127.0.0.1:${port}`);
    const first = await startPooler();
    const [before] = await database.sql`select nextval('api.executions')::int as n`;
    await database.sql`select pg_advisory_lock(1)`;
    const written = answer(write('once'));
    await untilBusy();
    await first.kill();
    expectError(await written, { status: 502, code: 'EDGE002' });

    await startPooler();
    expect(await answer(read)).toMatchObject(found);
    await database.sql`select pg_advisory_unlock(1)`;
    // What was under way ends with its connection, which nobody holds any more.
    await database.untilSessions((sessions) => sessions.every(({ query }) => !query.includes('write_once_locked')));
    const [after] = await database.sql`select nextval('api.executions')::int as n`;
    expect(after?.n - before?.n).toBe(2);
    expect((await database.sql`select from api.written where nonce = 'once'`).count).toBeLessThanOrEqual(1);
  });
});

describe('what the operator has to repair is named, and not shown:', () => {
  test('another secret, from the start and after a change', async () => {
    const refused = {
      status: 500,
      code: 'EDGE004',
      details: 'The pooler does not accept the EDGEREST_POOLER_SECRET of the worker.',
    };
    const first = await startPooler(otherSecret);
    const answer = await workerFor(`http://127.0.0.1:${port}`);
    for (const each of await Promise.all([answer(read), answer(write('w'))])) expectError(each, refused);
    expect(first.said()).not.toContain(poolerSecret);
    await first.stop();

    const second = await startPooler();
    expect(await answer(read)).toMatchObject(found);
    await second.stop();
    await startPooler(otherSecret);
    for (const each of await Promise.all([answer(read), answer(write('w'))])) expectError(each, refused);
    expectError(await answer({ method: 'GET', target: '/unknown' }), refused);
  });

  test.each([
    ['a secret that is too short', 'http://127.0.0.1:1', 'short', /^EDGEREST_POOLER_SECRET must be/],
    ['no secret', 'http://127.0.0.1:1', '', /^EDGEREST_POOLER_SECRET must be/],
    ['an address without TLS', 'http://10.0.0.1', poolerSecret, /^EDGEREST_POOLER_URL must be https/],
    ['no address', '', poolerSecret, /^EDGEREST_POOLER_URL is not a URL/],
    ['an address of a socket', 'wss://pooler.example.com', poolerSecret, /^EDGEREST_POOLER_URL must begin with https:/],
  ])('%s', async (_what, url, secret, details) => {
    const answer = await workerFor(url, secret);
    expectError(await answer(read), { status: 500, code: 'EDGE004', details: expect.stringMatching(details) });
  });

  test('an address where something else answers', async () => {
    const stranger = createServer((request, response) => {
      request.resume();
      response.writeHead(request.url === '/v1/keys' ? 404 : 200, { 'Content-Type': 'text/html' }).end('<h1>Hello</h1>');
    }).listen(port, '127.0.0.1');
    await once(stranger, 'listening');
    const answer = await workerFor(`http://127.0.0.1:${port}`);
    expectError(await answer(read), {
      status: 503,
      code: 'PGRST002',
      details: expect.stringMatching(/pooler's|pooler answered/),
    });
    stranger.closeAllConnections();
    stranger.close();
  });
});
