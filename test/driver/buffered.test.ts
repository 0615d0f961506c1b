/** What answers that nobody reads cost: memory for a bounded number of them, and the others are refused. */
import { readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { killAll } from '../../pooler/cli/program.fixture.ts';
import { office, portOf } from '../operating/program.ts';
import { uniqueName } from '../postgres.ts';
import { door } from './door.ts';

const MB = 1024 * 1024;
/** A megabyte of rows so many times. */
const megabytes = (count: number): string =>
  `select repeat('x', 1000) as x, $1::text as param from generate_series(1, ${count * 1024})`;

interface Answer {
  readonly socket: Socket;
  readonly status: number;
  /** Reads the rest. Gives how many bytes the body has, and how many it should have. */
  rest(): Promise<{ readonly length: number; readonly announced: number }>;
}

/** Asks, and reads no more of the answer than its beginning. */
async function begin(port: number, uri: string, query: string, params: readonly string[] = ['']): Promise<Answer> {
  const socket = connect(port, '127.0.0.1');
  const body = JSON.stringify({ query, params });
  socket.write(
    `POST /sql HTTP/1.1\r\nHost: x\r\nConnection: close\r\nNeon-Connection-String: ${uri}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
  const start = await new Promise<Buffer>((resolve, reject) => {
    socket.once('error', reject).once('data', (chunk: Buffer) => {
      socket.pause();
      resolve(chunk);
    });
  });
  const head = start.toString('latin1', 0, start.indexOf('\r\n\r\n'));
  return {
    socket,
    status: Number(head.split(' ')[1]),
    rest: () =>
      new Promise((resolve, reject) => {
        let length = start.length - head.length - 4;
        socket.on('data', (chunk: Buffer) => {
          length += chunk.length;
        });
        socket.once('end', () => resolve({ length, announced: Number(/content-length: (\d+)/i.exec(head)?.[1]) }));
        socket.once('error', reject).resume();
      }),
  };
}

describe('answers that nobody reads', () => {
  const open = door('buffered', { maxBuffered: 40 * MB, size: 2 });

  test('leave room for those of others, and more when they are read or given up', async () => {
    const other = uniqueName('other');
    await open.database.sql.unsafe(`create role ${other} login password 'p'`);
    for (const end of ['read', 'given up'] as const) {
      // What the system keeps for the socket is a few megabytes at most.
      const first = await begin(open.port, open.uri(), megabytes(15));
      expect(first.status).toBe(200);
      const refused = await open.ask({ query: megabytes(15), params: [''] });
      expect(refused).toMatchObject({
        status: 507,
        json: { code: '53400', message: expect.stringContaining('memory') },
      });
      const theirs = { 'Neon-Connection-String': open.uri({ user: other, password: 'p' }) };
      expect((await open.ask({ query: megabytes(4), params: [''] }, theirs)).status).toBe(200);
      // What is small always has room.
      expect((await open.ask({ query: 'select 1' })).status).toBe(200);
      if (end === 'read') {
        const { length, announced } = await first.rest();
        expect(length).toBe(announced);
      } else first.socket.destroy();
      await expect.poll(async () => (await open.ask({ query: megabytes(15), params: [''] })).status).toBe(200);
    }
    await open.database.sql`select pg_terminate_backend(pid) from pg_stat_activity where usename = ${other}`;
    await open.database.sql.unsafe(`drop role ${other}`);
  });

  test('leave no room for a large request: nothing of it is done', async () => {
    await open.database.sql.unsafe(`create table done (what text); grant all on done to ${open.user}`);
    const first = await begin(open.port, open.uri(), megabytes(15));
    const insert = { query: 'insert into done values ($1)', params: ['x'.repeat(15 * MB)] };
    expect(await open.ask(insert)).toMatchObject({ status: 503, json: { code: '53400' } });
    await first.rest();
    expect(await open.database.sql`select from done`).toHaveLength(0);
    await expect.poll(async () => (await open.ask(insert)).status).toBe(200);
  });

  test('are no mistake of ours', () => {
    expect(open.faults).toEqual([]);
  });
});

describe('a program', () => {
  const open = office('buffered');
  const user = uniqueName('buffered_user');
  beforeAll(async () => {
    await open.database.sql.unsafe(`create role ${user} login password 'own'`);
  });
  afterAll(async () => {
    await open.database.sql.unsafe(`drop role ${user}`);
  });
  afterEach(killAll);

  test('keeps within EDGEREST_DRIVER_MAX_BUFFERED, however many clients do not read', async () => {
    const server = open.start('serve', {
      PGRST_DB_POOL: '4',
      PGRST_DB_POOL_ACQUISITION_TIMEOUT: '60',
      EDGEREST_DRIVER_PORT: '0',
      EDGEREST_DRIVER_MAX_BUFFERED: String(64 * MB),
    });
    const port = await portOf(server, 'Driver endpoint');
    const uri = open.database.uriAs(user, 'own');
    const answers = await Promise.all(Array.from({ length: 30 }, () => begin(port, uri, megabytes(15))));
    const memory = await readFile(`/proc/${server.child.pid}/status`, 'utf8').catch(() => '');
    const statuses = answers.map(({ status }) => status);
    for (const { socket } of answers) socket.destroy();
    expect(new Set(statuses)).toEqual(new Set([200, 507]));
    expect(Number(/VmHWM:\s*(\d+) kB/.exec(memory)?.[1] ?? 0) * 1024).toBeLessThan(400 * MB);
  });
});
