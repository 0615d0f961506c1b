/** A worker without a pooler that reaches PostgreSQL by SQL over HTTP: through our own driver endpoint, which is Neon's protocol. */
import { createServer, type ServerResponse } from 'node:http';
import { EdgeRuntime } from 'edge-runtime';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { killAll } from '../../pooler/cli/program.fixture.ts';
import { neonEndpoint } from '../../worker/hop/database/neon.ts';
import { createNeon, type EdgerestFetch, HopConfigError } from '../../worker/neon.ts';
import { edgeScript } from '../edge/edge-script.ts';
import { listening } from '../listening.ts';
import { createStandaloneDatabase, type StandaloneDatabase } from './database.ts';
import { startEndpoint } from './endpoint.ts';
import { requests } from './requests.ts';
import { type StandaloneWorker, startStandalone } from './workerd.ts';

let database: StandaloneDatabase;
let bindings: Readonly<Record<string, string>>;
beforeAll(async () => {
  database = await createStandaloneDatabase();
  const port = await startEndpoint(database);
  bindings = {
    ...database.bindings,
    PGRST_DB_URI: database.loginUri,
    EDGEREST_SQL_URL: `http://127.0.0.1:${port}/sql`,
  };
});
afterAll(async () => {
  killAll();
  await database.drop();
});

const silent = { access: () => undefined, diagnostic: () => undefined };

describe('in Node', () => {
  let edgerest: EdgerestFetch;
  beforeAll(() => {
    edgerest = createNeon({ bindings, log: silent });
  });
  requests(
    () => database,
    (target, init) => edgerest(new Request(`http://localhost${target}`, init)),
  );
});

describe('in workerd', () => {
  let worker: StandaloneWorker;
  beforeAll(async () => {
    worker = await startStandalone('neon', bindings);
  });
  afterAll(() => worker.stop());
  requests(
    () => database,
    (target, init) => fetch(new URL(target, worker.url), init),
  );
});

describe("in Vercel's edge runtime", () => {
  let runtime: EdgeRuntime;
  beforeAll(async () => {
    const contents = `import { createNeon } from './neon.ts';
      const edgerest = createNeon({ bindings: BINDINGS });
      addEventListener('fetch', (event) => event.respondWith(edgerest(event.request, event)));`;
    runtime = new EdgeRuntime({ initialCode: await edgeScript(contents, { BINDINGS: JSON.stringify(bindings) }) });
  });
  requests(
    () => database,
    async (target, init) => {
      const response = await runtime.dispatchFetch(`http://localhost${target}`, init);
      await response.waitUntil();
      return response;
    },
  );
});

describe('the endpoint', () => {
  test('is where Neon has it, unless it is named', () => {
    expect(
      neonEndpoint('postgresql://user:password@ep-cool-name-123456.eu-central-1.aws.neon.tech/db?sslmode=require'),
    ).toBe('https://api.eu-central-1.aws.neon.tech/sql');
  });

  test.each([
    [{ PGRST_DB_URI: 'host=localhost user=me password=the-secret' }, /PGRST_DB_URI must be a URL/],
    [{ PGRST_DB_URI: '' }, /PGRST_DB_URI must be a URL/],
    [{ EDGEREST_SQL_URL: 'http://db.example.com/sql' }, /EDGEREST_SQL_URL must be https/],
    [{ EDGEREST_SQL_URL: 'https://user:the-secret@db.example.com/sql' }, /The bindings of the worker are wrong/],
  ])('that is not safe stops it: %j', (more, words) => {
    const create = () => createNeon({ bindings: { ...bindings, ...more }, report: () => undefined });
    expect(create).toThrow(HopConfigError);
    expect(create).toThrow(words);
    expect(create).not.toThrow(/the-secret/);
  });
});

describe('when the endpoint fails', () => {
  /** Answers every request after the schema cache was loaded; null passes it on. */
  let answer: ((response: ServerResponse) => void) | null = null;
  const relay = createServer(async (request, response) => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of request) chunks.push(chunk);
    if (answer !== null) {
      answer(response);
      return;
    }
    const headers = Object.entries(request.headers).flatMap(([name, value]) =>
      /^(neon-|content-type)/.test(name) && typeof value === 'string' ? [[name, value] as [string, string]] : [],
    );
    const passed = await fetch(String(bindings.EDGEREST_SQL_URL), {
      method: 'POST',
      headers,
      body: Buffer.concat(chunks),
    });
    response.writeHead(passed.status).end(await passed.text());
  });
  let edgerest: EdgerestFetch;
  beforeAll(async () => {
    const port = await listening(relay);
    edgerest = createNeon({ bindings: { ...bindings, EDGEREST_SQL_URL: `http://127.0.0.1:${port}/sql` }, log: silent });
    expect((await edgerest(new Request('http://localhost/item'))).status).toBe(200);
  });
  afterAll(() => relay.close());

  const ask = async (method: string): Promise<readonly [number, unknown]> => {
    const authorization = `Bearer ${await database.token()}`;
    const headers = { authorization, 'content-type': 'application/json' };
    const body = method === 'POST' ? '{"id": 90, "name": "ninety"}' : null;
    const response = await edgerest(new Request('http://localhost/item', { method, headers, body }));
    return [response.status, (await response.json()).code];
  };
  const fatal = (code: string): string => JSON.stringify({ severity: 'FATAL', code, message: 'it ends here' });

  test.each<[string, (response: ServerResponse) => void, readonly [number, string], readonly [number, string]]>([
    ['breaks off', (response) => response.destroy(), [503, 'PGRST001'], [502, 'EDGE002']],
    ['is out of order', (response) => response.writeHead(500).end('oops'), [503, 'PGRST001'], [502, 'EDGE002']],
    ['answers with something else', (response) => response.end('{"results":[]}'), [503, 'PGRST001'], [502, 'EDGE002']],
    [
      'does not let us in',
      (response) => response.writeHead(400).end(fatal('53300')),
      [503, 'PGRST000'],
      [503, 'PGRST000'],
    ],
    ['ends', (response) => response.writeHead(400).end(fatal('57P01')), [503, 'PGRST001'], [502, 'EDGE002']],
    ['refuses', (response) => response.writeHead(429).end(), [503, 'PGRST000'], [503, 'PGRST000']],
    [
      'is elsewhere',
      (response) => response.writeHead(308, { location: 'http://127.0.0.1:1/' }).end(),
      [503, 'PGRST000'],
      [503, 'PGRST000'],
    ],
  ])('and %s, a read and a write are told what is known of them', async (_, given, read, write) => {
    answer = given;
    expect([await ask('GET'), await ask('POST')]).toEqual([read, write]);
  });
});
