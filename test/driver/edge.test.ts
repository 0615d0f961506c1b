/** The driver where people use it: in Workers (workerd) and in Vercel's edge runtime, bundled as there. */
import { fileURLToPath } from 'node:url';
import { EdgeRuntime } from 'edge-runtime';
import { build } from 'esbuild';
import { Miniflare } from 'miniflare';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { door } from './door.ts';

const open = door('edge', { script: 'create table note (id int primary key generated always as identity, text text)' });

/** An application: each path does something with the database. */
const APPLICATION = `
  import { neon, neonConfig } from '@neondatabase/serverless';
  import { drizzle } from 'drizzle-orm/neon-http';
  import { sql as raw } from 'drizzle-orm';
  neonConfig.fetchEndpoint = () => ENDPOINT;
  neonConfig.disableWarningInBrowsers = true;

  async function answer(request) {
    const sql = neon(DATABASE);
    const { pathname, searchParams } = new URL(request.url);
    const text = searchParams.get('text');
    switch (pathname) {
      case '/write':
        return await sql.transaction([sql\`insert into note (text) values (\${text})\`, sql\`select text from note\`]);
      case '/drizzle':
        return (await drizzle({ client: sql }).execute(raw\`select \${text} as text\`)).rows;
      case '/error':
        return await sql\`select 1 / 0\`.catch(({ code, message }) => ({ code, message }));
      case '/abort': {
        const controller = new AbortController();
        const asked = sql.query('select pg_sleep(60)', [], { fetchOptions: { signal: controller.signal } });
        const ended = asked.then(() => 'answered', () => 'aborted');
        for (;;) {
          const [row] = await sql\`select count(*)::int as n from pg_stat_activity where query = 'select pg_sleep(60)' and state = 'active'\`;
          if (row.n === 1) break;
        }
        controller.abort();
        return await ended;
      }
    }
  }
  async function handle(request) {
    return new Response(JSON.stringify(await answer(request)));
  }
`;

async function bundled(entry: string, format: 'esm' | 'iife'): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: APPLICATION + entry, resolveDir: fileURLToPath(new URL('.', import.meta.url)) },
    define: { ENDPOINT: JSON.stringify(open.url), DATABASE: JSON.stringify(open.uri()) },
    bundle: true,
    write: false,
    format,
    platform: 'browser',
    conditions: ['workerd', 'edge-light', 'worker', 'browser'],
  });
  return outputFiles[0]?.text ?? '';
}

type Ask = (path: string) => Promise<unknown>;

let workers: Miniflare;
const runtimes: Record<string, Ask> = {};

beforeAll(async () => {
  workers = new Miniflare({
    modules: true,
    script: await bundled('export default { fetch: handle };', 'esm'),
    compatibilityDate: '2026-07-30',
  });
  runtimes.workerd = async (path) => (await workers.dispatchFetch(`http://app.example.com${path}`)).json();
  const vercel = new EdgeRuntime({
    initialCode: await bundled(
      "addEventListener('fetch', (event) => event.respondWith(handle(event.request)));",
      'iife',
    ),
  });
  runtimes['edge-runtime'] = async (path) => (await vercel.dispatchFetch(`http://app.example.com${path}`)).json();
});
afterAll(async () => {
  await workers?.dispose();
});

describe.each(['workerd', 'edge-runtime'])('%s', (name) => {
  const ask: Ask = (path) => runtimes[name]?.(path) ?? Promise.reject(new Error('not started'));

  test('queries, transactions, drizzle, errors', async () => {
    const [, rows] = (await ask(`/write?text=${name}`)) as [unknown, unknown];
    expect(rows).toContainEqual({ text: name });
    expect(await ask('/drizzle?text=%C3%A9')).toEqual([{ text: 'é' }]);
    expect(await ask('/error')).toEqual({ code: '22012', message: 'division by zero' });
  });

  test('a fetch that is aborted has its query cancelled', async () => {
    expect(await ask('/abort')).toBe('aborted');
    const running = async (): Promise<boolean> =>
      (await open.backends()).some(({ state, query }) => state === 'active' && query.includes('pg_sleep'));
    while (await running()) await new Promise((resolve) => setTimeout(resolve, 20));
  });

  test('many at once', async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => ask(`/drizzle?text=${i}`)));
    expect(answers).toEqual(Array.from({ length: 50 }, (_, i) => [{ text: String(i) }]));
  });
});
