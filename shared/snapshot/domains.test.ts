import { expect, test } from 'vitest';
import { api, introspect } from '../../test/introspect.ts';

test('casts between a domain and json or text are representations when implicit and by a function', async () => {
  const schema = await introspect(`
    create domain color as int; create domain "Odd" as text; create domain other as int;
    create function to_json(color) returns json language sql as 'select null::json';
    create function from_json(json) returns color language sql as 'select 1::api.color';
    create function from_text(text) returns "Odd" language sql as 'select null::api."Odd"';
    create function to_int(other) returns int language sql as 'select 1';
    create function explicit(other) returns json language sql as 'select null::json';
    create cast (color as json) with function to_json(color) as implicit;
    create cast (json as color) with function from_json(json) as implicit;
    create cast (text as "Odd") with function from_text(text) as implicit;
    create cast (other as int) with function to_int(other) as implicit;
    create cast (other as json) with function explicit(other) as assignment;
  `);
  expect(schema.representation('api.color', 'json')?.function).toBe('api.to_json');
  expect(schema.representation('json', 'api.color')?.function).toBe('api.from_json');
  expect(schema.representation('text', 'api."Odd"')?.function).toBe('api.from_text');
  expect(schema.snapshot.representations).toHaveLength(3);
});

test('media handlers: aggregates for a table or any, functions, domains named as media types', async () => {
  const schema = await introspect(`
    create schema types;
    create table things (id int);
    create domain "Text/Odd" as text; create domain "*/*" as bytea; create domain types."image/png" as bytea;
    create domain "not a type" as text;
    create function step(state "Text/Odd", next things) returns "Text/Odd" language sql as 'select null::api."Text/Odd"';
    create function any_step(state "*/*", next anyelement) returns "*/*" language sql as 'select null::api."*/*"';
    create aggregate odd(things) (initcond = '', stype = "Text/Odd", sfunc = step);
    create aggregate any_of(anyelement) (initcond = '', stype = "*/*", sfunc = any_step);
    create function picture(id int) returns types."image/png" language sql as 'select null::types."image/png"';
    create function pictures() returns setof types."image/png" language sql as 'select null::types."image/png"';
    create function plain() returns "not a type" language sql as 'select null::api."not a type"';
  `);
  expect(schema.mediaHandlers(api('things'))).toEqual([
    { target: api('things'), mediaType: 'Text/Odd', function: api('odd') },
  ]);
  expect(schema.mediaHandlers(null)).toEqual([{ target: null, mediaType: '*/*', function: api('any_of') }]);
  expect(schema.mediaHandlers(api('picture'))).toEqual([
    { target: api('picture'), mediaType: 'image/png', function: { schema: 'types', name: 'image/png' } },
  ]);
  expect(schema.mediaHandlers(api('pictures'))).toEqual([]);
});
