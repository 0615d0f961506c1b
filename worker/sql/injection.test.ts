import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { COLUMN } from '../../shared/sql/columns.ts';
import { qualified, quoteIdent } from '../../shared/sql/identifiers.ts';
import { createDatabase, type TestDatabase } from '../../test/postgres.ts';
import type { ReadPlan } from '../plan/types.ts';
import { arrayLiteral } from './parameters.ts';
import { compile } from './statements.ts';
import {
  callPlan,
  equals,
  facts,
  field,
  filter,
  insert,
  mutatePlan,
  parameter,
  read,
  readPlan,
  routine,
  select,
} from './testing/plans.ts';
import { answerOf, type Runner, runner } from './testing/run.ts';

let database: TestDatabase;
let server: Runner;

beforeAll(async () => {
  database = await createDatabase('sql_injection', 'create schema api; create table api.t (id int, v text);');
  server = runner(database.uri);
});

afterAll(async () => {
  await server?.end();
  await database?.drop();
});

const hostile = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        '"',
        "'",
        '\\',
        '$1',
        '$$',
        ';',
        '--',
        '/*',
        '*/',
        ')',
        '(',
        ',',
        '::text',
        ' or ',
        '%',
        '{',
        '}',
        '\n',
        'é',
      ),
      fc.string({ minLength: 1, maxLength: 3, unit: 'grapheme' }),
    ),
    { minLength: 1, maxLength: 8 },
  )
  .map((parts) => parts.join('').replaceAll('\0', ''))
  // PostgreSQL cuts names after 63 bytes; a lone star stands for all columns.
  .filter((name) => name !== '' && name !== '*' && Buffer.byteLength(name) <= 63 && name.isWellFormed());

/** Every construct that carries names and values, with one name and one value everywhere. */
function everything(name: string, value: string) {
  const named = field(name, { path: [{ operator: '->>', operand: { kind: 'key', value } }] });
  const order = [
    { kind: 'field', field: named, direction: 'asc', nulls: null },
    { kind: 'relation', relation: name, field: { name, path: [] }, direction: null, nulls: null },
  ] as const;
  const child: ReadPlan = read(
    name,
    { select: [select(name, { alias: name })], fromAlias: name, order },
    {
      aggregateAlias: name,
      joinConditions: [
        {
          left: { relation: qualified(name, name), column: name },
          right: { relation: qualified('', name), column: name },
        },
      ],
    },
  );
  const tree = read(name, {
    from: qualified(name, name),
    select: [select(name, { field: named, alias: name })],
    where: [
      filter(named, { kind: 'quant', operator: 'like', quantifier: 'any', value }),
      filter(name, { kind: 'in', values: [value, value] }),
      filter(name, { kind: 'simple', operator: 'cs', value }),
      filter(name, { kind: 'isdistinct', value }, true),
      filter(field(name, { toTsVector: { language: value } }), {
        kind: 'fts',
        operator: 'wfts',
        language: value,
        value,
      }),
      { kind: 'null-embed', negated: false, alias: name },
    ],
    order,
    range: { offset: 1n, limit: 2n },
    relationSelect: [{ kind: 'json', name, alias: name, mode: 'array', empty: false }],
    children: [child],
  });
  const columns = [field(name, { type: 'text', default: '1' })];
  const write = insert(name, columns, {
    returning: [name],
    primaryKey: [name],
    applyDefaults: true,
    onConflict: { resolution: 'merge-duplicates', columns: [name] },
    where: [equals(name, value)],
  });
  const direct = { kind: 'direct', values: new Map([[name, value]]) } as const;
  const parameters = { kind: 'keyed', parameters: [parameter(name, 'text')] } as const;
  const more = { parameters, arguments: direct, returning: [name], returnsScalar: false };
  return [
    ...compile(readPlan(tree), facts({ count: 'estimated' }, { maxRows: 10 })),
    ...compile(mutatePlan(write), facts({ representation: 'headers-only' })),
    ...compile(callPlan(routine(name), more), facts()),
  ];
}

// PostgreSQL docs, 4.1: quoted identifiers, and string constants without and with escapes.
const QUOTED = /"(?:[^"]|"")*"|\bE'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'/gs;

/** The text without what stands in quotes. */
const skeleton = (text: string): string => text.replace(QUOTED, (quoted) => (quoted.startsWith('"') ? '""' : "''"));

describe('names and values', () => {
  test('never change the statement around them', () => {
    const expected = everything('name', 'value').map((s) => skeleton(s.text));
    fc.assert(
      fc.property(hostile, fc.string({ unit: 'binary' }), (name, value) => {
        expect(everything(name, value).map((s) => skeleton(s.text))).toEqual(expected);
      }),
    );
  });

  test('that are different give the same text as long as the names are the same', () => {
    const texts = (value: string) => everything('name', value).map((s) => s.text);
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        expect(texts(value)).toEqual(texts('x'));
      }),
    );
  });

  test('pages and lists of any length share their text', () => {
    const text = (limit: bigint, values: string[]) =>
      compile(
        readPlan(read('t', { where: [filter('id', { kind: 'in', values })], range: { offset: limit, limit } })),
        facts(),
      )[0]?.text;
    expect(text(1n, ['1'])).toBe(text(99n, ['4', '5', '6']));
  });
});

describe('on a server', () => {
  test('hostile names are columns like any other', async () => {
    await fc.assert(
      fc.asyncProperty(hostile, fc.string({ unit: 'grapheme' }), async (name, anyValue) => {
        const value = anyValue.replaceAll('\0', '');
        await database.sql.unsafe(`drop table if exists api.h; create table api.h (${quoteIdent(name)} text)`).simple();
        const write = insert('h', [field(name, { type: 'text' })], { returning: [name], primaryKey: [name] });
        const body = { read: read('', { from: qualified('', 'pgrst_source'), select: [select(name)] }) };
        await server.run(compile(mutatePlan(write, body), facts()), JSON.stringify({ [name]: value }));
        const where = [equals(name, value), filter(name, { kind: 'in', values: [value, 'other'] })];
        const order = [{ kind: 'field', field: field(name), direction: 'desc', nulls: null }] as const;
        const [rows] = await server.run(
          compile(readPlan(read('h', { select: [select(name)], where, order })), facts()),
        );
        expect(JSON.parse(rows?.[0]?.[COLUMN.body] ?? '')).toEqual([{ [name]: value }]);
      }),
      { numRuns: 40 },
    );
  });

  test('array literals give back every element', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.string({ unit: 'grapheme' })), async (given) => {
        const values = given.map((v) => v.replaceAll('\0', ''));
        const [row] = await database.sql.unsafe('select to_json($1::text::text[])::text as j', [arrayLiteral(values)]);
        expect(JSON.parse(String(row?.j))).toEqual(values);
      }),
      { numRuns: 40 },
    );
  });
});

describe('what we name is found in pg_catalog', () => {
  // A search_path with a schema before pg_catalog, and types of the same name in pg_temp, as a function may leave behind.
  const hijack = `
    create schema evil;
    create function evil.json_agg(anyelement) returns text language sql as $$ select 'hijacked'::pg_catalog.text $$;
    create function evil.set_config(text, text, boolean) returns text language sql as $$ select 'hijacked'::pg_catalog.text $$;
    create function evil.current_setting(text, boolean) returns text language sql as $$ select 'hijacked'::pg_catalog.text $$;
    create function evil.count(anyelement) returns bigint language sql as $$ select 666::pg_catalog.int8 $$;
    create function evil.json_to_record(json) returns record language plpgsql as $$ begin return row(666); end $$;
    create function evil.row_to_json(record) returns json language plpgsql as $$ begin return '"hijacked"'; end $$;
    create domain evil.json as pg_catalog.text;
    create domain evil.jsonb as pg_catalog.text;
    create domain evil.text as pg_catalog.int4;
    create table evil.pgrst_source (id int);
  `;

  test('also with another search_path', async () => {
    const victim = await createDatabase(
      'sql_hijack',
      `create schema api; create table api.t (id int, v pg_catalog.text); ${hijack}`,
    );
    await victim.sql.unsafe(`alter database ${quoteIdent(victim.name)} set search_path to evil, pg_catalog`);
    const session = runner(victim.uri);
    try {
      const write = insert('t', [field('id', { type: 'int' })], {
        returning: ['id'],
        onConflict: { resolution: 'merge-duplicates', columns: [] },
      });
      const singular = { handler: { kind: 'json' }, mediaType: { kind: 'singular', stripped: false } } as const;
      const plan = mutatePlan(write, { ...singular, read: read('', { from: qualified('', 'pgrst_source') }) });
      const [main] = await session.run(
        compile(plan, facts({ resolution: 'merge-duplicates', representation: 'headers-only' })),
        '{"id":1}',
      );
      expect(main?.[0]).toEqual(['', '1', '1', '["id=eq.1"]', '1', null, null, '[{"id":1}]']);
      const child = read('t', { select: [select('id')], fromAlias: 'u' }, { aggregateAlias: 't_u' });
      const embed = { kind: 'json', name: 'u', alias: 't_u', mode: 'object', empty: false } as const;
      const tree = read('t', {
        select: [select('id')],
        relationSelect: [embed],
        children: [child],
        range: { offset: 0n, limit: 5n },
      });
      const counted = facts({ count: 'exact' }, { topLevelRange: { offset: 0n, limit: 5n } });
      const [rows] = await session.run(compile(readPlan(tree), counted));
      expect(answerOf(rows?.[0])).toEqual(['1', '1', '[{"id":1,"u":{"id": 1}}]']);
      const [csv] = await session.run(
        compile(readPlan(read('t', { select: [select('id')] }), { handler: { kind: 'csv' } }), facts()),
      );
      expect(csv?.[0]?.[COLUMN.body]).toBe('id\n1');
    } finally {
      await session.end();
      await victim.drop();
    }
  });
});

test('placeholders get the types of what they stand beside', async () => {
  const bound = await createDatabase('sql_types', 'create schema api; create table api.t (id int, v text, j jsonb)');
  const session = runner(bound.uri);
  try {
    const key = field('j', {
      path: [
        { operator: '->', operand: { kind: 'key', value: 'a' } },
        { operator: '->', operand: { kind: 'index', value: '0' } },
      ],
    });
    const tree = read('t', {
      select: [select('id')],
      where: [
        equals('id', '1'),
        filter('id', { kind: 'in', values: ['1'] }),
        filter(key, { kind: 'quant', operator: 'eq', quantifier: null, value: '1' }),
        filter(field('v', { toTsVector: { language: 'simple' } }), {
          kind: 'fts',
          operator: 'fts',
          language: 'simple',
          value: 'x',
        }),
      ],
      range: { offset: 1n, limit: 2n },
    });
    const [main] = compile(readPlan(tree), facts());
    const expected = [
      'integer',
      'integer[]',
      'text',
      'integer',
      'jsonb',
      'regconfig',
      'regconfig',
      'text',
      'bigint',
      'bigint',
    ];
    expect(main === undefined ? [] : await session.types(main)).toEqual(expected);
    const [write] = compile(mutatePlan(insert('t', [field('id', { type: 'int' })])), facts());
    expect(write === undefined ? [] : await session.types(write)).toEqual(['json']);
    const statements = compile(
      mutatePlan({ kind: 'delete', target: qualified('api', 't'), where: [], returning: [] }),
      facts({ handling: 'strict', maxAffected: 1n }),
    );
    expect(statements[1] === undefined ? [] : await session.types(statements[1])).toEqual(['bigint']);
  } finally {
    await session.end();
    await bound.drop();
  }
});
