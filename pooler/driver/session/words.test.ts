import { describe, expect, test } from 'vitest';
import { noTraces, tracesOf } from './words.ts';

describe('the traces of a text', () => {
  test.each(['select f(1)', 'insert into t values (1) returning id', 'update t set_ = 1'])('none: %s', (text) =>
    expect(tracesOf(text)).toBe(noTraces),
  );

  test('none, surely, of what only reads, whatever words are in it', () => {
    expect(tracesOf("select 'listen', 'pg_advisory_lock' from t")).toEqual({ ...noTraces, plain: true });
  });

  test.each([
    ['select pg_advisory_lock(1)', { state: true, locks: true }],
    ['prepare p as select 1', { state: true, prepared: true }],
    ['LISTEN news', { state: true }],
    ['declare c cursor with hold for select 1', { state: true }],
    ['create temp table t (a int)', { state: true }],
    ["set app.tenant = 'x'", { custom: ['app.tenant'] }],
    [`SET LOCAL "My App" . Tenant TO 1`, { custom: ['My App.Tenant'] }],
    ["select set_config('app.user', $1, false)", { settings: true, custom: ['app.user'], unnamed: false }],
    ["select pg_catalog.set_config('work_mem', '1MB', false)", { settings: true, custom: [], unnamed: false }],
    ['select set_config($1, $2, true)', { settings: false, unnamed: false }],
    ["select set_config('app.user', $1::text, true)", { settings: false, unnamed: false, custom: [] }],
    ['select set_config($1, $2, false)', { settings: true, unnamed: true }],
    ["select set_config(case when a then 'x' end, 'y', false)", { settings: true, unnamed: true }],
  ])('%s', (text, expected) => expect(tracesOf(text)).toMatchObject(expected));
});
