/** What cannot be answered is refused with PostgREST's status, code and shape, and the program goes on. */
import { request } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { sharedBlog } from './database.ts';
import { type Ask, blogVariables, inEachMode, modes, startServer } from './server.ts';

const json = (body: string): Ask => ({ body });
const header = (name: string, value: string): Ask => ({ headers: { [name]: value } });

const refused: [what: string, method: string, target: string, ask: Ask, status: number, code: string][] = [
  ['malformed JSON', 'POST', '/user', json('{"name":'), 400, 'PGRST102'],
  ['JSON after JSON', 'POST', '/user', json('{"name":"a"} {"name":"b"}'), 400, 'PGRST102'],
  ['malformed JSON for a function', 'POST', '/rpc/add_them', json('{"a":1,'), 400, 'PGRST102'],
  ['rows with different keys', 'POST', '/user', json('[{"name":"a"},{"age":1}]'), 400, 'PGRST102'],
  ['an unknown media type', 'POST', '/user', { body: 'x', headers: { 'Content-Type': 'image/png' } }, 400, 'PGRST102'],
  ['an unknown column in the body', 'POST', '/user', json('{"nme":"a"}'), 400, 'PGRST204'],
  ['an unknown column in select', 'GET', '/user?select=nme', {}, 400, '42703'],
  ['an unknown column in a filter', 'GET', '/user?nme=eq.a', {}, 400, '42703'],
  ['an unknown column in order', 'GET', '/user?order=nme', {}, 400, '42703'],
  ['an unknown table', 'GET', '/users', {}, 404, 'PGRST205'],
  ['an unknown function', 'POST', '/rpc/add', json('{}'), 404, 'PGRST202'],
  ['an unknown argument', 'POST', '/rpc/add_them', json('{"a":1,"c":2}'), 404, 'PGRST202'],
  ['an unknown relationship', 'GET', '/user?select=*,comment(*)', {}, 400, 'PGRST200'],
  ['an unknown schema', 'GET', '/user', header('Accept-Profile', 'private'), 406, 'PGRST106'],
  ['a path too deep', 'GET', '/user/1', {}, 404, 'PGRST125'],
  ['an unknown operator', 'GET', '/user?age=over.18', {}, 400, 'PGRST100'],
  ['a filter without an operator', 'GET', '/user?age=18', {}, 400, 'PGRST100'],
  ['a broken logic tree', 'GET', '/user?or=(age.gt.1', {}, 400, 'PGRST100'],
  ['a broken select', 'GET', '/user?select=post(', {}, 400, 'PGRST100'],
  ['a value of the wrong type', 'GET', '/user?age=eq.old', {}, 400, '22P02'],
  ['a number out of range', 'POST', '/rpc/add_them', json('{"a":2147483647,"b":1}'), 400, '22003'],
  ['a broken constraint', 'POST', '/user', json('{"name":"a","age":-1}'), 400, '23514'],
  ['a missing value', 'POST', '/user', json('{"age":1}'), 400, '23502'],
  ['a Range that ends before it begins', 'GET', '/user', header('Range', '5-2'), 416, 'PGRST103'],
  ['a negative limit', 'GET', '/user?limit=-1', {}, 416, 'PGRST103'],
  ['a media type that is not made', 'GET', '/user', header('Accept', 'image/png'), 406, 'PGRST107'],
  ['an unknown method', 'PROPFIND', '/user', {}, 405, 'PGRST117'],
  ['a method that functions have not', 'DELETE', '/rpc/add_them', {}, 405, 'PGRST101'],
  [
    'several rows where one is asked for',
    'GET',
    '/user',
    header('Accept', 'application/vnd.pgrst.object+json'),
    406,
    'PGRST116',
  ],
];

inEachMode(({ ask }) => {
  afterEach(async () => {
    expect(await ask('GET', '/user?select=name&id=eq.1')).toMatchObject({ status: 200, json: [{ name: 'Ada' }] });
  });

  test.each(refused)('%s: %s %s', async (_what, method, target, asked, status, code) => {
    const answer = await ask(method, target, asked);
    expect(answer).toMatchObject({ status, json: { code, message: expect.any(String) } });
    expect(Object.keys(Object(answer.json)).sort()).toEqual(['code', 'details', 'hint', 'message']);
    expect(answer.headers.get('Content-Type')).toBe('application/json; charset=utf-8');
    expect(answer.headers.get('Proxy-Status')).toBe(`PostgREST; error=${code}`);
    expect(answer.text).not.toMatch(/\bat .+:\d+:\d+|node_modules|\.ts\b|postgres(ql)?:\/\//);
  });

  test('an offset past the end, where the rows are counted', async () => {
    const answer = await ask('GET', '/user?id=lte.60&offset=1000', header('Prefer', 'count=exact'));
    expect(answer).toMatchObject({ status: 416, json: { code: 'PGRST103' } });
    expect(answer.headers.get('Content-Range')).toBe('*/60');
  });

  test('a write with a bad row writes none', async () => {
    const name = `none ${crypto.randomUUID()}`;
    const answer = await ask('POST', '/user', {
      body: [
        { name, age: 1 },
        { name, age: 1000 },
      ],
    });
    expect(answer).toMatchObject({ status: 400, json: { code: '23514' } });
    expect((await ask('GET', `/user?name=eq.${encodeURIComponent(name)}`)).json).toEqual([]);
  });
});

/** The status for a body without a Content-Length: its size is known only when it has come. */
function streamedStatus(url: string, body: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const sending = request(url, { method: 'POST' }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    sending.on('error', reject);
    sending.write(body.slice(0, 10));
    sending.end(body.slice(10));
  });
}

test.each(modes)('%s refuses a body that is too large', async (mode) => {
  const server = await startServer(mode, { ...blogVariables(await sharedBlog()), EDGEREST_MAX_BODY_SIZE: '100000' });
  try {
    const name = `long ${crypto.randomUUID()}`;
    const accepted = await server.ask('POST', '/user', { body: { name, last_name: 'x'.repeat(99_000) } });
    expect(accepted).toMatchObject({ status: 201 });
    for (const size of [100_000, 10_000_000]) {
      const body = JSON.stringify({ name, last_name: 'x'.repeat(size) });
      const answer = await server.ask('POST', '/user', { body });
      expect(answer).toMatchObject({ status: 413, json: { code: 'EDGE005', message: expect.any(String) } });
      expect(await streamedStatus(`${server.url}/user`, body)).toBe(413);
    }
    const written = await server.ask('GET', `/user?select=name&name=eq.${encodeURIComponent(name)}`);
    expect(written).toMatchObject({ status: 200, json: [{ name }] });
  } finally {
    await server.stop();
  }
});
