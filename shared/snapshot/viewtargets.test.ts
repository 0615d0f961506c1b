import { expect, test } from 'vitest';
import { viewTargets } from './viewtargets.ts';

const entry = (resno: number, name: string, table: number, column: number): string =>
  `{TARGETENTRY :expr {VAR :varno 1 :varattno ${column} :location 7} :resno ${resno} :resname ${name} :ressortgroupref 0 :resorigtbl ${table} :resorigcol ${column} :resjunk false}`;

test('the target list of the query itself is read, not those of its subqueries', () => {
  const inner = `{QUERY :commandType 1 :targetList (${entry(1, 'inner', 99, 9)})}`;
  const action = `({QUERY :commandType 1 :rtable ({RTE :eref {ALIAS :aliasname t :colnames ("a" "b\\ c")} :subquery ${inner}}) :targetList (${entry(1, 'a', 10, 1)} {TARGETENTRY :expr {SUBLINK :subselect ${inner}} :resno 2 :resname n :resorigtbl 0 :resorigcol 0} ${entry(3, 'b', 10, 2)}) :override 0})`;
  expect(viewTargets(action)).toEqual([
    { column: 1, relation: 10, relationColumn: 1 },
    { column: 3, relation: 10, relationColumn: 2 },
  ]);
});

test('names may hold anything, with a backslash before what has a meaning', () => {
  const action = `({QUERY :targetList (${entry(1, '\\{a\\ :resno\\ 9\\(\\\\', 10, 1)} ${entry(2, ':resorigtbl', 10, 2)})})`;
  expect(viewTargets(action).map((t) => [t.column, t.relation])).toEqual([
    [1, 10],
    [2, 10],
  ]);
});

test.each([
  '',
  '<>',
  '(<>)',
  '({QUERY',
  '({QUERY :targetList',
  '({QUERY :targetList <>})',
  '({QUERY ) ( } {',
  '({QUERY :targetList ({TARGETENTRY ) :resno',
])('what is no query has no targets: %s', (action) => {
  expect(viewTargets(action)).toEqual([]);
});
