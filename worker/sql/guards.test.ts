import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { qualified } from '../../shared/sql/identifiers.ts';
import { createDatabase, type TestDatabase } from '../../test/postgres.ts';
import type { Preferences } from '../request/types.ts';
import { readGuardFailure } from './guards.ts';
import { compile } from './statements.ts';
import {
  callPlan,
  facts,
  field,
  filter,
  insert,
  mutatePlan,
  parameter,
  read,
  readPlan,
  routine,
  SCHEMA,
} from './testing/plans.ts';
import { type Runner, runner } from './testing/run.ts';
import { SCRIPT } from './testing/schema.ts';

let database: TestDatabase;
let server: Runner;

beforeAll(async () => {
  database = await createDatabase('sql_guards', SCRIPT);
  server = runner(database.uri);
});

afterAll(async () => {
  await server?.end();
  await database?.drop();
});

const singular = { mediaType: { kind: 'singular', stripped: false } } as const;
const strict = (maxAffected: bigint): Partial<Preferences> => ({ handling: 'strict', maxAffected });
const below = (id: number) =>
  ({
    kind: 'delete',
    target: qualified(SCHEMA, 'tasks'),
    where: [filter('id', { kind: 'quant', operator: 'lt', quantifier: null, value: id.toString() })],
    returning: [],
  }) as const;

const remove = (id: number, preferences: Partial<Preferences>, more: Parameters<typeof mutatePlan>[1] = {}) =>
  server.run(compile(mutatePlan(below(id), { handler: { kind: 'none' }, ...more }), facts(preferences)));

/** The guard's code and count. */
const broken = async (work: Promise<unknown>) => {
  const error: unknown = await work.then(
    () => null,
    (e: unknown) => e,
  );
  if (!(error instanceof Error) || !('code' in error)) return null;
  return readGuardFailure(String(error.code), error.message);
};

const left = async () => Number((await database.sql`select count(*) from api.tasks`)[0]?.count);

describe('a guard that does not hold undoes the write', () => {
  test('singular', async () => {
    expect(await broken(remove(3, {}, singular))).toEqual({ code: 'PGRST116', count: '2' });
    expect(await broken(remove(0, {}, singular))).toEqual({ code: 'PGRST116', count: '0' });
    expect(await left()).toBe(3);
  });

  test('max-affected', async () => {
    expect(await broken(remove(99, strict(2n)))).toEqual({ code: 'PGRST124', count: '3' });
    expect(await broken(remove(99, strict(-1n)))).toEqual({ code: 'PGRST124', count: '3' });
    expect(await left()).toBe(3);
  });

  test('both: the singular one first', async () => {
    expect(await broken(remove(99, strict(0n), singular))).toEqual({ code: 'PGRST116', count: '3' });
    expect(await broken(remove(2, strict(0n), singular))).toEqual({ code: 'PGRST124', count: '1' });
  });

  test('of a call that may write', async () => {
    const returns = {
      set: true,
      kind: 'scalar',
      type: qualified('pg_catalog', 'int4'),
      isAlias: false,
      isValue: false,
    } as const;
    const numbers = routine('numbers', { parameters: [parameter('n', 'integer')], returns });
    const call = (n: string, preferences: Partial<Preferences>, more: Parameters<typeof callPlan>[2] = {}) =>
      server.run(
        compile(
          callPlan(numbers, { arguments: { kind: 'direct', values: new Map([['n', n]]) } }, more),
          facts(preferences),
        ),
      );
    expect(await broken(call('3', {}, singular))).toEqual({ code: 'PGRST116', count: '3' });
    expect(await broken(call('1', {}, singular))).toBeNull();
    expect(await broken(call('3', strict(2n)))).toEqual({ code: 'PGRST124', count: '3' });
    expect(await broken(call('3', strict(3n)))).toBeNull();
  });
});

test('a guard that holds commits, also a second time on the same connection', async () => {
  expect(await broken(remove(2, strict(1n), singular))).toBeNull();
  expect(await left()).toBe(2);
  expect(await broken(remove(3, strict(1n), singular))).toBeNull();
  expect(await left()).toBe(1);
});

describe('no guard', () => {
  const one = (statements: readonly unknown[]) => expect(statements).toHaveLength(1);

  test('for reads, calls that only read, and functions with a single result', () => {
    one(compile(readPlan(read('tasks'), singular), facts(strict(1n))));
    const rows = routine('numbers', {
      returns: { set: true, kind: 'scalar', type: qualified('pg_catalog', 'int4'), isAlias: false, isValue: false },
    });
    one(compile(callPlan(rows, {}, { ...singular, access: 'read only' }), facts()));
    one(compile(callPlan(routine('nothing'), {}, singular), facts()));
  });

  test('for lenient limits, limits on inserts, and plans', () => {
    one(compile(mutatePlan(below(9)), facts({ handling: 'lenient', maxAffected: 1n })));
    one(compile(mutatePlan(below(9)), facts({ maxAffected: 1n })));
    one(compile(mutatePlan(insert('tasks', [field('id', { type: 'integer' })])), facts(strict(1n))));
    const mediaType = { kind: 'plan', for: singular.mediaType, format: 'json', options: [] } as const;
    one(compile(mutatePlan(below(9), { mediaType }), facts(strict(1n))));
  });
});

test('only a failed cast of our own text is a guard', () => {
  const message = 'ungültige Eingabesyntax für Typ integer: »edgerest guard PGRST116 12«';
  expect(readGuardFailure('22P02', message)).toEqual({ code: 'PGRST116', count: '12' });
  expect(readGuardFailure('P0001', message)).toBeNull();
  expect(readGuardFailure('22P02', 'invalid input syntax for type integer: "x"')).toBeNull();
  expect(readGuardFailure('22P02', 'edgerest guard PGRST999 1')).toBeNull();
});
