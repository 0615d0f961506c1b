/** Random and hostile requests on a real server: it takes every statement for SQL, whatever it thinks of the names and values. */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Pooler, startPooler } from '../../pooler/start.ts';
import type { Schema } from '../../shared/snapshot/schema.ts';
import type { ApiRequest, SelectItem } from '../../worker/request/types.ts';
import { payloadOf, transactionRequest } from '../../worker/transaction.ts';
import { requestsFor } from './arbitrary.ts';
import { Choices, choices } from './choices.ts';
import { outcomeOf } from './outcome.ts';
import type { WholeRequest } from './request.ts';
import { PROPERTY, runs } from './runs.ts';
import { anon, createHostileDatabase, type HostileDatabase, hostileConfig } from './schema.ts';
import { hostileText } from './words.ts';

let hostile: HostileDatabase | undefined;
let pooler: Pooler | undefined;
let schema: Schema;

beforeAll(async () => {
  hostile = await createHostileDatabase();
  schema = await hostile.schema();
  const config = hostileConfig(hostile.uri);
  const fatal: string[] = [];
  pooler = await startPooler({
    configuration: { current: config, read: () => Promise.resolve(config) },
    trust: () => ({ kind: 'process' }),
    observe: () => undefined,
    onFatal: (reason) => fatal.push(reason),
  });
  expect(fatal).toEqual([]);
});

afterAll(async () => {
  await pooler?.close(0);
  await hostile?.drop();
});

const sql = async (text: string): Promise<unknown> => hostile?.database.sql.unsafe(text).values();

/**
 * Codes that mean that a statement is wrong whatever the schema looks like: syntax, undefined and indeterminate parameters,
 * names that the statement itself should have introduced, internal errors.
 */
const OURS = /^(42601|42P02|42P08|42P18|42P01|42P10|XX000)$/;

/** Errors of these codes that are about something else. */
async function isAboutTheRequest(code: string, message: string, request: ApiRequest): Promise<boolean> {
  // The client's on_conflict.
  if (code === '42P10')
    return message.startsWith('there is no unique or exclusion constraint matching the ON CONFLICT');
  if (code !== '42601') return false;
  // A value is not in the syntax of its type. Of a table without columns nothing can be returned, in PostgREST neither.
  if (
    / in ts(query|vector): |^there is no escaped character: |^RETURNING must have at least one column$/.test(message)
  ) {
    return true;
  }
  return someIsNoType(castsOf(request.query.select));
}

const castsOf = (items: readonly SelectItem[]): readonly string[] =>
  items.flatMap((item) =>
    item.kind === 'field' ? [item.cast, item.aggregateCast].filter((type) => type !== null) : castsOf(item.children),
  );

// PostgREST puts a cast's type into the statement as it is, since quoting would disable `double precision`, and so do we.
async function someIsNoType(types: readonly string[]): Promise<boolean> {
  for (const type of types) {
    const alone: unknown = await sql(`select cast(null as ${type})`).catch((error: unknown) => error);
    if (alone instanceof Error && 'code' in alone && alone.code === '42601') return true;
  }
  return false;
}

/** Runs a request, if it comes to a statement. Throws where the database finds the statement itself wrong. */
async function check(raw: WholeRequest): Promise<void> {
  const outcome = outcomeOf(raw, schema);
  if (outcome.kind !== 'statements' || pooler === undefined) return;
  const { plan, request, statements } = outcome;
  const caller = { identity: { role: anon, claims: '{}', authenticated: false }, token: null, address: null };
  const transaction = transactionRequest(plan, request, caller, schema.version, statements);
  const result = await pooler.hop.transaction(transaction, payloadOf(request), null);
  if (result.ok) return;
  const { failure } = result;
  if (failure.kind !== 'database') throw new Error(JSON.stringify(failure));
  const { code, message } = failure;
  if (OURS.test(code) && !(await isAboutTheRequest(code, message, request))) throw new Error(`${code} ${message}`);
}

test('every statement is SQL to the server', PROPERTY, async () => {
  await fc.assert(fc.asyncProperty(requestsFor(schema, 5), check), runs('requests are run on a server', 0.05));
  // Nothing was committed.
  expect(await sql('select name from api.clients order by id')).toEqual([['Ann'], [`O'Hara "x" \\`]]);
});

const WORDS =
  'int int4 text double precision character varying interval day to second with time zone select null collate as setof array from table 1 $1 $ _ ü'.split(
    ' ',
  );

/** Words that are types, or parts of them, and others; sometimes anything. */
const types: fc.Arbitrary<string> = choices.map((numbers) => {
  const drawn = new Choices(numbers);
  if (drawn.oneIn(4)) return hostileText(drawn);
  return [drawn.of(WORDS), ...drawn.some(3, () => drawn.of(WORDS))].join(drawn.of([' ', '  ', '']));
});

test('a cast is a syntax error only where its type alone is one', PROPERTY, async () => {
  const casts = fc.tuple(types, fc.constantFrom('', '.count()', '->a')).map(([type, before]): WholeRequest => {
    const select = encodeURIComponent(`id,name${before}::${type}`);
    return { method: 'GET', target: `/clients?select=${select}`, headers: [], body: new Uint8Array() };
  });
  await fc.assert(fc.asyncProperty(casts, check), runs('casts are run on a server', 0.02));
});
