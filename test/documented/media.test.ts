/** What PostgREST's documentation says of media type handlers, domain representations and schemas: the examples. */
import { describe, expect, test } from 'vitest';
import { documented } from './server.ts';

describe('media type handlers', () => {
  const { get } = documented(String.raw`
    create domain "application/vnd.twkb" as bytea;
    create domain "text/csv" as text;
    create domain "*/*" as bytea;
    create table lines (id int primary key, name text, geom text);
    insert into lines values (1, 'line-1', '(1 1,5 5)'), (2, 'line-2', '(2 2,6 6)');
    create function twkb(text) returns bytea language sql immutable as $$ select '\xa200'::bytea || convert_to($1, 'UTF8') $$;

    create function get_line(id int) returns "application/vnd.twkb" language sql stable as $$
      select twkb(geom) from lines where id = get_line.id
    $$;
    create function twkb_handler_transition(state bytea, next lines) returns "application/vnd.twkb" language sql stable as $$
      select state || twkb(next.geom)
    $$;
    create aggregate twkb_agg(lines) (initcond = '', stype = "application/vnd.twkb", sfunc = twkb_handler_transition);
    create function get_lines() returns setof lines language sql stable as $$ select * from lines $$;

    create function bom_csv_trans(state text, next lines) returns "text/csv" language sql stable as $$
      select state || next.id::text || ',' || next.name || ',' || next.geom::text || E'\n'
    $$;
    create function bom_csv_final(data "text/csv") returns "text/csv" language sql volatile as $$
      select set_config('response.headers', '[{"Content-Disposition": "attachment; filename=\"lines.csv\""}]', true);
      select convert_from(decode(E'EFBBBF', 'hex'), 'UTF8') || (E'id,name,geom\n' || data);
    $$;
    create aggregate bom_csv_agg(lines) (initcond = '', stype = "text/csv", sfunc = bom_csv_trans, finalfunc = bom_csv_final);

    create view "lines.xml" as select * from lines;
    create function lines_xml_trans(state "*/*", next "lines.xml") returns "*/*" language sql stable as $$
      select state || convert_to('<line id="' || next.id || '"/>' || E'\n', 'UTF8')
    $$;
    create function lines_xml_final(data "*/*") returns "*/*" language plpgsql as $$
    declare req_accept text := current_setting('request.headers', true)::json->>'accept';
    begin
      if req_accept = '*/*' then
        perform set_config('response.headers', json_build_array(json_build_object('Content-Type', 'text/xml'))::text, true);
      elsif req_accept in ('application/xml', 'text/xml') then
        perform set_config('response.headers', json_build_array(json_build_object('Content-Type', req_accept))::text, true);
      else
        raise sqlstate 'PT415' using message = 'Unsupported Media Type';
      end if;
      return data;
    end $$;
    create aggregate lines_xml_agg("lines.xml") (
      initcond = '', stype = "*/*", sfunc = lines_xml_trans, finalfunc = lines_xml_final
    );
  `);

  const twkb = { Accept: 'application/vnd.twkb' };
  const shown = async (target: string, headers: Readonly<Record<string, string>>) => {
    const answer = await get(target, headers);
    return [answer.status, answer.headers.get('content-type'), answer.text];
  };

  test('of a function, a table, and a function that returns its rows', async () => {
    const line = (text: string): string => `\ufffd\0${text}`;
    expect(await shown('/rpc/get_line?id=1', twkb)).toEqual([200, 'application/vnd.twkb', line('(1 1,5 5)')]);
    const both = [200, 'application/vnd.twkb', line('(1 1,5 5)') + line('(2 2,6 6)')];
    expect(await shown('/lines?order=id', twkb)).toEqual(both);
    expect(await shown('/rpc/get_lines?order=id', twkb)).toEqual(both);
    expect((await get('/lines.xml', twkb)).status).toBe(415);
  });

  test('instead of a builtin one', async () => {
    const { status, headers, text } = await get('/lines?order=id', { Accept: 'text/csv' });
    expect([status, headers.get('content-type'), headers.get('content-disposition')]).toEqual([
      200,
      'text/csv; charset=utf-8',
      'attachment; filename="lines.csv"',
    ]);
    expect(text).toBe('id,name,geom\n1,line-1,(1 1,5 5)\n2,line-2,(2 2,6 6)\n');
  });

  test('for any media type', async () => {
    const xml = '<line id="1"/>\n<line id="2"/>\n';
    expect(await shown('/lines.xml?order=id', { Accept: '*/*' })).toEqual([200, 'text/xml', xml]);
    expect(await shown('/lines.xml?order=id', { Accept: 'application/xml' })).toEqual([200, 'application/xml', xml]);
    expect(await shown('/lines.xml?order=id', { Accept: 'text/xml' })).toEqual([200, 'text/xml', xml]);
    expect((await get('/lines.xml', { Accept: 'unknown/media' })).status).toBe(415);
  });
});

describe('domain representations', () => {
  const { get, ask } = documented(`
    create domain app_uuid as uuid;
    create table profiles (id app_uuid primary key, name text);
    insert into profiles values ('846c4ffd-92ce-4de7-8d11-8e29929f4ec4', 'John Doe');
    create function "json"(app_uuid) returns json language sql immutable as $$ select to_json(encode(uuid_send($1), 'base64')) $$;
    create cast (app_uuid as json) with function "json"(app_uuid) as implicit;
    create function app_uuid(text) returns app_uuid language sql immutable as $$
      select substring(decode($1, 'base64')::text from 3)::uuid
    $$;
    create cast (text as app_uuid) with function app_uuid(text) as implicit;
    create function app_uuid(json) returns app_uuid language sql immutable as $$ select app_uuid($1 #>> '{}') $$;
    create cast (json as app_uuid) with function app_uuid(json) as implicit;
    create view people as select id as key, name from profiles;
    create view stored as select id::uuid, name from profiles;
  `);
  const john = '[{"id":"hGxP/ZLOTeeNEY4pkp9OxA==","name":"John Doe"}]';

  test('are read', async () => {
    expect((await get('/profiles?name=eq.John Doe')).text).toBe(john);
    expect((await get('/people?name=eq.John Doe&select=key')).text).toBe('[{"key":"hGxP/ZLOTeeNEY4pkp9OxA=="}]');
  });

  test('are filtered by', async () => {
    expect((await get('/profiles?id=eq.hGxP/ZLOTeeNEY4pkp9OxA==')).text).toBe(john);
    expect((await get('/profiles?id=in.(hGxP/ZLOTeeNEY4pkp9OxA==,zH7HbFJUTfy/GZpwuirpug==)')).text).toBe(john);
    expect((await get('/profiles?or=(id.eq.hGxP/ZLOTeeNEY4pkp9OxA==,name.eq.x)')).text).toBe(john);
  });

  test('are written', async () => {
    const jane = { id: 'zH7HbFJUTfy/GZpwuirpuQ==', name: 'Jane Doe' };
    const { status, json } = await ask('POST', '/profiles', {
      headers: { Prefer: 'return=representation' },
      body: jane,
    });
    expect({ status, json }).toEqual({ status: 201, json: [jane] });
    expect((await get('/stored?select=id&name=eq.Jane Doe')).json).toEqual([
      { id: 'cc7ec76c-5254-4dfc-bf19-9a70ba2ae9b9' },
    ]);
  });
});

describe('schemas', () => {
  const { get, ask } = documented(
    `create schema tenant1; create schema tenant2; create schema tenant3;
     create table tenant1.items (id int primary key); insert into tenant1.items values (1);
     create table tenant2.items (id int primary key); insert into tenant2.items values (2);
     create function tenant2.path() returns text stable language sql as $$ select current_setting('search_path') $$;`,
    {},
    ['tenant1', 'tenant2'],
  );

  test('are chosen by a header', async () => {
    expect((await get('/items')).text).toBe('[{"id":1}]');
    const { text, headers } = await get('/items', { 'Accept-Profile': 'tenant2' });
    expect([text, headers.get('content-profile')]).toEqual(['[{"id":2}]', 'tenant2']);
    expect((await get('/rpc/path', { 'Accept-Profile': 'tenant2' })).json).toBe('"tenant2", "public"');
    const profile = { 'Content-Profile': 'tenant2' };
    expect((await ask('POST', '/items', { headers: profile, body: { id: 3 } })).status).toBe(201);
    expect((await get('/items?order=id', { 'Accept-Profile': 'tenant2' })).json).toEqual([{ id: 2 }, { id: 3 }]);
  });

  test('that are not exposed are refused', async () => {
    const { status, text } = await get('/items', { 'Accept-Profile': 'tenant3' });
    expect([status, text]).toEqual([
      406,
      '{"code":"PGRST106","details":null,"hint":"Only the following schemas are exposed: tenant1, tenant2","message":"Invalid schema: tenant3"}',
    ]);
  });
});
