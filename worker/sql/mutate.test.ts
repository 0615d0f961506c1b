import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { COLUMN } from '../../shared/sql/columns.ts';
import { qualified } from '../../shared/sql/identifiers.ts';
import { createDatabase, type TestDatabase } from '../../test/postgres.ts';
import type { MutatePlan } from '../plan/types.ts';
import type { Preferences } from '../request/types.ts';
import { compile } from './statements.ts';
import { equals, facts, field, filter, insert, mutatePlan, SCHEMA, select, source } from './testing/plans.ts';
import { answerOf, type Runner, runner } from './testing/run.ts';
import { SCRIPT } from './testing/schema.ts';

let database: TestDatabase;
let server: Runner;

beforeAll(async () => {
  database = await createDatabase('sql_mutate', SCRIPT);
  server = runner(database.uri);
});

beforeEach(async () => {
  await database.sql`delete from api.clients where id > 2`;
  await database.sql`delete from api.things where id > 3`;
  await database.sql`update api.things set name = 'one' where id = 1`;
});

afterAll(async () => {
  await server?.end();
  await database?.drop();
});

const ID = field('id', { type: 'integer' });
const NAME = field('name', { type: 'text' });
const named = [select('id'), select('name')];

/** The main row of a write. */
const write = async (
  plan: MutatePlan,
  payload: unknown,
  preferences: Partial<Preferences> = {},
  more: Parameters<typeof mutatePlan>[1] = {},
) => {
  const statements = compile(mutatePlan(plan, { read: source({ select: named }), ...more }), facts(preferences));
  const [main] = await server.run(statements, typeof payload === 'string' ? payload : JSON.stringify(payload));
  return main?.[0] ?? [];
};

const array = { payload: { kind: 'json', isObject: false } } as const;

describe('insert', () => {
  test('an object', async () => {
    const row = await write(insert('clients', [ID, NAME]), { name: 'x', id: 3, other: 1 });
    expect(row[COLUMN.body]).toBe('[{"id":3,"name":"x"}]');
    expect(row[COLUMN.page]).toBe('1');
    expect(row[COLUMN.inserted]).toBe('');
  });

  test('an array', async () => {
    const row = await write(insert('clients', [ID, NAME], array), [
      { id: 3, name: 'x' },
      { id: 4, name: null },
    ]);
    expect(row[COLUMN.body]).toBe('[{"id":3,"name":"x"}, \n {"id":4,"name":null}]');
  });

  test('nothing, and rows of nothing but defaults', async () => {
    expect((await write(insert('things', [], array), []))[COLUMN.page]).toBe('0');
    expect((await write(insert('things', [], array), [{}, {}]))[COLUMN.page]).toBe('2');
    expect((await write(insert('things', []), {}))[COLUMN.body]).toContain('"name":"unnamed"');
  });

  test('with defaults for what is missing', async () => {
    const columns = [
      field('id', { type: 'integer', default: "nextval('api.things_id_seq'::regclass)" }),
      field('name', { type: 'text', default: "'unnamed'::text" }),
    ];
    const applied = { applyDefaults: true } as const;
    const one = await write(insert('things', columns, applied), { id: 1000 });
    expect(one[COLUMN.body]).toBe('[{"id":1000,"name":"unnamed"}]');
    const many = await write(insert('things', columns, { ...applied, ...array }), [{ id: 1001, name: 'x' }, {}]);
    expect(many[COLUMN.body]).toMatch(/^\[{"id":1001,"name":"x"}, \n {"id":\d+,"name":"unnamed"}\]$/);
    const none = await write(insert('things', [], applied), {});
    expect(none[COLUMN.page]).toBe('1');
  });

  test('with values that are converted from JSON', async () => {
    const color = field('color', { type: 'json', transform: '"api"."json_color"' });
    const plan = insert('paints', [ID, color], { returning: ['id', 'color'] });
    const tree = source({ select: [select('color')] });
    const row = await write(plan, { id: 3, color: '#000010' }, {}, { read: tree });
    expect(row[COLUMN.body]).toBe('[{"color":16}]');
  });

  test('tells where the one row is', async () => {
    const headersOnly = { representation: 'headers-only' } as const;
    const plan = insert('clients', [ID, NAME], { primaryKey: ['id'], returning: ['id'] });
    const none = { handler: { kind: 'none' } } as const;
    const row = await write(plan, { id: 3, name: 'x' }, headersOnly, none);
    expect(JSON.parse(row[COLUMN.location] ?? '')).toEqual(['id=eq.3']);
    expect(row[COLUMN.body]).toBe('');
    const many = insert('clients', [ID, NAME], { ...array, returning: ['id'] });
    expect((await write(many, [{ id: 4 }, { id: 5 }], headersOnly, none))[COLUMN.location]).toBeNull();
    const key = insert('clients', [ID, NAME], { primaryKey: ['id', 'name'], returning: ['id', 'name'] });
    const nullKey = await write(key, { id: 6 }, headersOnly, none);
    expect(JSON.parse(nullKey[COLUMN.location] ?? '')).toEqual(['id=eq.6', 'name=is.null']);
  });

  test('returns no columns that nobody asked for', () => {
    const plan = mutatePlan(insert('clients', [ID], { returning: [] }), { handler: { kind: 'none' } });
    expect(compile(plan, facts())[0]?.text).toContain(' RETURNING 1)');
  });
});

describe('upsert', () => {
  const conflict = (resolution: 'merge-duplicates' | 'ignore-duplicates', columns = ['id']) =>
    insert('clients', [ID, NAME], { ...array, onConflict: { resolution, columns } });

  test('merges, and counts what was inserted', async () => {
    const merge = { resolution: 'merge-duplicates' } as const;
    const plan = conflict('merge-duplicates');
    const mixed = await write(
      plan,
      [
        { id: 2, name: 'Apple' },
        { id: 3, name: 'x' },
      ],
      merge,
    );
    expect([mixed[COLUMN.page], mixed[COLUMN.inserted]]).toEqual(['2', '1']);
    const updated = await write(plan, [{ id: 3, name: 'y' }], merge);
    expect([updated[COLUMN.body], updated[COLUMN.inserted]]).toEqual(['[{"id":3,"name":"y"}]', '0']);
    expect((await write(plan, [], merge))[COLUMN.inserted]).toBeNull();
  });

  test('ignores', async () => {
    const ignore = { resolution: 'ignore-duplicates' } as const;
    const row = await write(
      conflict('ignore-duplicates'),
      [
        { id: 2, name: 'z' },
        { id: 3, name: 'x' },
      ],
      ignore,
    );
    expect(row[COLUMN.body]).toBe('[{"id":3,"name":"x"}]');
  });

  test('has nothing to resolve without a key', async () => {
    const row = await write(conflict('merge-duplicates', []), [{ id: 3 }], { resolution: 'merge-duplicates' });
    expect(row[COLUMN.inserted]).toBe('1');
  });

  test('of a single row must match the key in the URL', async () => {
    const put = insert('clients', [ID, NAME], {
      onConflict: { resolution: 'merge-duplicates', columns: ['id'] },
      where: [equals('id', '3')],
    });
    const single = { mutation: 'single-upsert' } as const;
    expect((await write(put, { id: 3, name: 'x' }, {}, single))[COLUMN.inserted]).toBe('1');
    expect((await write(put, { id: 3, name: 'y' }, {}, single))[COLUMN.inserted]).toBe('0');
    await expect(write(put, { id: 4, name: 'x' }, {}, single)).rejects.toThrow('edgerest guard PGRST115 0');
    expect(await database.sql`select name from api.clients where id > 2`).toEqual([{ name: 'y' }]);
  });
});

describe('update', () => {
  const update = (columns: readonly (typeof ID)[], more: Partial<MutatePlan & { kind: 'update' }> = {}) =>
    ({
      kind: 'update',
      target: qualified(SCHEMA, 'things'),
      columns,
      payload: { kind: 'json', isObject: true },
      where: [equals('id', '1')],
      returning: ['id', 'name'],
      applyDefaults: false,
      ...more,
    }) as const;

  test('rows that match', async () => {
    const row = await write(update([NAME]), { name: 'uno' });
    expect(answerOf(row)).toEqual(['', '1', '[{"id":1,"name":"uno"}]']);
    expect((await write(update([NAME], { where: [equals('id', '99')] }), { name: 'x' }))[COLUMN.body]).toBe('[]');
  });

  test('with nothing', async () => {
    expect((await write(update([]), {}))[COLUMN.body]).toBe('[]');
    const minimal = { handler: { kind: 'none' } } as const;
    expect((await write(update([], { returning: [] }), {}, {}, minimal))[COLUMN.page]).toBe('0');
  });

  test('with defaults', async () => {
    const columns = [field('name', { type: 'text', default: "'unnamed'::text" })];
    expect((await write(update(columns, { applyDefaults: true }), {}))[COLUMN.body]).toBe(
      '[{"id":1,"name":"unnamed"}]',
    );
  });
});

test('delete', async () => {
  await database.sql`insert into api.clients values (7, 'x'), (8, 'y')`;
  const where = [filter('id', { kind: 'quant', operator: 'gt', quantifier: null, value: '2' })];
  const plan = { kind: 'delete', target: qualified(SCHEMA, 'clients'), where, returning: ['id', 'name'] } as const;
  expect((await write(plan, ''))[COLUMN.body]).toBe('[{"id":7,"name":"x"}, \n {"id":8,"name":"y"}]');
  expect((await write({ ...plan, returning: [] }, '', {}, { handler: { kind: 'none' } }))[COLUMN.page]).toBe('0');
});

test('malformed JSON is the database to tell', async () => {
  await expect(write(insert('clients', [ID]), '{"id":')).rejects.toMatchObject({ code: '22P02' });
});
