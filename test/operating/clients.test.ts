/** What clients bring along: supabase-js with its path and its key, and traces. */
import { PostgrestClient } from '@supabase/postgrest-js';
import { beforeAll, describe, expect, test } from 'vitest';
import { ask, office } from './program.ts';

const db = office('clients');

describe.each(['serve', 'edge'] as const)('%s', (command) => {
  let port: number;
  let client: PostgrestClient;
  let apikey: string;

  beforeAll(async () => {
    ({ port } = await db.serve({ EDGEREST_BASE_PATH: '/rest/v1/', EDGEREST_APIKEY_HEADER: '1' }, command));
    apikey = await db.token();
    // As supabase-js makes it for somebody who has not logged in.
    client = new PostgrestClient(`http://127.0.0.1:${port}/rest/v1`, { headers: { apikey } });
  });

  test('@supabase/postgrest-js selects, embeds, counts, writes and calls', async () => {
    const selected = await client.from('item').select('id, part(name)', { count: 'exact' }).lt('id', 3).order('id');
    expect(selected).toMatchObject({
      status: 200,
      count: 2,
      data: [
        { id: 1, part: [{ name: 'bolt' }] },
        { id: 2, part: [] },
      ],
    });
    const row = { id: command === 'serve' ? 100 : 101, name: 'new' };
    expect(await client.from('item').insert(row).select().single()).toMatchObject({ status: 201, data: row });
    expect(await client.from('item').update({ name: 'newer' }).eq('id', row.id)).toMatchObject({ status: 204 });
    expect(await client.from('item').delete().eq('id', row.id).select('name')).toMatchObject({
      data: [{ name: 'newer' }],
    });
    expect(await client.from('item').select('*', { count: 'exact', head: true })).toMatchObject({
      count: 3,
      data: null,
    });
    // The key in `apikey` is the token.
    expect(await client.rpc('role')).toMatchObject({ data: db.author });
    expect(await client.from('item').select().eq('id', 0).single()).toMatchObject({
      status: 406,
      error: { code: 'PGRST116' },
    });
    const gone = AbortSignal.abort();
    expect((await client.from('item').select().abortSignal(gone)).error?.message).toContain('AbortError');
  });

  test('what is not below the path is not there, and the database does not see the path', async () => {
    for (const path of ['/item', '/', '/rest/v10/item']) {
      const { status, text } = await ask(port, path);
      expect([status, JSON.parse(text)]).toMatchObject([404, { code: 'EDGE010' }]);
    }
    expect(JSON.parse((await ask(port, '/rest/v1/rpc/path')).text)).toBe('/rpc/path');
    expect((await ask(port, '/rest/v1')).status).toBe(200);
  });

  test('the apikey counts only where there is no Authorization', async () => {
    const roleFor = async (headers: Readonly<Record<string, string>>): Promise<unknown> => {
      const { text } = await ask(port, '/rest/v1/rpc/role', { headers });
      return JSON.parse(text);
    };
    expect(await roleFor({ apikey })).toBe(db.author);
    expect(await roleFor({})).toBe(db.anon);
    expect(await roleFor({ apikey: 'no token', authorization: `Bearer ${await db.token({ role: db.anon })}` })).toBe(
      db.anon,
    );
    expect(await roleFor({ apikey: 'no token' })).toMatchObject({ code: 'PGRST301' });
  });

  test('a trace is passed on to the database, where it is one', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const traced = async (value: string): Promise<unknown> => {
      const { text } = await ask(port, '/rest/v1/rpc/trace', { headers: { traceparent: value } });
      return JSON.parse(text);
    };
    expect(await traced(traceparent)).toBe(traceparent);
    // The setting ends with the transaction.
    for (const value of ['00-0-0-00', 'x', '']) expect((await traced(value)) || null).toBeNull();
  });
});

test('without the switches, path and key are nothing special', async () => {
  const { port } = await db.serve();
  expect((await ask(port, '/rest/v1/item')).status).toBe(404);
  expect(JSON.parse((await ask(port, '/rpc/role', { headers: { apikey: await db.token() } })).text)).toBe(db.anon);
});
