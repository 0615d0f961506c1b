/** What a worker without a pooler must do, whichever way it reaches its database. */
import { beforeEach, expect, test } from 'vitest';
import { uniqueName } from '../postgres.ts';
import type { StandaloneDatabase } from './database.ts';

export type Ask = (target: string, init?: RequestInit) => Promise<Response>;

const codeOf = async (response: Response): Promise<unknown> => [response.status, (await response.json()).code];

/** Registers the tests. */
export function requests(database: () => StandaloneDatabase, ask: Ask): void {
  const as = async (claims?: Readonly<Record<string, unknown>>): Promise<Record<string, string>> => ({
    authorization: `Bearer ${await database().token(claims)}`,
    'content-type': 'application/json',
  });

  // What a test that failed has left is not there when it is tried again.
  beforeEach(async () => {
    await database().sql`delete from api.item where id > 3`;
  });

  test('reads, with filters and embeds, the bytes that PostgreSQL gives', async () => {
    const response = await ask('/item?select=id,name,done,data,at,part(name)&id=eq.1');
    expect(response.status).toBe(200);
    expect(await response.text()).toBe(
      '[{"id":1,"name":"one","done":true,"data":{"a": [1, "x"]},"at":"2026-11-24T00:00:00+00:00",' +
        '"part":[{"name": "bolt"}, {"name": "nut"}]}]',
    );
    const page = await ask('/item?order=id&limit=2', { headers: { prefer: 'count=exact' } });
    expect([page.status, page.headers.get('content-range')]).toEqual([206, '0-1/3']);
    expect(await (await ask('/item?done=is.true&data->a->>1=eq.x&select=id')).json()).toEqual([{ id: 1 }]);
  });

  test('runs as the role of the token, with all that belongs to a transaction', async () => {
    const { author, anon } = database();
    const asAuthor = await (await ask('/rpc/who', { headers: await as({ sub: 'é' }) })).json();
    expect(asAuthor).toEqual({
      role: author,
      claims: { role: author, sub: 'é' },
      method: 'GET',
      app: 'a value',
      timeout: '7s',
      isolation: 'read committed',
      read_only: 'on',
    });
    const asAnon = await (await ask('/rpc/who', { method: 'POST' })).json();
    expect(asAnon).toMatchObject({ role: anon, method: 'POST', timeout: '0', read_only: 'on' });
  });

  test('writes, and what must hold before the commit is asked for in the same transaction', async () => {
    const headers = await as();
    const body = JSON.stringify([
      { id: 20, name: 'twenty', done: true, data: { deep: ['"', '\\', 'é'] } },
      { id: 21, name: 'twenty-one', done: null, data: null },
    ]);
    const made = await ask('/item?select=id,name', {
      method: 'POST',
      body,
      headers: { ...headers, prefer: 'return=representation' },
    });
    expect([made.status, await made.json()]).toEqual([
      201,
      [
        { id: 20, name: 'twenty' },
        { id: 21, name: 'twenty-one' },
      ],
    ]);
    const singular = { ...headers, accept: 'application/vnd.pgrst.object+json', prefer: 'return=representation' };
    expect(await codeOf(await ask('/item?id=gte.20', { method: 'DELETE', headers: singular }))).toEqual([
      406,
      'PGRST116',
    ]);
    const strict = { ...headers, prefer: 'handling=strict,max-affected=1' };
    expect(await codeOf(await ask('/item?id=gte.20', { method: 'DELETE', headers: strict }))).toEqual([
      400,
      'PGRST124',
    ]);
    expect(await (await ask('/item?id=gte.20&select=data')).json()).toEqual([
      { data: { deep: ['"', '\\', 'é'] } },
      { data: null },
    ]);
    expect((await ask('/item?id=gte.20', { method: 'DELETE', headers })).status).toBe(204);
    expect(await (await ask('/item?id=gte.20')).json()).toEqual([]);
  });

  test('rolls back what is asked to be tried only, deferred constraints checked', async () => {
    const headers = { ...(await as()), prefer: 'tx=rollback,return=representation' };
    const insert = (name: string) =>
      ask('/item?select=id', { method: 'POST', headers, body: JSON.stringify({ id: 30, name }) });
    const tried = await insert('thirty');
    expect([tried.status, await tried.json()]).toEqual([201, [{ id: 30 }]]);
    expect(await codeOf(await insert('one'))).toEqual([409, '23505']);
    expect(await (await ask('/item?id=eq.30')).json()).toEqual([]);
  });

  test('answers errors of the database as ever', async () => {
    expect(await codeOf(await ask('/file'))).toEqual([401, '42501']);
    expect(await codeOf(await ask('/rpc/fail', { method: 'POST' }))).toEqual([418, 'PT418']);
    const headers = await as();
    const twice = await ask('/item', { method: 'POST', headers, body: '{"id": 31, "name": "one"}' });
    expect(await codeOf(twice)).toEqual([409, '23505']);
    expect(await codeOf(await ask('/item', { headers: { 'x-forbidden': 'yes' } }))).toEqual([401, '42501']);
    const write = await ask('/item', {
      method: 'POST',
      body: '{"id": 32, "name": "x"}',
      headers: { 'content-type': 'application/json' },
    });
    expect(await codeOf(write)).toEqual([401, '42501']);
  });

  test('passes bytes on as they are, both ways', async () => {
    const bytes = await ask('/rpc/bytes', { headers: { accept: 'application/octet-stream' } });
    expect([...new Uint8Array(await bytes.arrayBuffer())]).toEqual([0, 255, 16]);
    const sent = (body: BodyInit, type: string, target: string) =>
      ask(target, { method: 'POST', body, headers: { 'content-type': type } });
    const length = await sent(new Uint8Array([0, 1, 2, 250]), 'application/octet-stream', '/rpc/length');
    expect(await length.text()).toBe('4');
    // Large enough to pass through as it comes.
    const large = await sent(new Uint8Array(1_500_000).fill(255), 'application/octet-stream', '/rpc/length');
    expect(await large.text()).toBe('1500000');
    const text = 'é'.repeat(600_000);
    expect(await (await sent(text, 'text/plain', '/rpc/nul')).json()).toBe(text);
    expect(await (await sent('{"1": "é"}', 'text/plain', '/rpc/nul')).json()).toBe('{"1": "é"}');
    expect(await codeOf(await sent(new Uint8Array([0xff]), 'text/plain', '/rpc/nul'))).toEqual([400, '22021']);
  });

  test('refuses roles that are not for requests', async () => {
    const { login } = database();
    for (const role of [login, 'postgres', 'none', '']) {
      const response = await ask('/item', { headers: await as({ role }) });
      expect(await codeOf(response)).toEqual([403, 'EDGE007']);
    }
    expect((await ask('/item', { headers: { authorization: 'Bearer x.y.z' } })).status).toBe(401);
    expect((await ask('/item', { headers: await as({ exp: 1 }) })).status).toBe(401);
  });

  test('finds what was made a moment ago', async () => {
    const made = uniqueName('made');
    expect(await codeOf(await ask(`/${made}`))).toEqual([404, 'PGRST205']);
    const { sql, anon } = database();
    await sql.unsafe(
      `create table api.${made} (id int); grant select on api.${made} to ${anon}; insert into api.${made} values (7)`,
    );
    try {
      expect(await (await ask(`/${made}`)).json()).toEqual([{ id: 7 }]);
    } finally {
      await sql.unsafe(`drop table api.${made}`);
    }
  });

  test('describes itself, as far as the role may see', async () => {
    const document = async (headers: Record<string, string>) => {
      const response = await ask('/', { headers });
      expect([response.status, response.headers.get('content-type')]).toEqual([
        200,
        'application/openapi+json; charset=utf-8',
      ]);
      return await response.json();
    };
    const { sql } = database();
    await sql`comment on table api.part is 'What an item is made of'`;
    const ofAnon = await document({});
    expect(Object.keys(ofAnon.definitions)).toEqual(['item', 'part']);
    expect(ofAnon.definitions.part.description).toBe('What an item is made of');
    expect(ofAnon.paths['/rpc/who'].get).toBeDefined();
    const ofAuthor = await document(await as());
    expect(Object.keys(ofAuthor.definitions)).toEqual(['file', 'item', 'part']);
    expect((await ask('/', { method: 'HEAD' })).status).toBe(200);
  });

  test('a role that became privileged meanwhile is found out before anything runs', async () => {
    const { sql, author, login } = database();
    const late = `${author}_late`;
    await sql.unsafe(`create role ${late} bypassrls; grant ${late} to ${login}; grant usage on schema api to ${late}`);
    expect(await codeOf(await ask('/item', { headers: await as({ role: late }) }))).toEqual([403, 'EDGE007']);
    await sql.unsafe(`drop owned by ${late}; drop role ${late}`);
  });
}
