import { describe, expect, test } from 'vitest';
import { leavesNothing, prepareOf } from './statement.ts';

describe('leaves nothing behind', () => {
  test.each([
    'select 1',
    ' SELECT "id", "name" from "post" where "id" = $1',
    'select * from a join b on (a.x = b.x) where (a.x in ($1, $2) and not (b.y = any ($3)))',
    'select coalesce(a, $1), case when (b) then 1 else (2) end from t order by a limit ($2) offset $3',
    'select count(*), lower(a) from t group by (a)',
    'select * from (select a from t union (select b from u)) x, lateral (values (1), (2)) v',
    'select exists (select from t where x = $1)',
    'table post',
    'values (1, 2)',
  ])('%s', (text) => {
    expect(leavesNothing(text)).toBe(true);
  });
});

describe('may leave something behind', () => {
  test.each([
    "select set_config('a', 'b', false)",
    'select a, "f" (1) from t',
    'select a, f\n(1) from t',
    'select schema.f(1)',
    'select "select"(1)',
    'select été(1)',
    'select f/* */(1)',
    'select f -- \n (1)',
    'select * from f(1)',
    'select a into temp b from t',
    'select 1; set a = 1',
    'select join(1)',
    'select * from t for update',
    'select s.where(1)',
    'select s . where (1)',
    'select s. where(1)',
    'select where\u00a0(1)',
    'select 😀(1)',
    'select 😀 (1)',
    'insert into t values (1)',
    'with x as (insert into t values (1) returning *) select * from x',
    'set role x',
    'begin',
    '',
  ])('%s', (text) => {
    expect(leavesNothing(text)).toBe(false);
  });
});

test('what may be sent again is kept prepared', () => {
  for (const text of ['select 1', '\n INSERT into t', 'with a as (select 1) select', 'merge into t', 'values (1)']) {
    expect(prepareOf(text)).toBe('named');
  }
  for (const text of ['call p()', 'begin', 'selection', 'vacuum', '', 'do $$ $$', `select '${'x'.repeat(9000)}'`]) {
    expect(prepareOf(text)).toBe('unnamed');
  }
});
