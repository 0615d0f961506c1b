/** Who gets in at the driver's door: verified by PostgreSQL, again and again, and at what cost to others. */
import { neon, neonConfig } from '@neondatabase/serverless';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { uniqueName } from '../postgres.ts';
import { door } from './door.ts';

const open = door('logins', { size: 4 });

beforeAll(() => {
  neonConfig.fetchEndpoint = () => open.url;
});
afterEach(() => {
  vi.useRealTimers();
});

/** Only the clock goes on, so that what it says can be told to go faster. */
function later(milliseconds: number): void {
  if (!vi.isFakeTimers()) vi.useFakeTimers({ toFake: ['Date'] });
  vi.setSystemTime(Date.now() + milliseconds);
}

/** A role of its own for a test, and the connection string for it. */
async function somebody(
  password: string,
): Promise<{ readonly name: string; readonly uri: string; drop(): Promise<void> }> {
  const name = uniqueName('somebody');
  await open.database.sql.unsafe(`create role ${name} login password '${password}'`);
  return {
    name,
    uri: open.uri({ user: name, password }),
    drop: async () => {
      await open.database.sql`select pg_terminate_backend(pid) from pg_stat_activity where usename = ${name}`;
      await open.database.sql.unsafe(`drop role ${name}`);
    },
  };
}

const me = (uri: string) => neon(uri)`select current_user::text as me`;

/** The same from somewhere. Gives the error, where it is one. */
async function meFrom(network: string, uri: string): Promise<unknown> {
  const headers = { 'Neon-Connection-String': uri, 'X-Forwarded-For': network };
  const { json } = await open.ask({ query: 'select current_user::text as me' }, headers);
  return json.rows ?? { code: json.code, message: json.message };
}

describe('a refusal', () => {
  test('reads the same for an unknown user, a wrong password and a user who may not log in', async () => {
    const barred = uniqueName('barred');
    await open.database.sql.unsafe(`create role ${barred} nologin password 'right'`);
    const answers = await Promise.all(
      [
        { user: 'nobody_at_all', password: 'x' },
        { user: open.user, password: 'x' },
        { user: barred, password: 'right' },
      ].map(async ({ user, password }) => {
        const { status, json } = await open.ask(
          { query: 'select 1' },
          { 'Neon-Connection-String': open.uri({ user, password }) },
        );
        return [status, { ...json, message: String(json.message).replace(user, '…') }];
      }),
    );
    const [first] = answers;
    expect(first).toMatchObject([400, { code: '28P01', severity: 'FATAL', message: expect.stringContaining('"…"') }]);
    for (const answer of answers) expect(answer).toEqual(first);
    await open.database.sql.unsafe(`drop role ${barred}`);
  });

  test('of a database that there is not is told to those alone who may log in', async () => {
    await expect(me(open.uri({ database: 'nowhere' }))).rejects.toMatchObject({ code: '3D000' });
    await expect(me(open.uri({ database: 'nowhere', password: 'x' }))).rejects.toMatchObject({ code: '28P01' });
  });

  test('of a database that one may not connect to', async () => {
    await open.database.sql.unsafe(`revoke connect on database ${open.database.name} from public`);
    const other = await somebody('p');
    await expect(me(other.uri)).rejects.toMatchObject({ code: '42501' });
    await open.database.sql.unsafe(`grant connect on database ${open.database.name} to public`);
    await other.drop();
  });

  test('costs nothing of the body: it is not read', async () => {
    const { status } = await open.ask('no json', { 'Neon-Connection-String': open.uri({ password: 'x' }) });
    expect(status).toBe(400);
    expect((await open.ask('no json', { 'Neon-Connection-String': open.uri({ password: 'x' }) })).json.code).toBe(
      '28P01',
    );
  });
});

describe('a password', () => {
  test('that was wrong is right when it has been made so, after a moment', async () => {
    const other = await somebody('first');
    const uri = open.uri({ user: other.name, password: 'second' });
    await expect(me(uri)).rejects.toMatchObject({ code: '28P01' });
    await open.database.sql.unsafe(`alter role ${other.name} password 'second'`);
    await expect(me(uri)).rejects.toMatchObject({ code: '28P01' });
    later(10_001);
    expect(await me(uri)).toEqual([{ me: other.name }]);
    await other.drop();
  });

  test('that has been changed stops working within a minute, however busy its connections are', async () => {
    const other = await somebody('old');
    const { uri } = other;
    expect(await me(uri)).toEqual([{ me: other.name }]);
    await open.database.sql.unsafe(`alter role ${other.name} password 'new'`);
    for (let i = 0; i < 10; i++) {
      later(4900);
      expect(await me(uri)).toEqual([{ me: other.name }]);
    }
    later(6100);
    await expect(me(uri)).rejects.toMatchObject({ code: '28P01' });
    expect(await me(open.uri({ user: other.name, password: 'new' }))).toEqual([{ me: other.name }]);
    await other.drop();
  });

  test('that has expired stops working within a minute', async () => {
    const other = await somebody('p');
    expect(await me(other.uri)).toEqual([{ me: other.name }]);
    await open.database.sql.unsafe(`alter role ${other.name} valid until '2001-01-01'`);
    later(55_001);
    await expect(me(other.uri)).rejects.toMatchObject({ code: '28P01' });
    await other.drop();
  });

  test('that still holds goes on, on new connections', async () => {
    const other = await somebody('p');
    const pid = async () => (await neon(other.uri)`select pg_backend_pid() as pid`)[0]?.pid;
    const first = await pid();
    expect(await pid()).toBe(first);
    later(55_001);
    expect(await pid()).not.toBe(first);
    await other.drop();
  });

  test('does not give what another one has opened', async () => {
    const other = await somebody('right');
    await Promise.all(Array.from({ length: 4 }, () => me(other.uri)));
    await expect(me(open.uri({ user: other.name, password: 'wrong' }))).rejects.toMatchObject({ code: '28P01' });
    await other.drop();
  });
});

describe('many who give the same', () => {
  test('right password ask the server once', async () => {
    const other = await somebody('p');
    const before = open.pool.metrics().connects;
    const answers = await Promise.all(Array.from({ length: 200 }, () => me(other.uri)));
    expect(answers).toEqual(Array.from({ length: 200 }, () => [{ me: other.name }]));
    expect(open.pool.metrics().connects - before).toBeLessThanOrEqual(4);
    await other.drop();
  });

  test('wrong password too', async () => {
    const before = open.refused.length;
    const uri = open.uri({ user: uniqueName('unknown'), password: 'x' });
    const codes = await Promise.all(Array.from({ length: 200 }, () => me(uri).catch(({ code }) => code)));
    expect(new Set(codes)).toEqual(new Set(['28P01']));
    expect(open.refused.length - before).toBe(1);
  });

  test('password go on when one of them goes away', async () => {
    const other = await somebody('p');
    const controller = new AbortController();
    const aborted = neon(other.uri, { fetchOptions: { signal: controller.signal } })`select 1`.catch((error) => error);
    const asked = me(other.uri).then((rows) => rows);
    controller.abort();
    expect(await aborted).toBeInstanceOf(Error);
    expect(await asked).toEqual([{ me: other.name }]);
    await other.drop();
  });
});

describe('guessing', () => {
  test('takes little of the pool: those who are in go on', async () => {
    const mine = neon(open.uri());
    await mine`select 1`;
    const guesses = Array.from({ length: 20 }, (_, i) =>
      me(open.uri({ user: `guessed_${i}`, password: `guess-${i}` })).catch((error: { code: string }) => error.code),
    );
    const asked = Array.from({ length: 40 }, () => mine`select pg_sleep(0.001)`);
    await Promise.all(asked);
    expect(open.pool.metrics().refused['acquisition-timeout']).toBe(0);
    const codes = new Set(await Promise.all(guesses));
    expect([...codes]).toEqual(['28P01']);
  });

  test('from one network lets those of another one in', async () => {
    let refused = 0;
    const guesses = Array.from({ length: 30 }, (_, i) =>
      meFrom('there', open.uri({ user: `guesser_${i}`, password: 'x' })).then(() => refused++),
    );
    await expect.poll(() => refused).toBeGreaterThan(0);
    const other = await somebody('right');
    expect(await meFrom('here', other.uri)).toEqual([{ me: other.name }]);
    expect(refused).toBeLessThan(20);
    await Promise.all(guesses);
    await other.drop();
  });

  test('at one user is slowed down, for as long as it goes on, but nowhere else', async () => {
    const other = await somebody('right');
    const guess = (i: number) => meFrom('there', open.uri({ user: other.name, password: `guess-${i}` }));
    const before = open.refused.length;
    const guesses = await Promise.all(Array.from({ length: 40 }, (_, i) => guess(i)));
    expect(open.refused.length - before).toBeLessThan(30);
    expect(guesses).toContainEqual({ code: '53300', message: 'too many wrong passwords were tried for this user' });
    expect(await meFrom('there', other.uri)).toMatchObject({ code: '53300' });
    expect(await meFrom('here', other.uri)).toEqual([{ me: other.name }]);
    await open.database.sql`select pg_terminate_backend(pid) from pg_stat_activity where usename = ${other.name}`;
    later(56_000);
    expect(await meFrom('there', other.uri)).toEqual([{ me: other.name }]);
    await other.drop();
  });

  test('with one and the same wrong password asks the server once', async () => {
    const before = open.refused.length;
    const uri = open.uri({ user: uniqueName('unknown'), password: 'x' });
    for (let i = 0; i < 10; i++) await expect(me(uri)).rejects.toMatchObject({ code: '28P01' });
    expect(open.refused.length - before).toBe(1);
  });
});

test('nothing of all this was a mistake of ours', () => {
  expect(open.faults).toEqual([]);
});
