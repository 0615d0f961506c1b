import { expect, test } from 'vitest';
import { isPlain } from './plain.ts';

test.each([
  'select 1',
  'BEGIN; select a.b, "c d".* from "c d" join a on (a.id = $1 and a.t = \'it\'\'s\') where x in (1, 2) limit 5;COMMIT',
  'select $1::int + 1 as n',
  'begin isolation level serializable',
  'rollback to savepoint s',
  'select count(*), coalesce(max(x), 0)::numeric(10,2) from t -- a comment',
  "with recent as (select * from t where at > now() - interval '1 day') select * from recent /* by: hand */",
  'select "t"."id", "t"."data" from "t" left join lateral (select json_agg(json_build_array(a, b)) as data from u) x on true',
  "select -1, 2 - -3, a->>'b', c @> '{\"d\": 1}' from t order by (a) desc",
  'select sum(a) filter (where b) over (order by c) from "t" left join (select 1) u on true group by (a)',
  'with a as materialized (select 1) select * from a where "b" ilike (c)',
  '',
])('only reads: %s', (text) => expect(isPlain(text)).toBe(true));

test.each([
  'insert into t values (1)',
  'update t set a = 1',
  'with x as (delete from t returning *) select * from x',
  'select * into temp copied from t',
  'select f(1)',
  'select app.f (1)',
  'select app.lower(a)',
  'select "app" . lower(a)',
  'select "f"(1)',
  'select now(), f/**/(1)',
  'select f -- a comment\n (1)',
  "select 'a' || E'\\'', f(1), '\\''",
  "select U&'d\\0061t'",
  'select $$ $$, f(1), $$ $$',
  "/* /* */ ' */ select f(1) --'",
  "select 1 /* /* */ ' */, f(1) --'",
  'select 1 -- a comment\r, f(1)',
  'select lower\u00a0(1)',
  "select 1 +/* /* */ ' */ f(1) --'",
  'select 1 -/* */f(1)',
  'select 1 +--x\n f(1)',
  ...'over filter within join natural like is to by partition materialized group_by'
    .split(' ')
    .map((name) => `select ${name}(1)`),
  'select 1, over(1)',
  'select distinct on (a) over(1)',
  'select distinct on (a) "b", f(1)',
  'select 1 fetch first over(1) rows only',
  'select a from t inner f(1)',
  "set work_mem = '1MB'",
  'listen a',
  'select 1; do $$ begin end $$',
  '; vacuum',
  'declare c cursor with hold for select 1',
  "select 'unfinished",
  'select 1 operator(app.+) 2',
  'select * from t for update',
  'copy t to stdout',
  'call p()',
])('may do more: %s', (text) => expect(isPlain(text)).toBe(false));

test('the verdict of one text is not that of another', () => {
  const text = 'select lower(a), upper(b) from t';
  for (let at = 0; at < text.length; at++) {
    const other = `${text.slice(0, at)}x${text.slice(at + 1)}`;
    // Of texts as long as this none is kept.
    const verdict = isPlain(other + ' '.repeat(3000));
    for (let again = 0; again < 2; again++) {
      expect(isPlain(text)).toBe(true);
      expect(isPlain(other), other).toBe(verdict);
    }
  }
});
