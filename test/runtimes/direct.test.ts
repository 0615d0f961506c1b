/** Deno and Bun without a pooler in between: the worker that asks the database itself, and the driver of the driver endpoint. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { killAll } from '../../pooler/cli/program.fixture.ts';
import { createStandaloneDatabase, type StandaloneDatabase } from '../standalone/database.ts';
import { startEndpoint } from '../standalone/endpoint.ts';
import { requests } from '../standalone/requests.ts';
import { type Api, commandFor, programOf, RUNTIMES, startApi, titleOf } from './runtime.ts';

let database: StandaloneDatabase;
let endpoint: string;
beforeAll(async () => {
  database = await createStandaloneDatabase();
  await database.sql.unsafe(`create table note (id int primary key generated always as identity, text text);
    alter table note owner to ${database.login}`);
  endpoint = `127.0.0.1:${await startEndpoint(database)}`;
});
afterAll(async () => {
  killAll();
  await database.drop();
});

const execute = promisify(execFile);

describe.each(RUNTIMES)('%s', (runtime) => {
  describe.skipIf(programOf(runtime) === null)(titleOf(runtime), () => {
    describe.each(['neon', 'hyperdrive'] as const)('the worker over %s', (backend) => {
      let api: Api;
      beforeAll(async () => {
        api = await startApi(runtime, backend, {
          ...database.bindings,
          PGRST_DB_URI: database.loginUri,
          ...(backend === 'neon' ? { EDGEREST_SQL_URL: `http://${endpoint}/sql` } : {}),
        });
      });
      afterAll(() => api.stop());
      requests(
        () => database,
        (target, init) => fetch(new URL(target, api.url), init),
      );
    });

    describe('the driver', () => {
      beforeEach(() => database.sql`truncate note`);

      test('asks over HTTP and over a WebSocket', async () => {
        const script = fileURLToPath(new URL('./driver.ts', import.meta.url));
        const env = { ...process.env, DATABASE: database.loginUri, ENDPOINT: endpoint };
        const { stdout } = await execute(...commandFor(runtime, script, []), { env });
        const byHttp = { text: 'by HTTP' };
        expect(JSON.parse(stdout)).toEqual({
          http: {
            row: [{ int: 7, text: 'é"\\', bytes: { type: 'Buffer', data: [0, 255] }, nothing: null }],
            batch: [[], [byHttp]],
            error: '22012',
          },
          socket: {
            inside: [byHttp, { text: 'by WebSocket' }],
            error: '22012',
            several: [{ n: 1 }, { n: 2 }, { n: 3 }],
            after: [
              { text: 'by HTTP', length: 7 },
              { text: 'xxxxxxxxx', length: 300_000 },
            ],
          },
        });
      });
    });
  });
});
