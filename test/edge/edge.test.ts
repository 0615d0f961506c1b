/** `edgerest edge` as a program: its signals, and its hop. */
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { selfSigned } from '../certificate.ts';
import { freePort } from '../cluster.ts';
import { ask } from './client.ts';
import { createEdgeDatabase, type EdgeDatabase, poolerSecret } from './database.ts';
import { startProgram } from './program.ts';

let database: EdgeDatabase;

beforeAll(async () => {
  database = await createEdgeDatabase();
});
afterAll(() => database.drop());

const item = { method: 'GET', target: '/item?id=eq.7' };

test('SIGUSR1 loads the schema anew, SIGUSR2 the configuration with it', async () => {
  const program = await startProgram('edge', { ...database.variables, PGRST_DB_CHANNEL_ENABLED: 'false' });
  await database.sql`create table api.made_later (id int)`;
  const later = { method: 'GET', target: '/made_later' };
  expect((await ask(program.url, later)).status).toBe(404);
  process.kill(program.pid, 'SIGUSR1');
  await program.says('Schema cache loaded', 2);
  expect(await ask(program.url, later)).toMatchObject({ status: 200, text: '[]' });
  process.kill(program.pid, 'SIGUSR2');
  await program.says('Schema cache loaded', 3);
  expect((await ask(program.url, later)).status).toBe(200);
  expect(program.said()).not.toContain('Debugger');
  expect(await program.stop()).toBe(0);
});

test('a pooler that listens on all addresses is reached by its own worker', async () => {
  const program = await startProgram('edge', {
    ...database.variables,
    EDGEREST_POOLER_HOST: '*4',
    EDGEREST_POOLER_SECRET: poolerSecret,
    EDGEREST_BEHIND_PROXY: '1',
    EDGEREST_POOLER_PORT: '0',
  });
  expect(await ask(program.url, item)).toMatchObject({ status: 200, text: '[{"id":7,"name":"item 7"}]' });
  expect(await program.stop()).toBe(0);
});

test('a pooler with a certificate is reached by its own worker, and by others over TLS', async () => {
  const { certificate, key } = selfSigned('localhost');
  const folder = await mkdtemp(join(tmpdir(), 'edgerest-edge-'));
  await writeFile(join(folder, 'cert.pem'), certificate);
  await writeFile(join(folder, 'key.pem'), key);
  const port = await freePort();
  const program = await startProgram('edge', {
    ...database.variables,
    EDGEREST_POOLER_HOST: '*4',
    EDGEREST_POOLER_PORT: String(port),
    EDGEREST_POOLER_SECRET: poolerSecret,
    EDGEREST_POOLER_TLS_CERT: join(folder, 'cert.pem'),
    EDGEREST_POOLER_TLS_KEY: join(folder, 'key.pem'),
  });
  expect(await ask(program.url, item)).toMatchObject({ status: 200, text: '[{"id":7,"name":"item 7"}]' });
  const [answer] = await once(
    get({ host: '127.0.0.1', port, path: '/v1/live', ca: certificate, servername: 'localhost' }),
    'response',
  );
  expect(answer.statusCode).toBe(200);
  answer.resume();
  expect(await program.stop()).toBe(0);
  await rm(folder, { recursive: true });
});

test.runIf(existsSync('/proc/self/task'))('it ends with an error when workerd ends by itself', async () => {
  const program = await startProgram('edge', database.variables);
  const children = (await readFile(`/proc/${program.pid}/task/${program.pid}/children`, 'utf8')).trim().split(' ');
  const names = await Promise.all(children.map((pid) => readFile(`/proc/${pid}/comm`, 'utf8')));
  process.kill(Number(children[names.indexOf('workerd\n')]), 'SIGKILL');
  expect(await program.ended).toBe(1);
  expect(program.said()).toContain('workerd ended by itself');
});
