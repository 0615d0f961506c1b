/** The worker in Deno and Bun, over HTTP and over a WebSocket to a pooler. */
import { createServer, request } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../cluster.ts';
import { ask, type Departure, type Question, visit } from '../edge/client.ts';
import { createEdgeDatabase, type EdgeDatabase, POOL_SIZE, poolerSecret, type Session } from '../edge/database.ts';
import { type Program, startProgram } from '../edge/program.ts';
import { listening } from '../listening.ts';
import { type Api, programOf, RUNTIMES, startApi, titleOf } from './runtime.ts';

let database: EdgeDatabase;
let pooler: Program;
let port: number;
beforeAll(async () => {
  database = await createEdgeDatabase();
  await database.sql.unsafe(`create function api.reset() returns void language sql volatile
    as $$ select set_config('response.status', '205', true) $$`);
  port = await freePort();
  pooler = await startProgram('pooler', variables(), port);
});
afterAll(async () => {
  await pooler.stop();
  await database.drop();
});

const variables = (): Readonly<Record<string, string>> => ({
  ...database.variables,
  PGRST_LOG_LEVEL: 'info',
  EDGEREST_POOLER_SECRET: poolerSecret,
});

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const isIdle = ({ state }: Session): boolean => state === 'idle';
const busy = (sessions: readonly Session[]): number => sessions.filter(({ state }) => state === 'active').length;
const post = (target: string, body: unknown): Question => ({ method: 'POST', target, body: JSON.stringify(body) });
const written = async (name: string): Promise<readonly string[]> =>
  (await database.sql`select nonce from api.written where starts_with(nonce, ${name})`).map(({ nonce }) => nonce);

describe.each(RUNTIMES)('%s', (runtime) => {
  describe.skipIf(programOf(runtime) === null)(titleOf(runtime), () => {
    const start = (url: string): Promise<Api> =>
      startApi(runtime, 'pooler', { EDGEREST_POOLER_URL: url, EDGEREST_POOLER_SECRET: poolerSecret });

    describe.each(['http', 'ws'] as const)('over %s', (scheme) => {
      let api: Api;
      beforeAll(async () => {
        api = await start(`${scheme}://127.0.0.1:${port}`);
      });
      afterAll(() => api.stop());

      test('answers sixty at once, small and large', async () => {
        const name = `${runtime} ${scheme} `;
        await Promise.all(
          Array.from({ length: 60 }, async (_, n) => {
            const nonce = name + n;
            const padding = n * 10_000;
            if (n % 3 === 0) {
              expect((await ask(api.url, post('/written', { nonce }))).status).toBe(201);
              return;
            }
            const target = `/rpc/echo?nonce=${encodeURIComponent(nonce)}&padding=${padding}`;
            const { text } = await ask(
              api.url,
              n % 3 === 1 ? { method: 'GET', target } : post('/rpc/echo', { nonce, padding }),
            );
            expect(JSON.parse(text)).toEqual({ nonce, role: database.anon, padding: 'x'.repeat(padding) });
          }),
        );
        expect((await written(name)).length).toBe(20);
        expect(api.said()).toMatch(/^127\.0\.0\.1 - \S+ \[.*\] "GET \/rpc\/echo\?/m);
      });

      test('passes large bodies through, both ways', async () => {
        const nonce = 'é'.repeat(1_500_000);
        expect(JSON.parse((await ask(api.url, post('/rpc/echo', { nonce }))).text).nonce).toBe(nonce);
        const lines = await ask(api.url, { method: 'GET', target: '/rpc/lines?nonce=n&count=200000' });
        expect(JSON.parse(lines.text).at(-1)).toBe('n 200000');
      });

      test('frames what has no body', async () => {
        const item = '/item?id=eq.1';
        const headers = { Prefer: 'count=exact' };
        const head = await fetch(api.url + item, { method: 'HEAD', headers });
        expect([head.status, head.headers.get('content-range')]).toEqual([200, '0-0/1']);
        expect(head.headers.get('content-length')).toBeNull();
        const updated = await fetch(api.url + item, {
          method: 'PATCH',
          headers: { 'Content-Type': 'application/json' },
          body: '{"name":"item 1"}',
        });
        expect([updated.status, updated.headers.get('content-length')]).toEqual([204, null]);
        // Nobody waits for a body.
        const reset = await ask(api.url, post('/rpc/reset', {}));
        expect([reset.status, reset.text]).toEqual([runtime === 'deno' ? 204 : 205, '']);
        expect((await ask(api.url, { method: 'GET', target: '/nothing' })).status).toBe(404);
      });

      test.each<Departure>(['close', 'reset'])('cancels what a client no longer waits for (%s)', async (departure) => {
        const waiting = post('/rpc/sleep', { nonce: 'n' });
        const visitors = await Promise.all(Array.from({ length: 2 * POOL_SIZE }, () => visit(api.url, waiting)));
        for (const visitor of visitors) visitor.send();
        await database.untilSessions((sessions) => busy(sessions) === POOL_SIZE);
        for (const visitor of visitors) visitor.leave(departure);
        await database.untilSessions((sessions) => sessions.every(isIdle));

        const reader = await visit(api.url, { method: 'GET', target: '/rpc/echo?nonce=n&padding=40000000' });
        reader.send();
        await reader.answered;
        await database.untilSessions((sessions) => busy(sessions) === 1);
        reader.leave(departure);
        await database.untilSessions((sessions) => sessions.every(isIdle));
      });
    });

    test.each(['http', 'ws'])('knows over %s that a pooler was not reached, and asks the other one', async (scheme) => {
      const [away, there] = [`${scheme}://127.0.0.1:${await freePort()}`, `${scheme}://127.0.0.1:${port}`];
      const api = await start(`${away},${there}`);
      cleanups.push(api.stop);
      const name = `${runtime} ${scheme} other `;
      for (let n = 0; n < 10; n++) {
        expect((await ask(api.url, post('/written', { nonce: name + n }))).status).toBe(201);
      }
      expect((await written(name)).length).toBe(10);
    });

    test('sends a write once, also where a kept connection breaks before the answer', async () => {
      let cuts = false;
      const relay = createServer((incoming, outgoing) => {
        const { method = 'GET', headers, url = '/' } = incoming;
        const onward = request({ port, host: '127.0.0.1', path: url, method, headers }, (answer) => {
          if (cuts) {
            answer.resume().once('end', () => incoming.socket.destroy());
            return;
          }
          outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
          answer.pipe(outgoing);
        });
        incoming.pipe(onward);
      });
      const api = await start(`http://127.0.0.1:${await listening(relay)}`);
      cleanups.push(api.stop, async () => relay.close());
      const name = `${runtime} once `;
      for (let n = 0; n < 3; n++) expect((await ask(api.url, post('/written', { nonce: name + n }))).status).toBe(201);
      cuts = true;
      const unknown = await ask(api.url, post('/written', { nonce: `${name}unknown` }));
      expect([unknown.status, JSON.parse(unknown.text).code]).toEqual([502, 'EDGE002']);
      expect((await written(name)).toSorted()).toEqual([0, 1, 2, 'unknown'].map((n) => name + n));
    });

    test('finds a pooler that was started anew, over a WebSocket', async () => {
      const own = await freePort();
      let second = await startProgram('pooler', variables(), own);
      cleanups.push(() => second.stop());
      const api = await start(`ws://127.0.0.1:${own}`);
      cleanups.push(api.stop);
      const read: Question = { method: 'GET', target: '/item?id=eq.7' };
      expect((await ask(api.url, read)).text).toBe('[{"id":7,"name":"item 7"}]');
      await second.stop();
      expect((await ask(api.url, read)).status).toBe(503);
      second = await startProgram('pooler', variables(), own);
      // A moment may pass until the next attempt to connect is due.
      while ((await ask(api.url, read)).status !== 200);
    });
  });
});
