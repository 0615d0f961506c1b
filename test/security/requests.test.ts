/**
 * What is HTTP in name only, on real sockets, to the API and to the pooler's door: refused with one answer and a closed connection, within
 * bounds of time and memory. What comes behind it on the connection is never taken for a request.
 */
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import type { Program } from '../edge/program.ts';
import { question, token } from '../faults/http/questions.ts';
import { Random } from '../faults/random.ts';
import { place, portOf } from './place.ts';

const made = place('shapes');
const servers = ['serve', 'pooler'] as const;

/** Writes and reads until the server closes the connection. */
function exchange(port: number, ...chunks: readonly (string | Buffer)[]): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      text += chunk;
    });
    // A server that closes while it is being written to may reset the connection.
    socket.on('error', () => undefined).on('close', () => resolve(text));
    for (const chunk of chunks) socket.write(chunk, 'latin1');
  });
}

/** A request that would be answered, and with it whoever took it for one would tell. */
const SECOND = 'GET /v1/live HTTP/1.1\r\nHost: x\r\nX-Second: 1\r\n\r\n';
const post = (headers: string, body = ''): string => `POST /ledger HTTP/1.1\r\nHost: x\r\n${headers}\r\n\r\n${body}`;
const get = (headers: string, target = '/'): string => `GET ${target} HTTP/1.1\r\nHost: x\r\n${headers}\r\n\r\n`;

const smuggling: readonly (readonly [string, string])[] = [
  ['a length and chunks', post('Content-Length: 4\r\nTransfer-Encoding: chunked', '0\r\n\r\n')],
  ['chunks and a length', post('Transfer-Encoding: chunked\r\nContent-Length: 4', '0\r\n\r\n')],
  ['two lengths', post('Content-Length: 4\r\nContent-Length: 5', '{}  ')],
  ['the same length twice', post('Content-Length: 4\r\nContent-Length: 4', '{}  ')],
  ['a list of lengths', post('Content-Length: 4, 4', '{}  ')],
  ['a length with a sign', post('Content-Length: +4', '{}  ')],
  ['a negative length', post('Content-Length: -4', '{}  ')],
  ['a hexadecimal length', post('Content-Length: 0x4', '{}  ')],
  ['an endless length', post(`Content-Length: ${'9'.repeat(40)}`, '{}  ')],
  ['a coding that is none', post('Transfer-Encoding: xchunked', '0\r\n\r\n')],
  ['chunked not as the last coding', post('Transfer-Encoding: chunked, identity', '0\r\n\r\n')],
  ['a space before the colon', post('Transfer-Encoding : chunked', '0\r\n\r\n')],
  ['a header line that goes on in the next one', post('Transfer-Encoding:\r\n chunked', '0\r\n\r\n')],
  ['a first header that is a continuation', get(' X: 1')],
  ['a line feed alone', 'GET / HTTP/1.1\nHost: x\n\n'],
  ['a carriage return alone', get('X: 1\rY: 2')],
  ['a NUL in a header', get('X: a\0b')],
  ['a NUL in the target', get('X: 1', '/ledger\0')],
  ['a header without a colon', get('Nonsense')],
  ['a header without a name', get(': 1')],
  ['a chunk whose size is none', post('Transfer-Encoding: chunked', 'xyz\r\n{}\r\n0\r\n\r\n')],
  ['a chunk longer than it says', post('Transfer-Encoding: chunked', '2\r\n{}{}\r\n0\r\n\r\n')],
  ['a chunk whose size has no end', post('Transfer-Encoding: chunked', `${'f'.repeat(100)}\r\n`)],
  ['a version that is none', 'GET / HTTP/9.9\r\nHost: x\r\n\r\n'],
  ['a method that is none', 'G(T / HTTP/1.1\r\nHost: x\r\n\r\n'],
];

const floods: readonly (readonly [string, string])[] = [
  ['a URL of 200 KB', get('X: 1', `/${'a'.repeat(200_000)}`)],
  ['a header of 200 KB', get(`X: ${'a'.repeat(200_000)}`)],
  ['100,000 headers', get(Array.from({ length: 100_000 }, (_, i) => `X-${i}: ${i}`).join('\r\n'))],
  ['a header without an end', `GET / HTTP/1.1\r\nX: ${'a'.repeat(1_000_000)}`],
  ['a chunk extension of 1 MB', post('Transfer-Encoding: chunked', `2;${'x'.repeat(1_000_000)}\r\n{}\r\n0\r\n\r\n`)],
];

/** What both answer to anybody. */
const LIVE = 'GET /v1/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';

/** The status lines of all answers. */
const statuses = (text: string): readonly string[] => text.match(/HTTP\/1\.1 \d{3}(?= )/g) ?? [];

const memoryOf = async (pid: number): Promise<number> =>
  Number(/^VmRSS:\s+(\d+) kB/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;

const MEGABYTE = 1024 * 1024;

describe.each(servers)('%s', (which) => {
  const port = (): number => portOf(made()[which]);

  test.each(smuggling)('%s', async (_, bytes) => {
    const answer = await exchange(port(), bytes, SECOND);
    // Without the secret the pooler has refused the request before it reads the body.
    expect(statuses(answer).join()).toMatch(which === 'serve' ? /^HTTP\/1\.1 400$/ : /^(HTTP\/1\.1 40[01])?$/);
    if (answer !== '') expect(answer).toMatch(/connection: close/i);
    expect(answer).not.toMatch(/\bat .+:\d+|\.ts\b|HPE_/);
  });

  test.each(floods)('%s', async (_, bytes) => {
    const answer = await exchange(port(), bytes, SECOND);
    expect(statuses(answer).length).toBeLessThanOrEqual(1);
    if (answer !== '') expect(answer).toMatch(/^HTTP\/1\.1 4(00|01|08|13|14|31) /);
    expect(await exchange(port(), LIVE)).toMatch(/^HTTP\/1\.1 (200|404)/);
  });
});

// The limit of node:http, 15 seconds for the head of a request, is looked after every 5 seconds.
test('clients that are slow are let go, hold nothing, and are in nobody’s way', { timeout: 60_000 }, async () => {
  await Promise.all([made().serve, made().pooler].map(besieged));
});

async function besieged(program: Program): Promise<void> {
  const { database, names } = made();
  const port = portOf(program);
  const before = process.platform === 'linux' ? await memoryOf(program.pid) : 0;
  const answers = Array.from({ length: 300 }, () => exchange(port, 'GET /me HTTP/1.1\r\nHost: x\r\nX-Slow: '));
  // A body that does not come holds its connection for five minutes at the most, and none of the database's.
  const bodies = Array.from({ length: 100 }, () => {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined);
    socket.write(post(`Authorization: Bearer ${token({ role: names.roles[0] })}\r\nContent-Length: 1000`, '{"nonce":'));
    return socket;
  });
  expect(await exchange(port, LIVE)).toMatch(/^HTTP\/1\.1 (200|404)/);
  const active = await database.sql`select from pg_stat_activity where usename = ${names.login} and state <> 'idle'`;
  expect(active).toEqual([]);
  if (before > 0) expect((await memoryOf(program.pid)) - before).toBeLessThan(64 * MEGABYTE);
  const refused = (await Promise.all(answers)).map((answer) => statuses(answer).join());
  expect(new Set(refused)).toEqual(new Set(['HTTP/1.1 408']));
  for (const socket of bodies) socket.destroy();
}

describe('what is no request, behind one that is,', () => {
  const garbage = 'G(T / HTTP/1.1\r\n\r\n';
  const asked = (target: string, headers = ''): string =>
    `GET ${target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token({ role: made().names.roles[0] })}\r\n${headers}\r\n`;

  test('is refused when that has been answered', async () => {
    const socket = connect(portOf(made().serve), '127.0.0.1').setEncoding('latin1');
    let text = '';
    const closed = new Promise((resolve) => socket.on('close', resolve));
    socket.on('data', (chunk: string) => {
      text += chunk;
      if (statuses(text).length === 1 && text.includes('mine')) socket.write(garbage);
    });
    socket.write(asked('/rpc/whoami?nonce=mine'));
    await closed;
    expect(statuses(text)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 400']);
  });

  test('does not keep that from its answer, and has none in its place or in the middle of it', async () => {
    const { names, database, serve } = made();
    const bearer = token({ role: names.roles[0], nonce: 'n' });
    const body = '{"nonce":"piped","seconds":0.2}';
    const head = `Host: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nAuthorization: Bearer ${bearer}`;
    const nap = `POST /rpc/nap HTTP/1.1\r\n${head}\r\n\r\n${body}`;
    expect(statuses(await exchange(portOf(serve), nap, garbage))).toEqual(['HTTP/1.1 200']);
    const two = asked('/rpc/whoami?nonce=x') + asked('/rpc/whoami?nonce=x');
    expect(statuses(await exchange(portOf(serve), two + garbage))).toEqual(['HTTP/1.1 200', 'HTTP/1.1 200']);
    const running = () =>
      database.sql`select from pg_stat_activity where usename = ${names.login} and state = 'active'`;
    expect(await running()).toEqual([]);
    const large = await exchange(portOf(serve), asked('/rpc/whoami?nonce=x&size=20000000'), garbage);
    expect(statuses(large)).toEqual(['HTTP/1.1 200']);
    expect(large.length).toBeGreaterThan(20_000_000);
  });

  test('does not hold the connection open when its client goes away', async () => {
    const { names, database, serve } = made();
    const socket = connect(portOf(serve), '127.0.0.1').on('error', () => undefined);
    socket.write(asked('/rpc/hold?seconds=600') + garbage);
    const running = () =>
      database.sql`select from pg_stat_activity where usename = ${names.login} and state = 'active'`;
    await expect.poll(async () => (await running()).length, { timeout: 10_000 }).toBe(1);
    socket.destroy();
    await expect.poll(running, { timeout: 10_000 }).toEqual([]);
  });
});

test('pipelined requests are answered in order, each its own', async () => {
  const { names, serve } = made();
  const random = new Random(1);
  const asked = Array.from({ length: 50 }, (_, i) =>
    question(i % 3 === 0 ? 'read' : 'view', `piped-${i}`, names.roles[i % 2] ?? names.roles[0], random),
  );
  const bytes = asked.map(({ target, headers }, i) => {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    return `GET ${target} HTTP/1.1\r\nHost: x\r\n${i === asked.length - 1 ? 'Connection: close\r\n' : ''}${lines.join('')}\r\n`;
  });
  const text = await exchange(portOf(serve), bytes.join(''));
  const bodies = text
    .split(/HTTP\/1\.1 200 OK\r\n/)
    .slice(1)
    .map((answer) => answer.slice(answer.indexOf('\r\n\r\n') + 4));
  expect(bodies).toHaveLength(asked.length);
  for (const [i, body] of bodies.entries()) {
    // Chunked or not, the JSON is the only text with brackets.
    const json = /[[{].*[\]}]/s.exec(body)?.[0] ?? '';
    expect(asked[i]?.answer(JSON.parse(json)), body).toBe(true);
  }
});
