/** `POST /sql` as any client may speak it: conversions, limits, refusals. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { arrayTypes } from '../../pooler/driver/values.ts';
import { door } from './door.ts';

const LIMIT = 256 * 1024;
const open = door('sql', {
  maxRequest: LIMIT,
  maxResponse: LIMIT,
  databases: [],
  size: 3,
  script: 'create table item (id int)',
});

const arrayMode = { 'Neon-Array-Mode': 'true' };
const rowsOf = async (query: string, params: unknown, headers: Record<string, string> = {}): Promise<unknown> => {
  const { json } = await open.ask({ query, params }, headers);
  return json.rows ?? json;
};

describe('parameters that are JSON', () => {
  test.each([
    ['true', true, 'bool', 'true'],
    ['a number', 1.5, 'numeric', '1.5'],
    ['an object', { a: [1, null, 'x"y'] }, 'jsonb', '{"a": [1, null, "x\\"y"]}'],
    ['an array', [1, null, 3], 'int[]', '{1,NULL,3}'],
    [
      'an array of texts',
      ['a"b', 'c\\d', 'NULL', '', null, 'e,f', '{}'],
      'text[]',
      '{"a\\"b","c\\\\d","NULL","",NULL,"e,f","{}"}',
    ],
    [
      'an array of arrays',
      [
        [1, 2],
        [3, 4],
      ],
      'int[]',
      '{{1,2},{3,4}}',
    ],
    ['an array of objects', [{ a: 1 }], 'jsonb[]', '{"{\\"a\\": 1}"}'],
    ['an array of flags', [true, false], 'bool[]', '{t,f}'],
    ['an empty array', [], 'int[]', '{}'],
    ['a text', 'x', 'text', 'x'],
    ['null', null, 'text', null],
  ])('%s', async (_, value, type, text) => {
    expect(await rowsOf(`select ($1::${type})::text as v`, [value])).toEqual([{ v: text }]);
  });

  test.each([
    ['9007199254740993', 'int8', '9007199254740993'],
    ['12345678901234567890.123456789', 'numeric', '12345678901234567890.123456789'],
    ['{"n":12345678901234567890}', 'jsonb', '{"n": 12345678901234567890}'],
    ['[9007199254740993]', 'int8[]', '{9007199254740993}'],
    ['1e400', 'numeric', `1${'0'.repeat(400)}`],
    ['1e3', 'int', '1000'],
    ['0.1', 'float8', '0.1'],
  ])('keep the digits of %s', async (value, type, text) => {
    const { json } = await open.ask(`{"query":"select ($1::${type})::text as v","params":[${value}]}`);
    expect(json.rows).toEqual([{ v: text }]);
  });
});

describe('results', () => {
  const query = `select true as b, 1::int2 as i2, 2 as i4, 3::int8 as i8, 1.5::float4 as f4, 1e-7::float8 as f8,
    'NaN'::float8 as nan, '-Infinity'::float4 as inf, 1.10::numeric as n, '{"a": [1]}'::json as j, '{"b":null}'::jsonb as jb,
    'x"y' as t, null as nothing, '\\x00ff'::bytea as bytes, '{1,NULL}'::int[] as i4s, '{{t,f},{f,t}}'::bool[] as bs,
    array['a"b', 'c\\d', 'NULL', null, '', 'e,f', ' g '] as ts, '[0:1]={5,6}'::int8[] as bounds, '{}'::text[] as none,
    array['{"k": "v"}'::jsonb] as js, '{1.5,Infinity}'::float8[] as fs, '{(2,2),(1,1);(4,4),(3,3)}'::box[] as boxes`;

  test('are JSON by their types', async () => {
    expect(await rowsOf(query, [])).toEqual([
      {
        b: true,
        i2: 1,
        i4: 2,
        i8: '3',
        f4: 1.5,
        f8: 1e-7,
        nan: 'NaN',
        inf: '-Infinity',
        n: '1.10',
        j: { a: [1] },
        jb: { b: null },
        t: 'x"y',
        nothing: null,
        bytes: '\\x00ff',
        i4s: [1, null],
        bs: [
          [true, false],
          [false, true],
        ],
        ts: ['a"b', 'c\\d', 'NULL', null, '', 'e,f', ' g '],
        bounds: ['5', '6'],
        none: [],
        js: [{ k: 'v' }],
        fs: [1.5, 'Infinity'],
        boxes: ['(2,2),(1,1)', '(4,4),(3,3)'],
      },
    ]);
  });

  test("are PostgreSQL's text where that is asked for", async () => {
    const rows = await rowsOf('select true as b, 2 as i, array[1,null] as a, null as n', [], {
      'Neon-Raw-Text-Output': 'true',
      'Neon-Array-Mode': 'true',
    });
    expect(rows).toEqual([['t', '2', '{1,NULL}', null]]);
  });

  test('a query of a batch may have its own array mode', async () => {
    const queries = [
      { query: 'select 1 as a', arrayMode: true },
      { query: 'select 1 as a', arrayMode: false },
      { query: 'select 1 as a' },
    ];
    const { json } = await open.ask({ queries }, arrayMode);
    expect(json.results).toMatchObject([
      { rows: [[1]], rowAsArray: true },
      { rows: [{ a: 1 }], rowAsArray: false },
      { rows: [[1]], rowAsArray: true },
    ]);
  });

  test('any array comes back as it went', async () => {
    const text = fc.string({ unit: 'grapheme' }).filter((value) => !value.includes('\0'));
    const texts = fc.array(fc.oneof(text, fc.constantFrom(null, 'NULL', 'null', '', '{}', '"', '\\', ',', ' x ')));
    const matrix = fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })).chain(([rows, columns]) => {
      const row = fc.array(text, { minLength: columns, maxLength: columns });
      return fc.array(row, { minLength: rows, maxLength: rows });
    });
    const values = fc.sample(fc.oneof(texts, matrix), 300);
    const { json } = await open.ask(
      { query: `select ${values.map((_, i) => `$${i + 1}::text[]`)}`, params: values },
      arrayMode,
    );
    expect(json.rows).toEqual([values]);
  });

  test("every array type of PostgreSQL's own is known", async () => {
    const rows = await open.database.sql<{ oid: number }[]>`
      select a.oid::int from pg_type a join pg_type e on e.oid = a.typelem
      where e.typarray = a.oid and e.typtype <> 'c' and a.oid < 10000`;
    const own = rows.map(({ oid }) => oid);
    expect(own.filter((oid) => !arrayTypes.has(oid))).toEqual([]);
    expect([...arrayTypes].filter((oid) => !own.includes(oid))).toEqual([]);
  });
});

describe('headers', () => {
  test('every answer has a request id of its own and may be read by any page', async () => {
    const answers = [
      await open.ask({ query: 'select 1' }),
      await open.ask({ query: 'select 1/0' }),
      await open.ask('no json'),
      await open.ask({ query: 'select' }, { 'Neon-Connection-String': '' }),
    ];
    for (const { headers } of answers) {
      expect(headers.get('access-control-allow-origin')).toBe('*');
      expect(headers.get('content-type')).toBe('application/json');
      expect(headers.get('neon-request-id')).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    }
    expect(new Set(answers.map(({ headers }) => headers.get('neon-request-id'))).size).toBe(4);
  });

  test('a preflight is told what may be sent', async () => {
    const { status, headers } = await fetch(open.url, { method: 'OPTIONS' });
    expect(status).toBe(204);
    expect(headers.get('access-control-allow-origin')).toBe('*');
    expect(headers.get('access-control-allow-methods')).toBe('POST, OPTIONS');
    const allowed = headers.get('access-control-allow-headers')?.toLowerCase().split(', ');
    for (const name of [
      'authorization',
      'content-type',
      'neon-connection-string',
      'neon-raw-text-output',
      'neon-array-mode',
      'neon-batch-isolation-level',
      'neon-batch-read-only',
      'neon-batch-deferrable',
    ]) {
      expect(allowed).toContain(name);
    }
  });

  test("a batch's are echoed", async () => {
    const sent = {
      'Neon-Batch-Isolation-Level': 'Serializable',
      'Neon-Batch-Read-Only': 'true',
      'Neon-Batch-Deferrable': 'true',
    };
    const { headers } = await open.ask({ queries: [{ query: 'select 1' }] }, sent);
    for (const [name, value] of Object.entries(sent)) expect(headers.get(name)).toBe(value);
    const plain = await open.ask({ queries: [{ query: 'select 1' }] }, { 'Neon-Batch-Read-Only': 'false' });
    for (const name of Object.keys(sent)) expect(plain.headers.has(name)).toBe(false);
  });
});

describe('refusals', () => {
  test.each([
    ['no JSON', 'select 1', '08P01'],
    ['no query', '{}', '08P01'],
    ['null', 'null', '08P01'],
    ['a query that is no text', '{"query":1}', '08P01'],
    ['params that are no array', '{"query":"select 1","params":{}}', '08P01'],
    ['queries that are no array', '{"queries":"select 1"}', '08P01'],
    ['a batch with something else in it', '{"queries":["select 1"]}', '08P01'],
    [
      'an array that is too deep',
      `{"query":"select $1","params":[${'['.repeat(50_000)}${']'.repeat(50_000)}]}`,
      '08P01',
    ],
    [
      'an object that is too deep',
      `{"query":"select $1","params":[${'{"a":'.repeat(30_000)}1${'}'.repeat(30_000)}]}`,
      '08P01',
    ],
    ['too many queries', `{"queries":[${Array(10_001).fill('{"query":""}').join()}]}`, '54000'],
    ['too many parameters', JSON.stringify({ query: 'select 1', params: Array(70_000).fill(1) }), '08P01'],
  ])('%s', async (_, body, code) => {
    const { status, json } = await open.ask(body);
    expect([status, json.code]).toEqual([400, code]);
  });

  test('what is not UTF-8', async () => {
    const body = Buffer.from('{"query":"select \'\xff\'"}', 'latin1');
    const headers = { 'Neon-Connection-String': open.uri() };
    const answer = await fetch(open.url, { method: 'POST', body, headers });
    expect([answer.status, await answer.json()]).toMatchObject([400, { code: '22021' }]);
  });

  test('an isolation level that there is not', async () => {
    const { status, json } = await open.ask({ queries: [] }, { 'Neon-Batch-Isolation-Level': 'constructor' });
    expect([status, json.code]).toEqual([400, '22023']);
  });

  test('a token, which promises what there is not', async () => {
    const { status, json } = await open.ask({ query: 'select 1' }, { Authorization: 'Bearer x.y.z' });
    expect([status, json.code]).toEqual([400, '0A000']);
  });

  test('no connection string', async () => {
    const answer = await fetch(open.url, { method: 'POST', body: '{"query":"select 1"}' });
    expect([answer.status, await answer.json()]).toMatchObject([
      400,
      { code: '08001', severity: 'ERROR', detail: null },
    ]);
  });

  test('another path and another method', async () => {
    expect((await fetch(open.url.replace('/sql', '/'))).status).toBe(404);
    expect((await fetch(open.url)).status).toBe(405);
    expect((await fetch(open.url.replace('/sql', '/live'))).status).toBe(200);
  });

  test('a request that is too large, told by its length or not', async () => {
    const query = `select '${'x'.repeat(LIMIT)}'`;
    expect(await open.ask({ query })).toMatchObject({ status: 413, json: { code: '54000' } });
    const body = new Blob([JSON.stringify({ query })]).stream();
    const headers = { 'Neon-Connection-String': open.uri() };
    const answer = await fetch(open.url, { method: 'POST', headers, body, duplex: 'half' } as RequestInit);
    expect(answer.status).toBe(413);
    expect((await open.ask({ query: 'select 1' })).status).toBe(200);
  });
});

describe('a response that is too large', () => {
  test.each([
    ['of many rows', `select repeat('x', 100) from generate_series(1, 1000000)`],
    ['that would never end', `select generate_series(1, 1000000000)`],
    ['of one row', `select repeat('x', 100000000)`],
    ['of a row in the middle', `select case when i = 5 then repeat('x', 100000000) end from generate_series(1, 10) i`],
  ])('%s is refused, and the statement ended', async (_, query) => {
    const answer = await open.ask({ query });
    expect(answer).toMatchObject({ status: 507, json: { code: '54000', severity: 'ERROR' } });
    while ((await open.backends()).some(({ state }) => state !== 'idle')) await sleep(20);
    expect((await open.ask({ query: 'select 1' })).status).toBe(200);
  });

  test('says whether what was asked for has been done', async () => {
    const query = `insert into item select generate_series(1, 100000) returning repeat('x', 10)`;
    const { status, json } = await open.ask({ query });
    expect(status).toBe(507);
    const [row] = await open.database.sql<{ count: string }[]>`select count(*) from item`;
    expect(json.detail).toBe(
      row?.count === '0' ? 'It was cancelled and rolled back.' : 'What was asked for has been done.',
    );
  });

  test('counts the results of a batch together', async () => {
    const half = { query: `select repeat('x', ${LIMIT / 2})` };
    expect((await open.ask({ queries: [half] })).status).toBe(200);
    expect((await open.ask({ queries: [half, half, half] })).status).toBe(507);
  });
});

test('a client that is gone before it has sent everything leaves nothing', async () => {
  const uri = open.uri();
  const socket = connect(open.port, '127.0.0.1');
  socket.write(
    `POST /sql HTTP/1.1\r\nHost: x\r\nNeon-Connection-String: ${uri}\r\nContent-Length: 1000\r\n\r\n{"query":`,
  );
  const before = open.statuses.length;
  await sleep(50);
  socket.destroy();
  expect((await open.ask({ query: 'select 1' })).status).toBe(200);
  expect(open.statuses.length).toBeGreaterThan(before);
});

test('requests follow each other on one connection', async () => {
  const socket = connect(open.port, '127.0.0.1');
  const request = (query: string): string => {
    const body = JSON.stringify({ query });
    return `POST /sql HTTP/1.1\r\nHost: x\r\nNeon-Connection-String: ${open.uri()}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  };
  socket.write(request('select 1 as a') + request('select 1/0') + request('select 3 as a'));
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  while (text.split('HTTP/1.1 ').length < 4 || !text.includes('{"a":3}')) await sleep(10);
  expect([...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)).toEqual(['200', '400', '200']);
  socket.destroy();
});

test('bytes that are no request are not answered in the place of a query that runs', async () => {
  const body = JSON.stringify({ query: 'insert into item select 7 from pg_sleep(0.3)' });
  const heard = async (bytes: string): Promise<string> => {
    const socket = connect(open.port, '127.0.0.1');
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    socket.write(bytes);
    await once(socket, 'close');
    return text;
  };
  const head = `POST /sql HTTP/1.1\r\nHost: x\r\nNeon-Connection-String: ${open.uri()}\r\nContent-Length: ${body.length}\r\n\r\n`;
  expect(await heard(`${head}${body}\0\0\r\n\r\n`)).toMatch(/^HTTP\/1\.1 200 /);
  expect(await heard('\0\0\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
});

test('nothing of all this was a mistake of ours', () => {
  expect(open.faults).toEqual([]);
});
