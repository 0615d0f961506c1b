/** Function calls: what worker/sql/call.ts writes. */
import type { Routine } from '../../shared/snapshot/types.ts';
import { BODY } from '../../shared/sql/fragments.ts';
import { quoteIdent } from '../../shared/sql/identifiers.ts';
import type { Statement } from './conditions.ts';
import { once, payloadRows } from './payload.ts';
import type { Scanner } from './scanner.ts';

/** A call, after its SELECT. Returns the functions that it may mean: overloads. */
export function call(statement: Statement): readonly Routine[] {
  const { s } = statement;
  const scalar = s.take('pgrst_call.pgrst_scalar FROM ');
  if (!scalar) {
    if (!s.take('*')) s.list(', ', () => returnedColumn(s));
    s.expect(' FROM ');
  }
  const payload = s.looksAt('(SELECT $') ? payloadRows(statement, null) : null;
  if (payload !== null) s.expect(', LATERAL ');
  const [start, end, fits] = scalar ? SCALAR : s.looksAt(VALUE[0]) ? VALUE : ROWS;
  s.expect(start);
  // `pgrst_call.name` calls any function of one argument where the result is no row.
  const called = invocation(statement, payload).filter(fits);
  s.expect(end);
  return called.length === 0 ? s.fail() : called;
}

/** What is around a call, and which functions it is of. */
type Around = readonly [start: string, end: string, fits: (routine: Routine) => boolean];

const SCALAR: Around = ['(SELECT ', ' pgrst_scalar) pgrst_call', ({ returns }) => returns.kind === 'scalar'];
const VALUE: Around = ['(SELECT * FROM ', ') pgrst_call', ({ returns }) => returns.isValue];
const ROWS: Around = ['', ' pgrst_call', ({ returns }) => returns.kind === 'composite' && !returns.isValue];

function returnedColumn(s: Scanner): void {
  s.expect('pgrst_call.');
  if (!s.take('*')) s.identifier();
}

/** A parameter of one of the overloads, as `"name" := ` has it. */
const parameterOf = (routine: Routine, name: string) =>
  routine.parameters.find((p) => quoteIdentOrEmpty(p.name) === name);

/** The one parameter without a name is never given by it. */
const quoteIdentOrEmpty = (name: string): string => (name === '' ? '' : quoteIdent(name));

/** `"schema"."name"(…)` with arguments of one of the overloads that the API has. */
function invocation(statement: Statement, payload: readonly (readonly [string, string])[] | null): readonly Routine[] {
  const { s, names } = statement;
  let called = names.routines(s.qualified());
  s.expect('(');
  if (payload !== null) {
    called = called.filter((routine) =>
      payload.every(([name, type]) => parameterOf(routine, name)?.typeMaxLength === type),
    );
    argumentsOf(s, (name) => s.expect(`${BODY}.${name}`));
    if (payload.length === 0) s.fail();
  } else if (s.looksAt('$')) called = positional(s, called);
  else if (!s.looksAt(')')) {
    argumentsOf(s, (name) => {
      called = direct(s, called, name);
    });
  }
  s.expect(')');
  return called;
}

function argumentsOf(s: Scanner, value: (name: string) => void): void {
  const before = new Set<string>();
  s.list(', ', () => {
    s.take('VARIADIC ');
    const name = s.identifier();
    once(s, name, before);
    before.add(name);
    s.expect(' := ');
    value(name);
  });
}

/** The one unnamed parameter takes the body as it is. */
function positional(s: Scanner, called: readonly Routine[]): readonly Routine[] {
  s.placeholder();
  s.expect('::');
  const unnamed = called.filter(({ parameters }) => parameters.length === 1 && parameters[0]?.name === '');
  const type = s.take('pg_catalog.bytea') ? 'bytea' : s.type();
  return unnamed.filter(({ parameters }) => parameters[0]?.type === type);
}

function direct(s: Scanner, called: readonly Routine[], name: string): readonly Routine[] {
  if (!s.take('NULL')) {
    s.placeholder();
    s.take('::pg_catalog.text[]');
  }
  s.expect('::');
  const type = s.type();
  return called.filter((routine) => parameterOf(routine, name)?.typeMaxLength === type);
}
