/** Whole statements: what worker/sql/statements.ts, body.ts, explain.ts and guards.ts write. */
import type { Routine, Table } from '../../shared/snapshot/types.ts';
import {
  CSV,
  GEOJSON,
  list,
  location,
  NO_BODY,
  NOT_COUNTED,
  notOne,
  ROW_COUNT,
  ROWS,
  SCALAR,
  SOURCE,
  single,
  TOTAL_COUNT,
  tooMany,
} from '../../shared/sql/fragments.ts';
import { quoteQualified } from '../../shared/sql/identifiers.ts';
import { insertedRows, leaveCount, responseHeaders, responseStatus } from '../../shared/sql/settings.ts';
import { call } from './call.ts';
import type { Statement } from './conditions.ts';
import type { Names } from './names.ts';
import { Query } from './query.ts';
import { countQuery, readQuery } from './read.ts';
import { NotOurs, Scanner } from './scanner.ts';
import { emptyUpdate, type Written, write } from './write.ts';

/** How the answer comes: lines of a plan, or a row with the body in its usual place or where a function of the database makes it. */
export type Answer = 'lines' | 'row' | 'early row';

interface Answers {
  readonly answer: Answer;
}

/** What a statement is, as far as the rest of its message and the session's state afterwards depend on it. */
export type Kind =
  | (Answers & {
      readonly kind: 'read';
      readonly table: Table;
      /** The parameters that bound its rows; each has to be below `db-max-rows`. Null without that. */
      readonly limits: readonly number[] | null;
      /** Whether it names code of the database's users. */
      readonly callsCode: boolean;
    })
  | (Answers & Written & { readonly kind: 'write' })
  /** `routines`: the function is one of these. */
  | (Answers & {
      readonly kind: 'call';
      readonly routines: readonly Routine[];
      readonly limits: readonly number[] | null;
    })
  /** What may follow a write or a call. */
  | { readonly kind: 'guard' }
  /** What may follow a read of the table. */
  | { readonly kind: 'estimate'; readonly table: Table; readonly callsCode: boolean };

const GUARD: Kind = { kind: 'guard' };

/** The two ends of a text around its placeholder. */
const around = (text: (placeholder: string) => string): readonly [string, string] => {
  const [before = '', after = ''] = text('\0').split('\0');
  return [before, after];
};

const PAGES = [ROW_COUNT, '1'];
const TOTALS = [NOT_COUNTED, "''", ...PAGES];
const INSERTED = ["''", insertedRows];
const GUARDS = ['null', ...PAGES.map(leaveCount)];
const [LOCATION_START, LOCATION_END] = around(location);
const [TOO_MANY_START, TOO_MANY_END] = around(tooMany);

const values = [ROWS, SCALAR].flatMap((value) =>
  [true, false].flatMap((strip) => [single(value, strip), list(value, strip)]),
);
const BODIES = [NO_BODY, CSV, ...values];

const NONE: readonly Routine[] = [];

const asText = (value: string): string => `(${value})::pg_catalog.text`;
const named = (values: readonly string[], name: string): readonly string[] =>
  values.map((value) => `${value} AS ${name}`);
const textNamed = (values: readonly string[], name: string): readonly string[] => named(values.map(asText), name);

const TOTAL = named(TOTALS, 'total_result_set, ');
const COUNTED = named([TOTAL_COUNT], 'total_result_set, ');
const PAGE = named(PAGES, 'page_total, ');
const BODY = named(BODIES, 'body');
const GEOJSON_BODY = `${GEOJSON} AS body`;
const RESPONSE = `${responseHeaders} AS response_headers, ${responseStatus} AS response_status`;

const ROW = {
  inserted: named(INSERTED, 'response_inserted, '),
  guard: named(GUARDS, 'guard'),
};

const CUSTOM = {
  total: textNamed(TOTALS, 'total_result_set, '),
  counted: textNamed([TOTAL_COUNT], 'total_result_set, '),
  page: textNamed(PAGES, 'page_total, '),
  inserted: textNamed(INSERTED, 'response_inserted, '),
};

const EXPLAINED_INSERTED = named(INSERTED, 'response_inserted');

/** The location as it is, or what stands for none. */
function locationOr(s: Scanner, none: string): void {
  if (s.take(none)) return;
  s.expect(LOCATION_START);
  s.placeholder();
  s.expect(LOCATION_END);
}

/** A call of a function of the database that makes the body. `called`: what the rows are of, where they are of a function. */
function customBody(statement: Statement, called: readonly Routine[]): void {
  const { s, names } = statement;
  const name = s.qualified();
  s.expect('(');
  let handled = names.handles(name, '');
  if (s.take(`${ROWS}::`)) handled = names.handles(name, s.qualified());
  else if (s.take(SCALAR)) handled = called.some((r) => handled || names.handles(name, quoteQualified(r)));
  else s.expect(ROWS);
  if (!handled) s.fail();
  s.expect(') AS body');
  statement.callsCode = true;
}

/** A body that is made without them, if there is one next. */
function body(statement: Statement): boolean {
  const { s } = statement;
  // The function of PostGIS is whatever search_path finds.
  if (s.take(GEOJSON_BODY)) statement.callsCode = true;
  else return s.takeOneOf(BODY);
  return true;
}

/** What of a statement its main row depends on. */
interface Context {
  /** A plan is shown. */
  readonly explained: boolean;
  /** What the rows are of, where they are of a function. */
  readonly called: readonly Routine[];
  /** All rows are counted. Where there is no such CTE its name would be anything that search_path finds. */
  readonly counted: boolean;
}

/** The columns of the main row, in either order, or those of which a plan is shown. */
function columns(statement: Statement, { explained, called, counted }: Context): Answer {
  const { s } = statement;
  if (s.takeOneOf(counted ? CUSTOM.counted : CUSTOM.total)) {
    s.expectOneOf(CUSTOM.page);
    s.expectOneOf(CUSTOM.inserted);
    s.expect('(');
    locationOr(s, 'null');
    s.expect(')::pg_catalog.text AS location, ');
    customBody(statement, called);
    s.expect(`, ${RESPONSE}, `);
    s.expectOneOf(ROW.guard);
    return explained ? s.fail() : 'early row';
  }
  s.expectOneOf(counted ? COUNTED : TOTAL);
  s.expectOneOf(PAGE);
  if (explained) {
    if (s.looksAt('ARRAY[]') || s.looksAt(LOCATION_START)) {
      locationOr(s, 'ARRAY[]::pg_catalog.text[]');
      s.expect(' AS header, ');
    }
    if (!body(statement)) customBody(statement, called);
    s.expect(`, ${RESPONSE}, `);
    s.expectOneOf(EXPLAINED_INSERTED);
    return 'lines';
  }
  s.expectOneOf(ROW.inserted);
  locationOr(s, 'null');
  s.expect(' AS location, ');
  s.expectOneOf(ROW.guard);
  s.expect(`, ${RESPONSE}, `);
  return body(statement) ? 'row' : s.fail();
}

/** The CTE that counts all rows. Returns whether it is there. */
function countCte(statement: Statement, ofSource: boolean): boolean {
  const { s } = statement;
  if (!s.take(`, ${SOURCE}_count AS (`)) return false;
  countQuery(statement, ofSource);
  if (s.take(' LIMIT ')) s.digits();
  s.expect(')');
  return true;
}

function read(statement: Statement, explained: boolean): Kind {
  const { s } = statement;
  const [table] = readQuery(statement, false);
  s.expect(' )');
  const counted = countCte(statement, false);
  s.expect(' SELECT ');
  const answer = columns(statement, { explained, called: NONE, counted });
  s.expect(` FROM ( SELECT * FROM ${SOURCE} ) ${ROWS}`);
  const { limits, callsCode } = statement;
  return { kind: 'read', table: table ?? s.fail(), limits, callsCode, answer };
}

function rowsOfCall(statement: Statement, explained: boolean): Kind {
  const { s } = statement;
  const routines = call(statement);
  s.expect(')');
  const counted = countCte(statement, true);
  s.expect(' SELECT ');
  const answer = columns(statement, { explained, called: routines, counted });
  s.expect(' FROM (');
  readQuery(statement, true);
  s.expect(`) ${ROWS}`);
  return { kind: 'call', routines, limits: statement.limits, answer };
}

function rowsOfWrite(statement: Statement, written: Written, explained: boolean): Kind {
  const { s } = statement;
  // No maximum of rows holds for these.
  statement.limits = null;
  s.expect(') SELECT ');
  const answer = columns(statement, { explained, called: NONE, counted: false });
  s.expect(' FROM (');
  if (!s.take(`SELECT * FROM ${SOURCE}`)) readQuery(statement, true);
  s.expect(`) ${ROWS}`);
  return { kind: 'write', ...written, answer };
}

/** `WITH pgrst_source AS (…) SELECT …`, after its first parenthesis. */
function main(statement: Statement, explained: boolean): Kind {
  const { s } = statement;
  if (s.take(' ')) return read(statement, explained);
  const written = write(statement);
  if (written !== null) return rowsOfWrite(statement, written, explained);
  s.expect('SELECT ');
  if (s.looksAt('*') || s.looksAt('pgrst_call.')) return rowsOfCall(statement, explained);
  return rowsOfWrite(statement, emptyUpdate(statement), explained);
}

function guard(s: Scanner): void {
  const one = s.takeOneOf([notOne('PGRST115'), notOne('PGRST116')]);
  const most = s.take(TOO_MANY_START);
  if (most) {
    s.placeholder();
    s.expect(TOO_MANY_END);
  }
  if (!one && !most) s.fail();
  s.expect(' END');
}

const PLAN_OPTIONS = [', ANALYZE', ', VERBOSE', ', SETTINGS', ', BUFFERS', ', WAL'];

/** `EXPLAIN (…) `, if it is there. */
function explain(s: Scanner): boolean {
  if (!s.take('EXPLAIN (FORMAT ')) return false;
  s.expectOneOf(['JSON', 'TEXT']);
  while (s.takeOneOf(PLAN_OPTIONS));
  s.expect(') ');
  return true;
}

/** What is before a count of which only the plan's estimate is wanted. */
const ESTIMATED = 'EXPLAIN (FORMAT JSON) ';

function whole(statement: Statement): Kind {
  const { s, names } = statement;
  if (s.take('SELECT CASE')) {
    guard(s);
    return GUARD;
  }
  if (s.looksAt(`${ESTIMATED}SELECT 1 `)) {
    s.expect(ESTIMATED);
    const table = countQuery(statement, false) ?? s.fail();
    return { kind: 'estimate', table, callsCode: statement.callsCode };
  }
  const explained = explain(s);
  if (explained && !names.settings.dbPlanEnabled) s.fail();
  s.expect(`WITH ${SOURCE} AS (`);
  return main(statement, explained);
}

/**
 * Reads a statement that the worker's compiler could have made, of what the snapshot knows. Throws NotOurs for any other text.
 */
export function readStatement(text: string, names: Names): Kind {
  const s = new Scanner(text);
  const limits = names.settings.dbMaxRows === null ? null : [];
  const kind = whole({ s, names, query: new Query(null), callsCode: false, limits });
  if (!s.atEnd) throw new NotOurs(s.at);
  return kind;
}
