/** An answer that breaks off in workerd, on its way from the pooler, is no whole one for the client. */
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { FaultProxy } from '../faults/proxy.ts';
import { createEdgeDatabase, type EdgeDatabase, poolerSecret } from './database.ts';
import { startObject } from './object.ts';
import { type Program, startProgram, startWorker } from './program.ts';

let database: EdgeDatabase;
let pooler: Program;

beforeAll(async () => {
  database = await createEdgeDatabase();
  // Answers that say more than 8 KB of themselves have it in front of the body.
  await database.sql`create function api.headed(padding int) returns text language sql stable
    return repeat('x', case when set_config('response.headers', json_build_array(json_build_object('X-Long', repeat('h', 9000)))::text, true) <> '' then padding end)`;
  pooler = await startProgram('pooler', { ...database.variables, EDGEREST_POOLER_SECRET: poolerSecret });
});
afterAll(async () => {
  await pooler.stop();
  await database.drop();
});

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const LENGTH = 5_000_000;
const PLAIN = `/rpc/echo?nonce=n&padding=${LENGTH}`;

/** Reads to the end, if there is one. */
async function readAll(answer: IncomingMessage): Promise<'whole' | 'cut short'> {
  try {
    for await (const chunk of answer) void chunk;
    return 'whole';
  } catch {
    return 'cut short';
  }
}

test.each([
  ['over HTTP', startWorker, 'http', PLAIN],
  ['over HTTP, with a long head', startWorker, 'http', `/rpc/headed?padding=${LENGTH}`],
  ['over a WebSocket', startObject, 'ws', PLAIN],
] as const)('%s', async (_, start, scheme, target) => {
  const proxy = new FaultProxy(Number(new URL(pooler.url).port));
  const worker = await start(`${scheme}://127.0.0.1:${await proxy.listen()}`, poolerSecret);
  cleanups.push(
    () => proxy.close(),
    () => worker.stop(),
  );
  const answer = async (): Promise<IncomingMessage> => (await once(get(worker.url + target), 'response'))[0];
  expect(await readAll(await answer())).toBe('whole');
  // Nobody reads yet, so most of it is still to come.
  const begun = await answer();
  expect(begun.statusCode).toBe(200);
  for (const { near } of proxy.links) near.destroy();
  expect(await readAll(begun)).toBe('cut short');
});
