/** A worker without a pooler that reaches PostgreSQL over a socket. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createHyperdrive, type EdgerestFetch, HopConfigError } from '../../worker/hyperdrive.ts';
import { createStandaloneDatabase, type StandaloneDatabase } from './database.ts';
import { requests } from './requests.ts';
import { type StandaloneWorker, startStandalone } from './workerd.ts';

let database: StandaloneDatabase;
beforeAll(async () => {
  database = await createStandaloneDatabase();
});
afterAll(() => database.drop());

const silent = { access: () => undefined, diagnostic: () => undefined };

describe('in Node', () => {
  let edgerest: EdgerestFetch;
  beforeAll(() => {
    edgerest = createHyperdrive({ bindings: { ...database.bindings, PGRST_DB_URI: database.loginUri }, log: silent });
  });
  requests(
    () => database,
    (target, init) => edgerest(new Request(`http://localhost${target}`, init)),
  );
});

describe.each(['through Hyperdrive', 'by itself'] as const)('in workerd, %s', (way) => {
  let worker: StandaloneWorker;
  beforeAll(async () => {
    const through = way === 'through Hyperdrive';
    const bindings = through ? database.bindings : { ...database.bindings, PGRST_DB_URI: database.loginUri };
    worker = await startStandalone('hyperdrive', bindings, { hyperdrive: through ? database.loginUri : null });
  });
  afterAll(() => worker.stop());
  requests(
    () => database,
    (target, init) => fetch(new URL(target, worker.url), init),
  );
});

describe('bindings', () => {
  const reported: unknown[] = [];
  const create = (bindings: Readonly<Record<string, string>>) => () =>
    createHyperdrive({ bindings, report: (error) => reported.push(error), log: silent });

  test.each([
    [{ PGRST_DB_MAX_ROWS: 'many' }, /PGRST_DB_MAX_ROWS is "many": it must be a whole number/],
    [{ PGRST_DB_POL: '3' }, /PGRST_DB_POL is not a parameter\. Did you mean PGRST_DB_POOL\?/],
    [{ PGRST_JWT_SECRET: '@secret.txt' }, /there are no files here/],
    [{ PGRST_JWT_ROLE_CLAIM_KEY: '$.' }, /PGRST_JWT_ROLE_CLAIM_KEY is .* a path like/],
    [{ EDGEREST_POOLER_URL: 'https://pooler.example.com' }, /EDGEREST_POOLER_URL is set/],
  ])('that are wrong stop it, with the words of the command line: %j', (bindings, words) => {
    reported.length = 0;
    expect(create(bindings)).toThrow(HopConfigError);
    expect(reported.join()).toMatch(words);
  });

  test('that name no database stop it', () => {
    expect(create({})).toThrow('There is neither PGRST_DB_URI nor the binding HYPERDRIVE.');
  });

  test('that lead nowhere are a 503 that says so, without the password', async () => {
    const edgerest = createHyperdrive({
      bindings: { ...database.bindings, PGRST_DB_URI: 'postgresql://nobody:the-secret@127.0.0.1:1/db' },
      report: (error) => reported.push(error),
      log: silent,
    });
    const response = await edgerest(new Request('http://localhost/item'));
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1']);
    const text = await response.text();
    expect(JSON.parse(text)).toMatchObject({ code: 'PGRST002', details: expect.stringMatching(/ECONNREFUSED/) });
    expect(text + reported.join()).not.toContain('the-secret');
  });
});
