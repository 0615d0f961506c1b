/** The worker in Vercel's edge runtime, mounted below a path as an application there would, with the blog behind the pooler. */
import { EdgeRuntime } from 'edge-runtime';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type SharedBlog, sharedBlog } from '../blog/database.ts';
import { blogVariables } from '../blog/server.ts';
import { poolerSecret } from './database.ts';
import { edgeScript } from './edge-script.ts';
import { type Program, startProgram } from './program.ts';

let blog: SharedBlog;
let pooler: Program;
let runtime: EdgeRuntime;

const script = (url: string): Promise<string> =>
  edgeScript(
    `import { createEdgerest } from './edgerest.ts';
     const edgerest = createEdgerest({ url: URL_OF_POOLER, secret: SECRET, basePath: '/rest/v1' });
     addEventListener('fetch', (event) => event.respondWith(edgerest(event.request, event)));`,
    { URL_OF_POOLER: JSON.stringify(url), SECRET: JSON.stringify(poolerSecret) },
  );

beforeAll(async () => {
  blog = await sharedBlog();
  pooler = await startProgram('pooler', { ...blogVariables(blog), EDGEREST_POOLER_SECRET: poolerSecret });
  runtime = new EdgeRuntime({ initialCode: await script(pooler.url) });
});
afterAll(async () => {
  await pooler.stop();
});

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly json: unknown;
}

async function ask(target: string, init: RequestInit = {}): Promise<Answer> {
  const response = await runtime.dispatchFetch(`https://blog.example.com/rest/v1${target}`, init);
  const text = await response.text();
  await response.waitUntil();
  return { status: response.status, headers: response.headers, json: text === '' ? null : JSON.parse(text) };
}

test('answers as everywhere', async () => {
  const users = await ask('/user?select=name,last_name&order=id&limit=2', { headers: { Prefer: 'count=exact' } });
  expect(users).toMatchObject({
    status: 206,
    json: [
      { name: 'Ada', last_name: 'Lovelace' },
      { name: 'Grace', last_name: 'Hopper' },
    ],
  });
  expect(users.headers.get('Content-Range')).toMatch(/^0-1\/\d+$/);
  expect(users.headers.get('Content-Type')).toBe('application/json; charset=utf-8');
});

test('embeds, calls functions, and knows who asks', async () => {
  expect(await ask('/user?select=last_name,post(title)&id=eq.1&post.published=is.true')).toMatchObject({
    json: [{ last_name: 'Lovelace', post: [{ title: 'Note G' }] }],
  });
  // The second is large enough to pass through as it comes.
  for (const body of ['{"a":1,"b":2}', `{"a":1,${' '.repeat(1_500_000)}"b":2}`]) {
    const headers = { 'Content-Type': 'application/json' };
    expect(await ask('/rpc/add_them', { method: 'POST', body, headers })).toMatchObject({ status: 200, json: 3 });
  }

  const drafts = '/post?published=is.false&select=title&id=lte.4';
  expect((await ask(drafts)).json).toEqual([]);
  const token = await new SignJWT({ role: 'blog_user_1' })
    .setProtectedHeader({ alg: 'HS256' })
    .sign(new TextEncoder().encode(blog.jwtSecret));
  const own = await ask(drafts, { headers: { Authorization: `Bearer ${token}` } });
  expect(own.json).toEqual([{ title: 'Diagram of development' }]);
});

test('refuses as everywhere', async () => {
  expect(await ask('/users')).toMatchObject({ status: 404, json: { code: 'PGRST205' } });
  expect(await ask('/user?age=gte.old')).toMatchObject({ status: 400, json: { code: '22P02' } });
  const forged = await ask('/post', { headers: { Authorization: 'Bearer not.a.token' } });
  expect(forged).toMatchObject({ status: 401, json: { code: 'PGRST301' } });
  expect(await ask('/user', { method: 'POST', body: '{"name":' })).toMatchObject({ json: { code: 'PGRST102' } });
});

test('a pooler that is away is an error like any other', async () => {
  const alone = new EdgeRuntime({ initialCode: await script('http://127.0.0.1:1') });
  const answer = await alone.dispatchFetch('https://blog.example.com/rest/v1/user');
  expect(answer.status).toBe(503);
  expect(await answer.json()).toMatchObject({ code: 'PGRST002', details: 'The pooler cannot be reached.' });
});
