/** The API in a Durable Object, whose requests share one socket to the pooler. */
import { afterEach, expect, test } from 'vitest';
import { freePort } from '../cluster.ts';
import { FaultProxy } from '../faults/proxy.ts';
import { type Answer, ask } from './client.ts';
import { createEdgeDatabase, poolerSecret } from './database.ts';
import { startObject } from './object.ts';
import { startProgram } from './program.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

test('requests share a socket, also after their pooler was started anew', async () => {
  const database = await createEdgeDatabase();
  cleanups.push(() => database.drop());
  const variables = { ...database.variables, EDGEREST_POOLER_SECRET: poolerSecret };
  const port = await freePort();
  let pooler = await startProgram('pooler', variables, port);
  cleanups.push(() => pooler.stop());
  const proxy = new FaultProxy(port);
  const object = await startObject(`ws://127.0.0.1:${await proxy.listen()}`, poolerSecret);
  cleanups.push(() => object.stop());
  cleanups.push(() => proxy.close());
  const api = object.url;

  const burst = async (name: string): Promise<void> => {
    const answers = Array.from({ length: 60 }, async (_, n): Promise<Answer> => {
      const nonce = `${name}-${n}`;
      if (n % 2 === 0)
        return await ask(api, { method: 'GET', target: `/rpc/echo?nonce=${nonce}&padding=${n * 10_000}` });
      return await ask(api, { method: 'POST', target: '/written', body: JSON.stringify({ nonce }) });
    });
    for (const [n, { status, text }] of (await Promise.all(answers)).entries()) {
      expect([n, status]).toEqual([n, n % 2 === 0 ? 200 : 201]);
      if (n % 2 === 0)
        expect(JSON.parse(text)).toMatchObject({ nonce: `${name}-${n}`, padding: 'x'.repeat(n * 10_000) });
    }
    const [count] = await database.sql`select count(*)::int from api.written where starts_with(nonce, ${`${name}-`})`;
    expect(count?.count).toBe(30);
  };

  expect((await ask(api, { method: 'GET', target: '/item?id=eq.7' })).text).toBe('[{"id":7,"name":"item 7"}]');
  const before = proxy.counts.links;
  await burst('first');
  expect(proxy.counts.links).toBe(before);

  await pooler.stop();
  pooler = await startProgram('pooler', variables, port);
  // A moment may pass until the next attempt to connect is due.
  while ((await ask(api, { method: 'GET', target: '/item?id=eq.7' })).status !== 200);
  await burst('second');
});
