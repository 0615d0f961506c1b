/** PostgreSQL itself says what a text calls: functions are made by every name that the grammar lets them have. */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDatabase, type TestDatabase } from '../../test/postgres.ts';
import { isPlain } from './plain.ts';

const NAMES =
  'over filter within join like ilike natural is to by materialized partition inner outer cross similar'.split(' ');
const CALLED = 'it was called';

let database: TestDatabase;

beforeAll(async () => {
  const functions = NAMES.map(
    (name) => `create function "${name}"(int) returns int language plpgsql as $$ begin raise '${CALLED}'; end $$;`,
  );
  database = await createDatabase(
    'plain',
    `create table t (a int, b int); insert into t values (1, 2); ${functions.join('')}`,
  );
});
afterAll(() => database.drop());

const piece = fc.constantFrom(
  ...NAMES.map((name) => `${name}(1)`),
  ...NAMES.map((name) => `${name} (select 1)`),
  ...'1 $1 "a" a , ( ) from t "t" as x and or not on true by first rows only all select where having'.split(' '),
  ...[
    'distinct',
    'distinct on (1)',
    'count(*)',
    'order by',
    'group by',
    'limit',
    'offset',
    'fetch first',
    'using (a)',
    'left join',
  ],
  ...[
    'join',
    'inner join',
    'lateral',
    'between 1 and',
    'in (1)',
    'case when true then 1 end',
    'union',
    'with',
    'values (1)',
    '= any',
  ],
  ...[
    "'x'",
    '::int',
    'array[1]',
    'interval',
    'window',
    '+',
    '*',
    'cast(1 as int)',
    'row(1)',
    'exists (select 1)',
    'is null',
  ],
);
/** Some that are near to being right, and some that are anything. */
const text = fc.oneof(
  fc.array(piece, { maxLength: 12 }).map((pieces) => `select ${pieces.join(' ')}`),
  fc.tuple(piece, piece, piece, piece).map(([a, b, c, d]) => `select ${a} ${b} from "t" ${c} ${d}`),
  fc.tuple(piece, piece, piece).map(([a, b, c]) => `select 1, ${a} ${b} ${c}`),
);

test('what is plain calls none of them, whatever it looks like', async () => {
  let ran = 0;
  await fc.assert(
    fc.asyncProperty(text, async (sql) => {
      fc.pre(isPlain(sql));
      const error: unknown = await database.sql.unsafe(sql.replaceAll('$1', '1')).then(
        () => null,
        (reason: unknown) => reason,
      );
      if (error === null) ran++;
      expect(String(error)).not.toContain(CALLED);
    }),
    { numRuns: Number(process.env.PLAIN_RUNS ?? 1000), maxSkipsPerRun: 100 },
  );
  // Not all of them are errors of the grammar.
  expect(ran).toBeGreaterThan(0);
});
