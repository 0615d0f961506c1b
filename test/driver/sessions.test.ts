/** The unmodified driver over WebSockets: Pool and Client. */
import { Client, types } from '@neondatabase/serverless';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Door, openDoor } from '../../pooler/driver/session/door.fixture.ts';

let door: Door;

beforeAll(async () => {
  door = await openDoor({
    script: `create table app.item (id int primary key generated always as identity, name text not null unique, n int);
      alter table app.item owner to USER;`,
  });
});
afterAll(async () => {
  expect(door.faults).toEqual([]);
  await door.close();
});

beforeEach(() => door.database.sql`truncate app.item`);
afterEach(() => door.cut());

describe.each(['password', false] as const)('pipelineConnect: %s', (pipelineConnect) => {
  const connected = async (): Promise<Client> => {
    const client = new Client(door.uri);
    client.on('error', () => undefined);
    client.neonConfig.wsProxy = () => `127.0.0.1:${door.port}/v2`;
    client.neonConfig.pipelineConnect = pipelineConnect;
    await client.connect();
    return client;
  };

  test('values of all kinds, there and back', async () => {
    const client = await connected();
    const at = new Date('2026-02-03T04:05:06.789Z');
    const bytes = Buffer.from([0, 1, 255, 92]);
    const { rows, fields } = await client.query(
      `select $1::bool as flag, $2::int2 as small, $3::int8 as big, $4::float8 as double, $5::numeric as numeric, $6::text as text,
        $7::text as nothing, $8::bytea as bytes, $9::timestamptz as at, $10::jsonb as json, $11::int[] as ints, $12::text[] as texts`,
      [
        true,
        1,
        '9007199254740993',
        0.1,
        '1.10',
        'é"\\\n',
        null,
        bytes,
        at,
        { a: [1, 'x', null] },
        [1, 2, null],
        ['a"b', null, ''],
      ],
    );
    expect(rows).toEqual([
      {
        flag: true,
        small: 1,
        big: '9007199254740993',
        double: 0.1,
        numeric: '1.10',
        text: 'é"\\\n',
        nothing: null,
        bytes,
        at,
        json: { a: [1, 'x', null] },
        ints: [1, 2, null],
        texts: ['a"b', null, ''],
      },
    ]);
    expect(fields[7]?.dataTypeID).toBe(types.builtins.BYTEA);
    await client.end();
  });

  test('errors have all their fields, and the session goes on', async () => {
    const client = await connected();
    await client.query("insert into item (name) values ('taken') on conflict do nothing");
    await expect(client.query('insert into item (name) values ($1)', ['taken'])).rejects.toMatchObject({
      code: '23505',
      severity: 'ERROR',
      schema: 'app',
      table: 'item',
      constraint: 'item_name_key',
      detail: 'Key (name)=(taken) already exists.',
    });
    await expect(client.query('select wrong')).rejects.toMatchObject({ code: '42703', position: '8' });
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    await client.end();
  });

  test('transactions', async () => {
    const client = await connected();
    await client.query('begin isolation level serializable');
    const { rows } = await client.query('insert into item (name) values ($1) returning id', ['in a transaction']);
    await client.query('savepoint s');
    await expect(client.query('select 1 / 0')).rejects.toMatchObject({ code: '22012' });
    await expect(client.query('select 1')).rejects.toMatchObject({ code: '25P02' });
    await client.query('rollback to s');
    await client.query('commit');
    expect((await client.query('delete from item where id = $1', [rows[0]?.id])).rowCount).toBe(1);
    await client.query('begin');
    await client.query("insert into item (name) values ('rolled back')");
    await client.query('rollback');
    expect((await client.query("select from item where name = 'rolled back'")).rowCount).toBe(0);
    await client.end();
  });

  test('queries that are sent without waiting are answered in order', async () => {
    const client = await connected();
    const asked = Array.from({ length: 100 }, (_, i) =>
      i % 10 === 9
        ? client.query('select $1::int / 0', [i]).then(
            () => 'no error',
            (error: unknown) => Reflect.get(Object(error), 'code'),
          )
        : client
            .query({ name: `n${i % 3}`, text: `select $1::int as n, ${i % 3}`, values: [i] })
            .then(({ rows }) => rows[0].n),
    );
    expect(await Promise.all(asked)).toEqual(asked.map((_, i) => (i % 10 === 9 ? '22012' : i)));
    await client.end();
  });

  test('a wrong password', async () => {
    const client = new Client(door.uri.replace(encodeURIComponent(door.password), 'wrong'));
    client.on('error', () => undefined);
    client.neonConfig.wsProxy = () => `127.0.0.1:${door.port}/v2`;
    client.neonConfig.pipelineConnect = pipelineConnect;
    const told = client.connect().then(() => client.query('select 1'));
    await expect(told).rejects.toMatchObject({ code: '28P01', severity: 'FATAL' });
  });
});

test('5 MB there and back, while others go on', async () => {
  const clients = await Promise.all([door.client(), door.client(), door.client()]);
  const bytes = Buffer.alloc(5 * 1024 * 1024, 'large');
  const [mine, , rows] = await Promise.all([
    clients[0]?.query('select $1::bytea as b', [bytes]),
    clients[1]?.query("select repeat('x', 1000) from generate_series(1, 5000)"),
    clients[2]?.query('select i from generate_series(1, 200000) i'),
    ...Array.from({ length: 50 }, () => door.query('select 1')),
  ]);
  expect(bytes.equals(mine?.rows[0].b)).toBe(true);
  expect(rows?.rowCount).toBe(200_000);
  await Promise.all(clients.map((client) => client.end()));
});

test('large objects, in a transaction', async () => {
  const client = await door.client();
  const bytes = Buffer.alloc(1024 * 1024, 'large object');
  await client.query('begin');
  const { rows } = await client.query('select lo_from_bytea(0, $1) as id', [bytes]);
  const opened = await client.query('select lo_open($1, 262144) as fd', [rows[0].id]);
  const read = await client.query('select loread($1, 1048576) as b', [opened.rows[0].fd]);
  expect(bytes.equals(read.rows[0].b)).toBe(true);
  await client.query('select lo_unlink($1)', [rows[0].id]);
  await client.query('commit');
  await client.end();
});

test('a client that does not read holds back the server, not the door’s memory', async () => {
  const client = await door.client();
  const socket: unknown = Reflect.get(Reflect.get(client, 'connection').stream, 'ws');
  const pause: unknown = Reflect.get(Object(socket), 'pause');
  const resume: unknown = Reflect.get(Object(socket), 'resume');
  if (typeof pause !== 'function' || typeof resume !== 'function') throw new Error('no socket');
  await client.query('select 1');
  const before = process.memoryUsage.rss();
  const asked = client.query("select repeat('x', 1000000) as x from generate_series(1, 200)");
  // The driver sends in its next turn.
  await new Promise((resolve) => setTimeout(resolve, 20));
  pause.call(socket);
  const waits = () =>
    door.database.sql`select from pg_stat_activity where usename = ${door.user} and wait_event = 'ClientWrite'`;
  while ((await waits()).length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(process.memoryUsage.rss() - before).toBeLessThan(100 * 1024 * 1024);
  resume.call(socket);
  expect((await asked).rows).toHaveLength(200);
  await client.end();
});

describe('Pool', () => {
  test('many clients over few connections', async () => {
    const pool = door.clients(40);
    const answers = await Promise.all(
      Array.from({ length: 400 }, (_, i) => pool.query('select $1::int as i, pg_sleep(0.001)', [i])),
    );
    expect(answers.map(({ rows }) => rows[0].i)).toEqual(answers.map((_, i) => i));
    const client = await pool.connect();
    await client.query('begin');
    await client.query('commit');
    client.release();
    await pool.end();
  });
});
