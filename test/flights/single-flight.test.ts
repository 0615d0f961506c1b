/**
 * One request is one flight: one write to the database, and one answer. Counted on the wire, where it cannot be claimed: by
 * the Sync messages, and by how often the pooler wrote. The reset of the session is a second Sync in the same write.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FaultProxy } from '../faults/proxy.ts';
import { type Api, createWriteDatabase, modes, sign, startApi, type WriteDatabase } from '../writes/api.ts';
import { type Request, requests, schema } from './requests.ts';

let database: WriteDatabase;

beforeAll(async () => {
  database = await createWriteDatabase(schema);
});
afterAll(() => database?.drop());

/** What went to the database since the last look. */
class Wire {
  readonly #proxy: FaultProxy;
  #before = { syncs: 0, writes: 0 };

  constructor(proxy: FaultProxy) {
    this.#proxy = proxy;
  }

  #total(): { syncs: number; writes: number } {
    let syncs = 0;
    let writes = 0;
    for (const { sent, bursts } of this.#proxy.links) {
      syncs += (sent.messages.get('S') ?? 0) + (sent.messages.get('Q') ?? 0);
      writes += bursts;
    }
    return { syncs, writes };
  }

  since(): { syncs: number; writes: number } {
    const now = this.#total();
    const since = { syncs: now.syncs - this.#before.syncs, writes: now.writes - this.#before.writes };
    this.#before = now;
    return since;
  }
}

interface Counted {
  readonly api: Api;
  readonly wire: Wire;
}

/** A program behind a counting proxy, warmed up so that its connection is there. */
function counted(mode: (typeof modes)[number], variables: Readonly<Record<string, string>>): () => Counted {
  let proxy: FaultProxy | undefined;
  let api: Api | undefined;
  let wire: Wire | undefined;
  beforeAll(async () => {
    proxy = new FaultProxy(Number(new URL(database.loginUri).port));
    const port = await proxy.listen();
    const settings = { PGRST_DB_PLAN_ENABLED: '1', PGRST_DB_TX_END: 'commit-allow-override', ...variables };
    api = await startApi(mode, database, settings, port);
    await api.ask('GET', '/item?limit=0');
    wire = new Wire(proxy);
    wire.since();
  });
  afterAll(async () => {
    await api?.stop();
    await proxy?.close();
  });
  return () => {
    if (api === undefined || wire === undefined) throw new Error('not started');
    return { api, wire };
  };
}

async function send({ api, wire }: Counted, { method, target, status, token, ...ask }: Request): Promise<object> {
  const given = token === undefined ? ask : { ...ask, token: await sign({ role: database.writer }) };
  const answer = await api.ask(method, target, given);
  const { syncs, writes } = wire.since();
  expect({ status: answer.status, text: answer.text }).toMatchObject({ status });
  return { syncs, writes };
}

describe.each(modes)('%s', (mode) => {
  const running = counted(mode, {});

  // Twice: first the statements are prepared, then they are there already.
  describe.each(['first', 'again'])('%s', () => {
    test.each(requests().map((request) => [request.name, request] as const))('%s', async (_, request) => {
      expect(await send(running(), request)).toEqual({ syncs: request.resets ? 2 : 1, writes: 1 });
    });
  });

  test.each([
    ['a wrong body', 'POST', '/item', 400],
    ['a wrong filter', 'GET', '/item?id=foo.1', 400],
    ['a question for the methods', 'OPTIONS', '/item', 200],
  ] as const)('%s needs no flight', async (_name, method, target, status) => {
    const { api, wire } = running();
    const body = method === 'POST' ? { body: '[{"id":1},{"name":2}]' } : {};
    expect((await api.ask(method, target, body)).status).toBe(status);
    expect(wire.since()).toEqual({ syncs: 0, writes: 0 });
  });
});

describe('with a pre-request, in serve', () => {
  const running = counted('serve', { PGRST_DB_PRE_REQUEST: 'api.nothing' });

  test.each(requests().map((request) => [request.name, request] as const))('%s', async (_, request) => {
    expect(await send(running(), request)).toEqual({ syncs: 2, writes: 1 });
  });
});

describe('the exception: names that have gone stale', () => {
  // The schema cache is not told, so that the very same statements are sent again.
  const running = counted('serve', { PGRST_DB_CHANNEL_ENABLED: 'false' });
  const read: Request = { name: '', method: 'GET', target: '/changing?id=eq.1', status: 200, resets: false };
  const write: Request = { ...read, method: 'PATCH', body: { note: 'changed once' }, status: 204 };

  test('the whole flight is flown once more, on fresh names, and what it does is done once', async () => {
    await send(running(), read);
    await send(running(), write);
    await database.sql`truncate api.change`;
    // The parameters' types were settled when the names were prepared.
    await database.sql`alter table api.changing alter column id type text`;
    expect(await send(running(), read)).toEqual({ syncs: 2, writes: 2 });
    expect(await send(running(), read)).toEqual({ syncs: 1, writes: 1 });
    expect(await send(running(), write)).toEqual({ syncs: 4, writes: 2 });
    expect(await database.sql`select note from api.change`).toEqual([{ note: 'changed once' }]);
    expect(await send(running(), write)).toEqual({ syncs: 2, writes: 1 });
  });

  test('a mistake of the request itself is not', async () => {
    const wrong: Request = { ...read, target: '/item?id=eq.x', status: 400 };
    expect(await send(running(), wrong)).toEqual({ syncs: 1, writes: 1 });
    expect(await send(running(), wrong)).toEqual({ syncs: 1, writes: 1 });
  });
});
