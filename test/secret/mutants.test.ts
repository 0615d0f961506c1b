/** Statements of the worker with anything done to them: those that the pooler still takes run as who they were to run as. */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Pooler } from '../../pooler/start.ts';
import { type Kind, readStatement } from '../../pooler/statements/main.ts';
import { Names } from '../../pooler/statements/names.ts';
import { NotOurs } from '../../pooler/statements/scanner.ts';
import type { Statement } from '../../shared/hop/types.ts';
import type { Snapshot } from '../../shared/snapshot/types.ts';
import { quoteLiteral } from '../../shared/sql/identifiers.ts';
import { PROPERTY, runs } from '../hostile/runs.ts';
import { messageOf } from '../message.ts';
import { createSecretDatabase, type SecretDatabase, startUnchecked, TREASURE } from './database.ts';
import { requests } from './requests.ts';

let database: SecretDatabase;
let pooler: Pooler;
let snapshot: Snapshot;
let texts: readonly string[];

beforeAll(async () => {
  database = await createSecretDatabase();
  pooler = await startUnchecked(database);
  const loaded = pooler.source.current();
  if (loaded === null) throw new Error('there is no snapshot');
  snapshot = loaded.snapshot;
  texts = requests.flatMap((asked) => messageOf(snapshot, asked).statements.map(({ text }) => text));
});
afterAll(async () => {
  await pooler?.close(0);
  await database?.drop();
});

const TOKEN = /"(?:[^"]|"")*"|'(?:[^']|'')*'|\$\d+|[A-Za-z_]\w*|\s+|::|->>?|./gs;
const tokensOf = (text: string): string[] => text.match(TOKEN) ?? [];

/** What a mutation may bring in besides pieces of other statements. */
const STRANGE = (
  'set_config "set_config" pg_catalog "pg_catalog" pg_catalog.set_config( current_setting hidden "hidden" "become" "treasure" become ' +
  "evil \"evil\" 'role' 'search_path' 'boss' U&\"x\" E'x' $$ ; -- /* */ ( ) , . :: := => * + || \" ' \\ \n $1 $2 $99 true role " +
  'SELECT UNION FROM WHERE ROWS VALUES CASE query_to_xml ts_stat pg_settings OPERATOR(pg_catalog.=) COLLATE ARRAY[ ] ROW('
).split(' ');

/** Numbers that decide on a mutation. */
const mutations = fc.array(fc.tuple(fc.nat(4), fc.nat(), fc.nat(), fc.nat()), { minLength: 1, maxLength: 3 });

function mutated(text: string, steps: readonly (readonly [number, number, number, number])[]): string {
  const tokens = tokensOf(text);
  for (const [step, place, other, piece] of steps) {
    const at = place % tokens.length;
    const source = tokensOf(texts[other % texts.length] ?? '');
    const from = piece % source.length;
    const found = other % 2 === 0 ? (STRANGE[piece % STRANGE.length] ?? '') : (source[from] ?? '');
    if (step === 0) tokens.splice(at, 1);
    else if (step === 1) tokens.splice(at, 0, found);
    else if (step === 2) tokens.splice(at, 1, found);
    // A run of tokens of one statement in the place of a run of another.
    else if (step === 3) tokens.splice(at, other % 12, ...source.slice(from, from + (place % 12)));
    else tokens.splice(at, 1, tokens[piece % tokens.length] ?? '');
  }
  return tokens.join('');
}

/** Other names where names stand: mostly of the same statement, so that more of what is taken runs. */
const renamed = fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 2 });
const NAMES =
  '"become" "set_config" "hidden" "pg_settings" "id" "body" "owner" "called" "called" "price" "price" "text" "text" "note_id" "note_id"'.split(
    ' ',
  );

function withNames(text: string, choices: readonly (readonly [number, number])[]): string {
  const tokens = tokensOf(text);
  const quoted = tokens.flatMap((token, i) => (token.startsWith('"') ? [i] : []));
  for (const [place, choice] of choices) {
    const at = quoted[place % quoted.length] ?? -1;
    const from = quoted[choice % quoted.length] ?? -1;
    const name = choice % 4 === 0 ? NAMES[choice % NAMES.length] : tokens[from];
    if (at >= 0 && name !== undefined) tokens[at] = name;
  }
  return tokens.join('');
}

const COLUMN = /"(?:[^"]|"")*"(?:\.(?:"(?:[^"]|"")*"|\*)){1,2}/g;

/** Columns in the place of others: most of these run. */
function withColumns(text: string, choices: readonly (readonly [number, number])[]): string {
  let changed = text;
  for (const [place, choice] of choices) {
    const columns = [...changed.matchAll(COLUMN)];
    const at = columns[place % columns.length];
    const [given] = columns[choice % columns.length] ?? [];
    if (at === undefined || given === undefined) continue;
    const name = choice % 3 === 0 ? given.replace(/[^.]*$/, NAMES[choice % NAMES.length] ?? '') : given;
    changed = changed.slice(0, at.index) + name + changed.slice(at.index + at[0].length);
  }
  return changed;
}

const LEFT = `select current_user, current_setting('role'), current_setting('search_path'), session_user`;

/** How often code of the database's users was called, by the names that the mutants have for it. */
async function calls(): Promise<string> {
  const [row] = await database.sql`select last_value, is_called from api.calls`;
  return JSON.stringify(row);
}

test('no mutant of a statement changes the role, or calls code unseen', PROPERTY, async () => {
  const parameters = runs('mutants of statements are read', 0.3);
  const names = new Names(snapshot);
  const before = await left([]);
  let called = await calls();
  let taken = 0;
  let ran = 0;
  let plain = 0;
  await fc.assert(
    fc.asyncProperty(fc.nat(), mutations, renamed, renamed, async (which, steps, given, columns) => {
      const original = texts[which % texts.length] ?? '';
      const changed = withNames(mutated(original, which % 3 === 0 ? [] : steps), which % 6 === 0 ? [] : given);
      const text = withColumns(changed, columns);
      const kind = text === original ? null : kindOf(text, names);
      if (kind === null) return;
      taken++;
      const count = Math.max(0, ...[...text.matchAll(/\$(\d+)/g)].map(([, n]) => Number(n)));
      const values = ['1', '1', '[{"id":77,"body":"x"}]', 'role', '1', database.boss, '2'];
      const statement: Statement = {
        text,
        parameters: Array.from({ length: Math.min(count, 10) }, (_, i) => values[(i + which) % values.length] ?? null),
        result: { kind: 'row', body: null },
      };
      const after = await left([statement]);
      const callsCode = !('callsCode' in kind) || kind.callsCode;
      const since = await calls();
      if (!callsCode) expect(since, text).toBe(called);
      called = since;
      if (after === null) return;
      ran++;
      if (!callsCode) plain++;
      expect(after, text).toEqual(before);
    }),
    parameters,
  );
  if (parameters.numRuns < 1000) return;
  console.log(`${taken} were taken, ${ran} ran to their end, ${plain} of them reads that call nothing`);
  expect(ran).toBeGreaterThan(parameters.numRuns / 1000);
  expect(plain).toBeGreaterThan(0);
});

/** Null where it is not taken. */
function kindOf(text: string, names: Names): Kind | null {
  try {
    return readStatement(text, names);
  } catch (error) {
    if (error instanceof NotOurs) return null;
    throw error;
  }
}

/** Who one is after the statements; null where the database refuses them. No row shows the treasure. */
async function left(statements: readonly Statement[]): Promise<readonly (string | null)[] | null> {
  const request = messageOf(snapshot, { target: '/note', role: database.alice });
  const all = [...statements, { text: LEFT, parameters: [], result: { kind: 'row', body: null } } as const];
  const outcome = await pooler.hop.transaction(
    { ...request, access: 'read write', end: 'rollback', statements: all },
    null,
    null,
  );
  if (!outcome.ok) {
    if (outcome.failure.kind !== 'database') throw new Error(JSON.stringify(outcome.failure));
    return null;
  }
  for (const { columns } of outcome.statements) expect(columns.join()).not.toContain(TREASURE);
  return outcome.statements.at(-1)?.columns ?? null;
}

test('the same mutants show a role that was changed', async () => {
  const text = `select set_config(${quoteLiteral('role')}, $1, true)`;
  const changed = await left([{ text, parameters: [database.boss], result: { kind: 'row', body: null } }]);
  expect(changed).not.toEqual(await left([]));
});
