/** workerd answers, byte for byte, what Node answers; where the runtime does not allow it the difference is named. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createEdgeDatabase, type EdgeDatabase } from './database.ts';
import { type Program, startProgram } from './program.ts';
import { askRaw, type RawAnswer } from './raw.ts';

let database: EdgeDatabase;
let edge: Program;
let serve: Program;

beforeAll(async () => {
  database = await createEdgeDatabase();
  await database.sql.unsafe(`
    create function api.told() returns json language sql stable return json_build_object(
      'x', current_setting('request.headers')::json->'x-told', 'cookies', current_setting('request.cookies')::json,
      'path', current_setting('request.path'), 'method', current_setting('request.method'));
    create function api.respond(status text, headers text default '', body text default '') returns text
      language plpgsql as $$
      begin
        perform set_config('response.status', status, true);
        if headers <> '' then perform set_config('response.headers', headers, true); end if;
        return body;
      end $$;
    create function api.raise(code text, message text) returns void language plpgsql as $$
      begin raise exception using errcode = code, message = message; end $$;
    create table api."größe" (id int primary key, "naïve" text);
    insert into api."größe" values (1, 'Straße 東京 🚀');`);
  [edge, serve] = await Promise.all([
    startProgram('edge', database.variables),
    startProgram('serve', database.variables),
  ]);
});
afterAll(async () => {
  await Promise.all([edge.stop(), serve.stop()]);
  await database.drop();
});

interface Case {
  readonly line: string;
  readonly headers?: readonly string[];
  readonly body?: string;
}

async function both({ line, headers = [], body }: Case): Promise<readonly [edge: RawAnswer, serve: RawAnswer]> {
  return await Promise.all([askRaw(edge.url, line, headers, body), askRaw(serve.url, line, headers, body)]);
}

const utf8 = (text: string): string => Buffer.from(text).toString('latin1');
const json = 'Content-Type: application/json';
const respond = (status: string, more: Record<string, unknown> = {}): Case => ({
  line: 'POST /rpc/respond',
  headers: [json],
  body: utf8(JSON.stringify({ status, ...more })),
});

const cases: readonly (readonly [what: string, asked: Case])[] = [
  ['rows', { line: 'GET /item?limit=2' }],
  ['rows as CSV', { line: 'GET /item?limit=2', headers: ['Accept: text/csv'] }],
  ['HEAD of rows', { line: 'HEAD /item?limit=2' }],
  ['HEAD of a table that is not there', { line: 'HEAD /nothing' }],
  ['HEAD of one row', { line: 'HEAD /item?id=eq.1', headers: ['Accept: application/vnd.pgrst.object+json'] }],
  ['a range', { line: 'GET /item', headers: ['Range: 5-7', 'Prefer: count=exact'] }],
  ['a range that cannot be', { line: 'GET /item', headers: ['Range: 7-5'] }],
  ['a large answer', { line: 'GET /rpc/echo?nonce=n&padding=300000' }],
  ['options', { line: 'OPTIONS /item' }],
  ['a preflight', { line: 'OPTIONS /item', headers: ['Origin: http://a.b', 'Access-Control-Request-Method: GET'] }],
  ['a request from another origin', { line: 'GET /item?id=eq.1', headers: ['Origin: http://a.b'] }],
  ['a write without a body to return', { line: 'POST /written', headers: [json], body: '{"nonce":"1"}' }],
  [
    'a write that returns',
    { line: 'POST /written', headers: [json, 'Prefer: return=representation'], body: '{"nonce":"2"}' },
  ],
  ['a delete of nothing', { line: 'DELETE /written?nonce=eq.none' }],
  [
    'a body without a length',
    {
      line: 'POST /rpc/echo',
      headers: [json, 'Transfer-Encoding: chunked'],
      body: 'd\r\n{"nonce":"n"}\r\n0\r\n\r\n',
    },
  ],
  ['a malformed body', { line: 'POST /written', headers: [json], body: '{"nonce":' }],
  ['a body of nothing', { line: 'POST /written', headers: [json, 'Content-Length: 0'] }],
  ['an error of the database', { line: 'GET /item?id=eq.x' }],
  ['an unknown method', { line: 'PROPFIND /item' }],
  ['a method of WebDAV with a body', { line: 'REPORT /item', headers: [json], body: '{}' }],

  ['a name in UTF-8', { line: 'GET /gr%C3%B6%C3%9Fe?select=na%C3%AFve' }],
  ['a path with escaped dots', { line: 'GET /%2e%2e/item' }],
  ['a path with two slashes', { line: 'GET //item' }],
  ['a path with a slash at its end', { line: 'GET /item/?limit=1' }],
  ['a path with an escape that is none', { line: 'GET /item%zz' }],
  ['a path with a backslash', { line: 'GET /item\\x' }],
  ['a path with a pipe and a quote', { line: `GET /it|e"m'` }],
  ['a query with brackets and quotes', { line: `GET /item?select="name"&id=in.(1,"2")&name=like.[*{|}^\`` }],
  ['a query with a second question mark', { line: 'GET /item?name=eq.?&limit=1' }],
  ['a query with a plus', { line: 'GET /item?name=eq.item+1' }],
  ['an empty query', { line: 'GET /rpc/told?' }],

  ['a header in ASCII', { line: 'GET /rpc/told', headers: ['X-Told: plain'] }],
  ['a header in UTF-8', { line: 'GET /rpc/told', headers: [`X-Told: ${utf8('größe')}`] }],
  ['a header in UTF-8 beyond Latin-1', { line: 'GET /rpc/told', headers: [`X-Told: ${utf8('東京 é 🚀')}`] }],
  ['cookies', { line: 'GET /rpc/told', headers: ['Cookie: a=1; b=%20; c="x y"'] }],
  ['a header in Latin-1', { line: 'GET /rpc/told', headers: ['X-Told: caf\xe9'] }],

  [
    'response headers',
    respond('200', { headers: '[{"X-A":"1"},{"X-A":"2"},{"Cache-Control":"no-store"}]', body: 'x' }),
  ],
  ['cookies in the response', respond('200', { headers: '[{"Set-Cookie":"a=1"},{"Set-Cookie":"b=2"}]' })],
  ['response headers in UTF-8', respond('200', { headers: JSON.stringify([{ 'X-A': 'größe 東京' }]) })],
  ['a media type of its own', respond('200', { headers: '[{"Content-Type":"text/html"}]', body: '<p>' })],
  ...['201', '202', '203', '206', '301', '400', '402', '451', '500', '503'].map(
    (status) => [`the status ${status}`, respond(status, { body: 'x' })] as const,
  ),
  ['a status that is none', respond('many')],
  ['a reason phrase', { line: 'POST /rpc/raise', headers: [json], body: '{"code":"PT402","message":"Pay"}' }],
  [
    'a reason phrase in UTF-8',
    { line: 'POST /rpc/raise', headers: [json], body: utf8('{"code":"PT402","message":"größe 東京"}') },
  ],
];

test.each(cases)('%s', async (_what, asked) => {
  const [fromEdge, fromServe] = await both(asked);
  expect(fromEdge).toEqual(fromServe);
  expect(fromServe.status).toMatch(/^\d{3} /);
});

/** What the runtime does not let us have, each in docs/compatibility.md. */
const differences: readonly (readonly [what: string, asked: Case, edge: object, serve: object])[] = [
  [
    'dots in a path are followed before the worker sees it',
    { line: 'GET /item/../item?id=eq.1' },
    { status: '200 OK' },
    { status: '404 Not Found' },
  ],
  [
    'a target that is a whole URL',
    { line: 'GET http://localhost/item?id=eq.1' },
    { status: '500 Internal Server Error' },
    { status: '200 OK' },
  ],
  [
    'raw bytes in a target',
    { line: utf8('GET /größe?select=naïve') },
    { status: '200 OK', body: utf8('[{"naïve":"Straße 東京 🚀"}]') },
    { status: '400 Bad Request' },
  ],
  [
    'a header that comes twice',
    { line: 'GET /rpc/told', headers: ['X-Told: one', 'X-Told: two'] },
    { body: expect.stringContaining('"one, two"') },
    { body: expect.stringContaining('"two"') },
  ],
  [
    'a method that is not registered',
    { line: 'FOO /item' },
    { status: '501 Not Implemented' },
    { status: '400 Bad Request' },
  ],
  ['a status beyond 599', respond('799'), { status: '500 Internal Server Error' }, { status: '799 unknown' }],
  ['the length of 204', respond('204', { body: 'x' }), { framing: 'none' }, { framing: '3' }],
  ['the length of 304', respond('304', { body: 'x' }), { framing: 'none' }, { framing: '3' }],
  ['the body of 205', respond('205', { body: 'x' }), { framing: '0', body: '' }, { framing: '3', body: '"x"' }],
];

test.each(differences)('differs: %s', async (_what, asked, fromEdge, fromServe) => {
  expect(await both(asked)).toMatchObject([fromEdge, fromServe]);
});
