/** The driver's door in the programs: what opens it, what it takes, and how it closes. */
import { writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type NeonQueryFunction, neon, neonConfig } from '@neondatabase/serverless';
import { describe, expect, test } from 'vitest';
import { selfSigned } from '../certificate.ts';
import { ask, type Process, portOf, says } from '../operating/program.ts';
import { uniqueName } from '../postgres.ts';
import { programs } from './program.ts';

const open = programs('opened');
const { user } = open;
const SECRET = 'x'.repeat(32);

interface Opened {
  readonly sql: NeonQueryFunction<false, false>;
  readonly process: Process;
}

async function opened(
  env: Record<string, string> = {},
  command: 'serve' | 'pooler' | 'edge' = 'serve',
): Promise<Opened> {
  const { process, port } = await open.opened({ EDGEREST_POOLER_SECRET: SECRET, ...env }, command);
  neonConfig.fetchEndpoint = () => `http://127.0.0.1:${port}/sql`;
  return { sql: neon(open.uri()), process };
}

test.each(['serve', 'pooler', 'edge'] as const)(
  '%s opens it, and answers what was accepted before it ends',
  async (command) => {
    const { sql, process } = await opened({}, command);
    expect(await sql`select current_user::text as me`).toEqual([{ me: user }]);
    // The driver sends nothing before somebody waits for the answer.
    const slow = sql`select pg_sleep(0.5), 'answered' as what`.then((rows) => rows);
    const begun = () => open.database.sql`select from pg_stat_activity where usename = ${user} and state = 'active'`;
    while ((await begun()).length === 0) await sleep(10);
    process.child.kill('SIGTERM');
    expect(await slow).toMatchObject([{ what: 'answered' }]);
    expect(await process.exited).toBe(0);
  },
);

test("with the pooler's certificate it speaks TLS, and may be opened to the world", async () => {
  const { certificate, key } = selfSigned('localhost');
  const [cert, keyFile] = [join(open.folder, 'door.crt'), join(open.folder, 'door.key')];
  await writeFile(cert, certificate);
  await writeFile(keyFile, key);
  const env = { EDGEREST_DRIVER_PORT: '0', EDGEREST_POOLER_TLS_CERT: cert, EDGEREST_POOLER_TLS_KEY: keyFile };
  const process = open.start('serve', { ...env, EDGEREST_DRIVER_HOST: '0.0.0.0' });
  const place = /Driver endpoint listening on 0\.0\.0\.0:(\d+)/;
  await says(process, place);
  const port = Number(place.exec(process.said())?.[1]);
  const answer = await new Promise<string>((resolve, reject) => {
    const headers = { 'Neon-Connection-String': open.uri() };
    const options = {
      host: '127.0.0.1',
      port,
      path: '/sql',
      method: 'POST',
      headers,
      ca: certificate,
      servername: 'localhost',
    };
    const asked = request(options, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve(text));
    });
    asked.on('error', reject).end('{"query":"select 1 as one"}');
  });
  expect(JSON.parse(answer)).toMatchObject({ rows: [{ one: 1 }] });
});

test('it stays closed where no port is given', async () => {
  const { process } = await open.serve();
  expect(process.said()).not.toContain('Driver endpoint');
});

test('beyond loopback it wants TLS, or to be told that a proxy has it', async () => {
  const env = { EDGEREST_DRIVER_PORT: '0', EDGEREST_DRIVER_HOST: '0.0.0.0' };
  const refused = open.start('serve', env);
  expect(await refused.exited).toBe(1);
  expect(refused.said()).toContain('EDGEREST_DRIVER_HOST is 0.0.0.0: beyond loopback the pooler needs TLS');
  await says(
    open.start('serve', { ...env, EDGEREST_BEHIND_PROXY: '1' }),
    /Driver endpoint listening on 0\.0\.0\.0:\d+/,
  );
});

describe('the parameters', () => {
  test('EDGEREST_DRIVER_MAX_RESPONSE_SIZE', async () => {
    const { sql } = await opened({ EDGEREST_DRIVER_MAX_RESPONSE_SIZE: '2000' });
    await expect(sql`select repeat('x', 3000)`).rejects.toThrow('507');
    expect(await sql`select 1 as one`).toEqual([{ one: 1 }]);
  });

  test('EDGEREST_DRIVER_TARGETS and EDGEREST_DRIVER_DATABASES', async () => {
    const { host } = new URL(open.database.uri);
    const { sql } = await opened({ EDGEREST_DRIVER_TARGETS: `main=${host}`, EDGEREST_DRIVER_DATABASES: 'other' });
    await expect(sql`select 1`).rejects.toMatchObject({ code: '08004' });
    const named = neon(open.uri().replace(host, 'main'));
    await expect(named`select 1`).rejects.toMatchObject({ code: '3D000' });
  });

  test('EDGEREST_SESSION_RESET: what a view leaves behind', async () => {
    const left = uniqueName('left');
    await open.database.sql.unsafe(`
      create function ${left}_leave() returns text language sql as $$ select set_config('left.behind', 'x', false) $$;
      create view ${left} as select ${left}_leave() as set;
      grant select on ${left} to ${user};`);
    for (const [mode, value] of [
      ['off', 'x'],
      ['full', ''],
    ] as const) {
      const { sql, process } = await opened({ EDGEREST_SESSION_RESET: mode, PGRST_DB_POOL: '1' });
      expect(await sql.query(`select * from ${left}`)).toEqual([{ set: 'x' }]);
      expect(await sql`select current_setting('left.behind', true) as value`, mode).toEqual([{ value }]);
      // Whatever is called by name is cleaned up after.
      await sql`select set_config('left.behind', 'y', false)`;
      expect(await sql`select coalesce(current_setting('left.behind', true), '') as value`).toEqual([{ value: '' }]);
      process.child.kill('SIGTERM');
      await process.exited;
    }
    await open.database.sql.unsafe(`drop view ${left}; drop function ${left}_leave()`);
  });

  test('a target that is none', async () => {
    const process = open.start('serve', { EDGEREST_DRIVER_PORT: '0', EDGEREST_DRIVER_TARGETS: 'postgresql://h' });
    expect(await process.exited).toBe(1);
    expect(process.said()).toContain(
      'EDGEREST_DRIVER_TARGETS is "postgresql://h": it must be servers with commas between',
    );
  });
});

test('the API and the driver share db-pool, and neither keeps the other out', async () => {
  const { sql, process } = await opened({ PGRST_DB_POOL: '2' });
  const api = `http://127.0.0.1:${await portOf(process, 'API server')}/item?select=id`;
  await open.database.sql.unsafe(`grant usage on schema public to ${open.anon}`);
  const slow = Array.from({ length: 20 }, () => sql`select pg_sleep(0.02)`.then(() => 200));
  const asked = Array.from({ length: 20 }, async () => (await fetch(api)).status);
  expect(new Set(await Promise.all([...slow, ...asked]))).toEqual(new Set([200]));
  const [row] = await open.database.sql`select count(*)::int from pg_stat_activity where usename = ${user}`;
  expect(row?.count).toBeLessThanOrEqual(2);
});

test('the log and the metrics tell of it, and no password is in them', async () => {
  const env = { PGRST_ADMIN_SERVER_PORT: '0', PGRST_LOG_LEVEL: 'debug' };
  const { sql, process } = await opened(env);
  await sql`select 1`;
  const stranger = neon(open.database.uriAs(user, 'guessed-password'));
  await expect(stranger`select 1`).rejects.toMatchObject({ code: '28P01' });
  await says(
    process,
    new RegExp(`The driver endpoint did not let in "${user}" to the database "${open.database.name}": `),
  );
  const { text } = await ask(await portOf(process, 'Admin server'), '/metrics');
  expect(text).toContain('edgerest_driver_answers_total{status="200"} 1\n');
  expect(text).toContain('edgerest_driver_answers_total{status="400"} 1\n');
  expect(text).toContain('edgerest_driver_logins_refused_total 1\n');
  expect(text + process.said() + process.out()).not.toMatch(/guessed-password|:own@/);
  expect(process.said()).not.toContain('Cannot connect to the database');
});
