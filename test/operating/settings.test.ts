/** Settings of roles, functions and the login role, as requests find them. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { uniqueName } from '../postgres.ts';
import { type Answer, type Ask, ask, office, until } from './program.ts';

const db = office('settings');
const roles = {
  repeatable: uniqueName('settings_repeatable'),
  serializable: uniqueName('settings_serializable'),
  tuned: uniqueName('settings_tuned'),
} as const;
const names = Object.values(roles).join(', ');

let server: Awaited<ReturnType<typeof db.serve>>;
beforeAll(async () => {
  await db.database.sql
    .unsafe(
      `create role ${roles.repeatable}; alter role ${roles.repeatable} set default_transaction_isolation = 'repeatable read';
       create role ${roles.serializable}; alter role ${roles.serializable} set default_transaction_isolation = 'serializable';
       create role ${roles.tuned}; alter role ${roles.tuned} set statement_timeout = '300ms';
       alter role ${roles.tuned} set work_mem = '3000kB'; alter role ${roles.tuned} set log_min_duration_sample = '12345ms';
       grant ${names} to ${db.login};
       grant set on parameter log_min_duration_sample to ${db.login};
       create table seen (id int primary key, isolation text default current_setting('transaction_isolation'));
       create view now_at as select current_setting('transaction_isolation') as isolation;
       grant select, insert, update, delete on seen to ${names}; grant select on now_at to ${names}, ${db.anon};
       create function setting(name text) returns text language sql stable as 'select current_setting(name, true)';
       create function isolation() returns text language sql stable as $$ select current_setting('transaction_isolation') $$;
       create function serializable() returns text language sql stable
         set default_transaction_isolation = 'serializable' as $$ select current_setting('transaction_isolation') $$;
       create function with_both() returns item language sql stable set work_mem = '5000kB' set statement_timeout = '10s'
         as 'select i from item i limit 1';
       create function memory(item) returns text language sql stable as $$ select current_setting('work_mem') $$;
       create function timeout(item) returns text language sql stable as $$ select current_setting('statement_timeout') $$;
       create function in_time() returns void language sql volatile set statement_timeout = '20s' as 'select pg_sleep(0.4)';`,
    )
    .simple();
  server = await db.serve({ PGRST_SERVER_TIMING_ENABLED: 'true', PGRST_APP_SETTINGS_NAME: 'of the environment' });
});
afterAll(async () => {
  await db.database.sql
    .unsafe(`drop owned by ${names}; revoke set on parameter log_min_duration_sample from ${db.login}`)
    .simple();
  await db.database.sql.unsafe(`drop role ${names}`);
});

/** Asks as a role, or without a token. */
async function as(role: string | null, path: string, { headers, ...more }: Ask = {}): Promise<Answer> {
  const authorization = role === null ? {} : { authorization: `Bearer ${await db.token({ role })}` };
  return await ask(server.port, path, { ...more, headers: { ...headers, ...authorization } });
}

const representation = { prefer: 'return=representation', 'content-type': 'application/json' };

/** Waits until the schema cache has been loaded once more. */
async function reload(change: () => unknown): Promise<void> {
  const loads = (): number => server.process.said().split('Schema cache loaded').length;
  const before = loads();
  await change();
  await until(server.process, () => loads() > before);
}

describe('the isolation level', () => {
  test('is that of the role for reads', async () => {
    expect((await as(null, '/now_at')).text).toBe('[{"isolation":"read committed"}]');
    expect((await as(roles.repeatable, '/now_at')).text).toBe('[{"isolation":"repeatable read"}]');
    expect((await as(roles.serializable, '/now_at')).text).toBe('[{"isolation":"serializable"}]');
  });

  test('and for writes', async () => {
    await db.database.sql`delete from seen`;
    const body = { body: '{"id": 1}', headers: representation };
    const ways: readonly [string, Ask][] = [
      ['/seen?select=isolation', { method: 'POST', ...body }],
      ['/seen?select=isolation&id=eq.1', { method: 'PATCH', ...body }],
      ['/seen?select=isolation&id=eq.1', { method: 'DELETE', headers: representation }],
    ];
    for (const [path, way] of ways) {
      expect((await as(roles.serializable, path, way)).text).toBe('[{"isolation":"serializable"}]');
    }
  });

  test('is that of a function before the role’s', async () => {
    expect((await as(null, '/rpc/isolation')).text).toBe('"read committed"');
    expect((await as(roles.repeatable, '/rpc/isolation')).text).toBe('"repeatable read"');
    expect((await as(null, '/rpc/serializable')).text).toBe('"serializable"');
    expect((await as(roles.repeatable, '/rpc/serializable')).text).toBe('"serializable"');
  });
});

describe('settings of a role', () => {
  test('hold for its requests, those of a superuser too once the login role may set them', async () => {
    expect((await as(roles.tuned, '/rpc/setting?name=work_mem')).text).toBe('"3000kB"');
    expect((await as(roles.tuned, '/rpc/setting?name=log_min_duration_sample')).text).toBe('"12345ms"');
    expect((await as(null, '/rpc/setting?name=work_mem')).text).toBe('"4MB"');
  });

  test('bound its statements; the answer says what ended one, and how long it took', async () => {
    const late = await as(roles.tuned, '/rpc/nap', { method: 'POST', body: '{"seconds": 30}' });
    expect(late).toMatchObject({
      status: 500,
      headers: { 'proxy-status': 'PostgREST; error=57014' },
      text: '{"code":"57014","details":null,"hint":null,"message":"canceling statement due to statement timeout"}',
    });
    const slow = await as(null, '/rpc/nap', { method: 'POST', body: '{"seconds": 0.25}' });
    const [, duration] = /transaction;dur=([\d.]+)/.exec(String(slow.headers['server-timing'])) ?? [];
    expect(Number(duration)).toBeGreaterThanOrEqual(250);
  });
});

describe('settings of a function', () => {
  test('bound its statement instead of the role’s', async () => {
    expect(await as(null, '/rpc/slow', { method: 'POST' })).toMatchObject({
      status: 500,
      text: expect.stringContaining('57014'),
    });
    expect(await as(roles.tuned, '/rpc/in_time', { method: 'POST' })).toMatchObject({ status: 204, text: '' });
  });

  test.each([
    ['work_mem', '{"memory":"5000kB","timeout":"0"}'],
    ['statement_timeout', '{"memory":"4MB","timeout":"10s"}'],
    ['work_mem, statement_timeout', '{"memory":"5000kB","timeout":"10s"}'],
  ])('hold for the transaction as far as db-hoisted-tx-settings names them: %s', async (hoisted, expected) => {
    const { sql } = db.database;
    await reload(() =>
      sql.unsafe(`alter role ${db.login} set pgrst.db_hoisted_tx_settings = '${hoisted}'; notify pgrst`).simple(),
    );
    try {
      // Computed columns are asked for outside of the function.
      expect((await as(null, '/rpc/with_both?select=memory,timeout')).text).toBe(expected);
    } finally {
      await reload(() => sql.unsafe(`alter role ${db.login} reset all; notify pgrst`).simple());
    }
  });
});

describe('a reload', () => {
  test('interrupts no request, keeps app.settings, and what the login role has been given meanwhile holds', async () => {
    const { sql } = db.database;
    const timeout = async (): Promise<string> => (await as(null, '/rpc/setting?name=statement_timeout')).text;
    const naps = [0, 1].map(() => as(null, '/rpc/nap', { method: 'POST', body: '{"seconds": 1}' }));
    await until(server.process, async () => {
      const rows = await sql`select from pg_stat_activity where usename = ${db.login} and wait_event = 'PgSleep'`;
      return rows.length === 2;
    });
    try {
      await sql.unsafe(`alter role ${db.login} set statement_timeout = '700ms'`);
      await reload(() => server.process.child.kill('SIGUSR1'));
      expect((await Promise.all(naps)).map(({ text }) => text)).toEqual(['7', '7']);
      expect(await Promise.all([timeout(), timeout(), timeout()])).toEqual(['"700ms"', '"700ms"', '"700ms"']);
      expect((await as(null, '/rpc/nap', { method: 'POST', body: '{"seconds": 30}' })).text).toContain('57014');
    } finally {
      await sql.unsafe(`alter role ${db.login} reset all`);
      await reload(() => server.process.child.kill('SIGUSR1'));
    }
    expect(await timeout()).toBe('"0"');
    expect((await as(null, '/rpc/setting?name=app.settings.name')).text).toBe('"of the environment"');
  });
});
