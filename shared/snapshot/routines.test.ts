import { beforeAll, expect, test } from 'vitest';
import { api, introspect, routineOf } from '../../test/introspect.ts';
import type { Schema } from './schema.ts';

let schema: Schema;

beforeAll(async () => {
  schema = await introspect(
    `
    create schema private;
    create table things (id int primary key);
    create type pair as (a int, b text);
    create domain pair_alias as pair;
    create domain small as smallint;
    create function void_one() returns void language sql as '';
    create function scalar(a int, b text default 'x') returns int language sql immutable as 'select a';
    create function domained() returns small language sql as 'select 1::smallint';
    create function numbers() returns setof int language sql stable as 'select 1';
    create function one_thing() returns things language sql as 'select null::things';
    create function all_things() returns setof things language sql as 'select null::things';
    create function composite() returns pair language sql as 'select null::pair';
    create function aliased() returns pair_alias language sql as 'select null::pair_alias';
    create function tabled(n int) returns table (x int, y text) language sql as 'select 1, ''a''';
    create function outs(n int, out x int, inout y text) language sql as 'select 1, y';
    create function out_first(out x int, n int) language sql as 'select n';
    create function one_out(n int, out x text) language sql as 'select n::text';
    create function one_column() returns table (x small) language sql as 'select 1::smallint';
    create function one_thing_out(out x things) language sql as 'select null::things';
    create function recorded() returns record language sql as 'select 1, 2';
    create function many(a text, variadic rest int[]) returns int language sql as 'select 1';
    create function cut(a char, b bit, c char[], d varchar(3), e bit[]) returns int language sql as 'select 1';
    create function unnamed_json(json) returns int language sql as 'select 1';
    create function unnamed_int(int) returns int language sql as 'select 1';
    create function unnamed_two(json, json) returns int language sql as 'select 1';
    create function partly_named(int, b int) returns int language sql as 'select 1';
    create function over(a int, b int) returns int language sql as 'select 1';
    create function over() returns int language sql as 'select 1';
    create function over(a text) returns int language sql as 'select 1';
    create function over(a int) returns int language sql as 'select 1';
    create function careful() returns int language sql
      set statement_timeout = '4s' set work_mem = '4MB' set default_transaction_isolation = 'SERIALIZABLE' as 'select 1';
    create function careless() returns int language sql set default_transaction_isolation = 'read uncommitted' as 'select 1';
    create function triggered() returns trigger language plpgsql as 'begin return new; end';
    create procedure procedural() language sql as '';
    create aggregate total(int) (sfunc = int4pl, stype = int);
    create function private.hidden() returns int language sql as 'select 1';
    `,
    { PGRST_DB_HOISTED_TX_SETTINGS: 'statement_timeout' },
  );
});

test('functions of the exposed schemas that a request can call', () => {
  expect([...new Set(schema.snapshot.routines.map((r) => r.name))]).toEqual([
    'aliased',
    'all_things',
    'careful',
    'careless',
    'composite',
    'cut',
    'domained',
    'many',
    'numbers',
    'one_column',
    'one_out',
    'one_thing',
    'one_thing_out',
    'out_first',
    'outs',
    'over',
    'partly_named',
    'recorded',
    'scalar',
    'tabled',
    'unnamed_json',
    'void_one',
  ]);
});

test('what they return', () => {
  const returns = (name: string): string => {
    const { set, kind, type, isAlias, isValue } = routineOf(schema, name).returns;
    const more = `${isAlias ? ' alias' : ''}${isValue ? ' value' : ''}`;
    return `${set ? 'setof ' : ''}${kind} ${type.schema}.${type.name}${more}`;
  };
  expect(returns('void_one')).toBe('scalar pg_catalog.void');
  expect(returns('scalar')).toBe('scalar pg_catalog.int4');
  expect(returns('domained')).toBe('scalar pg_catalog.int2');
  expect(returns('numbers')).toBe('setof scalar pg_catalog.int4');
  expect(returns('one_thing')).toBe('composite api.things');
  expect(returns('all_things')).toBe('setof composite api.things');
  expect(returns('composite')).toBe('composite api.pair');
  expect(returns('aliased')).toBe('composite api.pair alias');
  expect(returns('tabled')).toBe('setof composite pg_catalog.record');
  expect(returns('outs')).toBe('composite pg_catalog.record');
  expect(returns('one_out')).toBe('composite pg_catalog.text value');
  expect(returns('one_column')).toBe('setof composite pg_catalog.int2 alias value');
  expect(returns('one_thing_out')).toBe('composite api.things');
  expect(returns('recorded')).toBe('scalar pg_catalog.record');
});

test('parameters: only those that take a value, required without a default', () => {
  const parameters = (name: string): readonly string[] =>
    routineOf(schema, name).parameters.map(
      (p) => `${p.name} ${p.type}${p.required ? '' : '?'}${p.variadic ? '...' : ''}`,
    );
  expect(parameters('scalar')).toEqual(['a integer', 'b text?']);
  expect(parameters('tabled')).toEqual(['n integer']);
  expect(parameters('outs')).toEqual(['n integer', 'y text']);
  expect(parameters('out_first')).toEqual(['n integer']);
  expect(parameters('many')).toEqual(['a text', 'rest integer[]...']);
  expect(routineOf(schema, 'many').hasVariadic).toBe(true);
  expect(parameters('unnamed_json')).toEqual([' json']);
  expect(parameters('partly_named')).toEqual([' integer', 'b integer']);
});

test('types that would be cut to one character have another to cast to', () => {
  expect(routineOf(schema, 'cut').parameters.map((p) => [p.type, p.typeMaxLength])).toEqual([
    ['character', 'character varying'],
    ['bit', 'bit varying'],
    ['character[]', 'character varying[]'],
    ['character varying', 'character varying'],
    ['bit[]', 'bit varying[]'],
  ]);
});

test('overloads come with the fewest parameters first', () => {
  expect(schema.routines(api('over')).map((r) => r.parameters.map((p) => p.type).join())).toEqual([
    '',
    'integer',
    'text',
    'integer,integer',
  ]);
});

test('volatility, isolation and the hoisted settings', () => {
  expect(routineOf(schema, 'scalar')).toMatchObject({ volatility: 'immutable', isolation: null, settings: [] });
  expect(routineOf(schema, 'numbers').volatility).toBe('stable');
  expect(routineOf(schema, 'careful')).toMatchObject({
    volatility: 'volatile',
    isolation: 'serializable',
    settings: [['statement_timeout', '4s']],
  });
  expect(routineOf(schema, 'careless').isolation).toBe('read committed');
});
