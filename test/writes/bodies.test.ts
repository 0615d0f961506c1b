/** Bodies large and odd: what is written is what was sent, or nothing is. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Answer,
  type Api,
  createWriteDatabase,
  modes,
  sign,
  signText,
  startApi,
  type WriteDatabase,
} from './api.ts';
import { sendRaw } from './raw.ts';

const schema = `
  create table api.thing (id bigint, name text, amount numeric, exact json, doc jsonb, data bytea);
  create function api.claims() returns text language sql stable as $$ select current_setting('request.jwt.claims') $$;
  create function api.length_of(bytea) returns int language sql immutable as 'select length($1)';
  create function api.same_text(text) returns text language sql immutable as 'select $1';
  create function api.same_json(json) returns text language sql immutable as 'select $1::text';
  create function api.fields(a text default null, b text default null) returns text[] language sql immutable as 'select array[a, b]';
  create function api.variadic(variadic v text[]) returns text[] language sql immutable as 'select v';`;

let database: WriteDatabase;
beforeAll(async () => {
  database = await createWriteDatabase(schema);
});
afterAll(() => database?.drop());

const json = 'Content-Type: application/json';

describe.each(modes)('%s', (mode) => {
  let api: Api;
  beforeAll(async () => {
    api = await startApi(mode, database);
  });
  afterAll(() => api?.stop());

  const things = () => database.sql`select * from api.thing order by id`;
  const empty = () => database.sql`truncate api.thing`;
  const post = (
    body: string | Uint8Array<ArrayBuffer>,
    type = 'application/json',
    target = '/thing',
  ): Promise<Answer> => api.ask('POST', target, { body, headers: { 'content-type': type } });
  const refused = async (answer: Promise<Answer>, status: number, body: object): Promise<void> => {
    const { status: found, text } = await answer;
    expect({ status: found, ...JSON.parse(text) }).toMatchObject({ status, ...body });
    expect(await things()).toHaveLength(0);
  };

  describe('JSON', () => {
    beforeAll(empty);
    test.each([
      ['a byte order mark', '\ufeff{"id":1}'],
      ['a NUL', '{"id":1,"name":"a\u0000b"}'],
      ['half of a surrogate pair', '{"id":1,"name":"\\ud800"}'],
      ['something after its end', '{"id":1}{"id":2}'],
      ['a comma too many', '[{"id":1},]'],
      ['no end', '[{"id":1}'],
      ['nothing', ''],
      ['single quotes', "{'id':1}"],
      ['NaN', '{"amount":NaN}'],
    ])('with %s is none', (_, body) =>
      refused(post(body), 400, { code: 'PGRST102', message: 'Empty or invalid json' }),
    );

    test.each([
      ['a byte that is no character', [0xff]],
      ['a surrogate as bytes', [0xed, 0xa0, 0x80]],
      ['a character longer than needed', [0xc0, 0xaf]],
      ['half of a character', [0xc3]],
    ])('with %s is none', (_, bytes) =>
      refused(post(Buffer.from([...Buffer.from('{"name":"'), ...bytes, ...Buffer.from('"}')])), 400, {
        code: 'PGRST102',
      }),
    );

    test('a NUL that is escaped is refused by the database, which has no such text', () =>
      refused(post('{"id":1,"name":"a\\u0000b"}'), 400, {
        code: '22P05',
        details: '\\u0000 cannot be converted to text.',
      }));

    test('bytes that are not looked into are refused by the database', () =>
      refused(post(Buffer.from('{"name":"\xff"}', 'latin1'), 'application/json', '/thing?columns=name'), 400, {
        code: '22021',
      }));

    test('deeper than the database takes is an error, not an end', async () => {
      const deep = (depth: number): string => `{"id":1,"doc":${'['.repeat(depth)}${']'.repeat(depth)}}`;
      await refused(post(deep(200_000)), 500, { code: '54001' });
      expect((await post(deep(1000))).status).toBe(201);
      await empty();
    });
  });

  test('numbers and text arrive as they were sent', async () => {
    const sent = [
      '{"id":9007199254740993,"name":"\\u00e9\\ud83d\\ude00 \\"é","amount":12345678901234567890.123456789012345678901234567890,',
      '"exact":{"b" : 1.50,  "a":1e400, "a":0.1e-7},"doc":{"n":9007199254740993.10}}',
    ].join('');
    for (const target of ['/thing', '/thing?columns=id,name,amount,exact,doc']) {
      expect((await post(`[${sent}]`, 'application/json', target)).status).toBe(201);
      expect(await database.sql`select id::text, name, amount::text, exact::text, doc::text from api.thing`).toEqual([
        {
          id: '9007199254740993',
          name: 'é😀 "é',
          amount: '12345678901234567890.123456789012345678901234567890',
          exact: '{"b" : 1.50,  "a":1e400, "a":0.1e-7}',
          doc: '{"n": 9007199254740993.10}',
        },
      ]);
      await empty();
    }
    expect((await post('{"id":1,"name":"first","name":"last"}')).status).toBe(201);
    expect(await things()).toMatchObject([{ name: 'last' }]);
    await empty();
    expect((await post(' {"a" : 1.0,"a":2 } ', 'application/json', '/rpc/same_json')).text).toBe(
      '" {\\"a\\" : 1.0,\\"a\\":2 } "',
    );
  });

  test('20,000 rows are 20,000 rows', async () => {
    const rows = Array.from({ length: 20_000 }, (_, id) => ({ id, name: `name ${id}`, amount: id / 8 }));
    const answer = await api.ask('POST', '/thing', { body: rows, headers: { prefer: 'count=exact' } });
    expect([answer.status, answer.headers.get('content-range')]).toEqual([201, '*/20000']);
    const [sum] =
      await database.sql`select count(*)::int as rows, sum(id)::text, sum(amount)::text as amounts from api.thing`;
    expect(sum).toMatchObject({ rows: 20_000, sum: '199990000', amounts: '24998750.000' });
    await empty();
  });

  describe('a large body', () => {
    const text = 'x'.repeat(1000);
    const rows = (count: number, last = ''): string =>
      `[${Array.from({ length: count }, (_, id) => `{"id":${id},"name":"${text}"}`).join(',')}${last}]`;

    test('is written as it is', async () => {
      expect((await post(rows(3000))).status).toBe(201);
      const [sum] = await database.sql`select count(*)::int as rows, sum(length(name))::int as length from api.thing`;
      expect(sum).toEqual({ rows: 3000, length: 3_000_000 });
      await empty();
    });

    test.each([
      ['All object keys must match', ',{"id":1,"other":2}'],
      ['All object keys must match', ',17'],
      ['Empty or invalid json', ',{"id":1,"name":}'],
      ['Empty or invalid json', ']'],
      ['Empty or invalid json', ',{"id":1,"name":"\\ud800"}'],
    ])('%s, which the last of its rows shows', (message, last) =>
      refused(post(rows(3000, last)), 400, { code: 'PGRST102', message }),
    );

    test('for a table or a column that is not there is answered', async () => {
      await refused(post(rows(3000), 'application/json', '/nowhere'), 404, { code: 'PGRST205' });
      await refused(post(rows(3000).replaceAll('"name"', '"nome"')), 400, { code: 'PGRST204' });
      await refused(post(rows(3000), 'text/plain'), 400, { code: 'PGRST102' });
      expect((await api.ask('DELETE', '/thing', { body: rows(3000) })).status).toBe(204);
    });

    test('may be one object, CSV or a form', async () => {
      const long = 'é'.repeat(1_500_000);
      expect((await post(`{"id":1,"name":"${long}"}`)).status).toBe(201);
      expect((await post(`id,name\n2,${long}\n`, 'text/csv')).status).toBe(201);
      expect((await post(`id=3&name=${long}`, 'application/x-www-form-urlencoded')).status).toBe(201);
      expect(await database.sql`select id::int, length(name) from api.thing order by 1`).toEqual([
        { id: 1, length: 1_500_000 },
        { id: 2, length: 1_500_000 },
        { id: 3, length: 1_500_000 },
      ]);
      await empty();
    });

    test('may be a function’s one argument', async () => {
      const bytes = Buffer.alloc(3_000_000, 'a\0\xff', 'latin1');
      expect((await post(bytes, 'application/octet-stream', '/rpc/length_of')).text).toBe('3000000');
      const long = `${'é'.repeat(1_000_000)}\n`;
      expect(JSON.parse((await post(long, 'text/plain', '/rpc/same_text')).text)).toBe(long);
    });

    test('of a client that goes away in the middle is not written', async () => {
      const body = rows(3000);
      const headers = [json, `Content-Length: ${body.length}`];
      for (const after of ['end', 'destroy'] as const) {
        const answer = await sendRaw(api.port, { target: '/thing', headers, body: body.slice(0, -1000), after });
        expect(answer?.status ?? 400).toBeGreaterThanOrEqual(400);
      }
      expect((await api.ask('GET', '/thing?select=id&limit=1')).text).toBe('[]');
      expect(await things()).toHaveLength(0);
    });

    test('in chunks is a body too', async () => {
      const pieces = (rows(3000).match(/.{1,70000}/gs) ?? []).map(
        (piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`,
      );
      const headers = [json, 'Transfer-Encoding: chunked'];
      const cut = { target: '/thing', headers, body: pieces.join(''), after: 'end' } as const;
      expect((await sendRaw(api.port, cut))?.status ?? 400).toBeGreaterThanOrEqual(400);
      expect(await things()).toHaveLength(0);
      const whole = { target: '/thing', headers, body: `${pieces.join('')}0\r\n\r\n` };
      expect(await sendRaw(api.port, whole)).toMatchObject({ status: 201 });
      expect(await things()).toHaveLength(3000);
      await empty();
    });
  });

  describe('a length that is wrong', () => {
    test('too short: what is left is no request', async () => {
      const body = '{"id":1,"name":"twelve"}';
      const headers = [json, 'Content-Length: 12'];
      expect(await sendRaw(api.port, { target: '/thing', headers, body })).toMatchObject({ status: 400 });
      expect(await things()).toHaveLength(0);
    });

    test.each(['end', 'destroy'] as const)('too long, then %s: nothing is written', async (after) => {
      const body = '{"id":1,"name":"twelve"}';
      const headers = [json, `Content-Length: ${body.length + 5}`];
      const answer = await sendRaw(api.port, { target: '/thing', headers, body, after });
      expect(answer?.status ?? 400).toBeGreaterThanOrEqual(400);
      expect((await api.ask('GET', '/thing')).text).toBe('[]');
    });

    test('small bodies in chunks are bodies too', async () => {
      const headers = [json, 'Transfer-Encoding: chunked'];
      const body = '8\r\n{"id":7,\r\n9\r\n"name":1}\r\n0\r\n\r\n';
      expect(await sendRaw(api.port, { target: '/thing', headers, body })).toMatchObject({ status: 201 });
      expect(await database.sql`select id::int, name from api.thing`).toEqual([{ id: 7, name: '1' }]);
      await empty();
    });
  });

  describe('CSV and forms', () => {
    test('quotes, NULL, line ends and empty fields', async () => {
      const csv = 'id,name,amount\r\n1,"a ""b"", c\nd",NULL\r\n\r\n2,,1.50\n3,"NULL",\n';
      // An empty field is an empty text: no number.
      await refused(post(csv, 'text/csv'), 400, { code: '22P02' });
      expect((await post(csv.replace(/,\n$/, ',7\n'), 'text/csv')).status).toBe(201);
      expect(await database.sql`select id::int, name, amount::text from api.thing order by id`).toEqual([
        { id: 1, name: 'a "b", c\nd', amount: null },
        { id: 2, name: '', amount: '1.50' },
        { id: 3, name: null, amount: '7' },
      ]);
      await empty();
    });

    test('lines of different length', () =>
      refused(post('id,name\n1,a\n2\n', 'text/csv'), 400, {
        code: 'PGRST102',
        message: 'All lines must have same number of fields',
      }));

    test('a form is one row, the last of a name counts, + and % are undone', async () => {
      const form = 'application/x-www-form-urlencoded';
      expect((await post('id=1&name=a&name=b+c%26%C3%A9', form)).status).toBe(201);
      expect(await database.sql`select id::int, name from api.thing`).toEqual([{ id: 1, name: 'b c&é' }]);
      expect((await post('a=x&b=', form, '/rpc/fields')).text).toBe('["x",""]');
      expect((await post('v=a&v=b', form, '/rpc/variadic')).text).toBe('["a","b"]');
      await empty();
    });
  });

  test('the claims are the token’s, digit for digit', async () => {
    const claims = `{"z":12345678901234567890.10,"role":"${database.writer}","a":9007199254740993,"n":{"y":1e2,"x":[1.0]}}`;
    const { text } = await api.ask('GET', '/rpc/claims', { token: await signText(claims) });
    expect(JSON.parse(text)).toBe(
      `{"a":9007199254740993,"n":{"x":[1.0],"y":100},"role":"${database.writer}","z":1.23456789012345678901e19}`,
    );
    const plain = await api.ask('GET', '/rpc/claims', { token: await sign({ sub: 'é"' }) });
    expect(JSON.parse(plain.text)).toBe(`{"role":"${database.anon}","sub":"é\\""}`);
  });
});
