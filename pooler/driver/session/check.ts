/**
 * What is looked for, and what is done, before a connection goes from one client to the next.
 *
 * Between two transactions a session can have what no other session must see, and what it would miss on another connection. Settings
 * can be taken along. What cannot be is looked for on the server: as long as there is any of it, the client keeps the connection.
 * Everything else is undone. Both are done in one batch, which fails at the first statement, before anything is undone, where it finds
 * something.
 *
 * Not kept, and not found: currval() and lastval(), setseed(), libraries that were loaded, what procedural languages keep in global variables,
 * and what code in the database does without the client's text saying so: a session's advisory lock, or a setting. Those two are undone.
 */
import type { FlightStatement } from '../../wire/index.ts';
import type { Trail } from './trail.ts';

const temporary = `pg_catalog.pg_my_temp_schema() operator(pg_catalog.<>) 0::pg_catalog.oid and exists (
    select from pg_catalog.pg_depend
    where refclassid operator(pg_catalog.=) 'pg_catalog.pg_namespace'::pg_catalog.regclass::pg_catalog.oid
      and refobjid operator(pg_catalog.=) pg_catalog.pg_my_temp_schema())`;

/** Dear on a server with many connections: it locks what all of them use. */
const locks = `when exists (
    select from pg_catalog.pg_lock_status() l
    where l.locktype operator(pg_catalog.=) 'advisory' and l.pid operator(pg_catalog.=) pg_catalog.pg_backend_pid()
  ) then 'an advisory lock'`;

/** Dear where much is prepared: it describes all of it. */
const prepared = `when exists (select from pg_catalog.pg_prepared_statement() p where p.from_sql) then 'a statement of PREPARE'`;

/** An expression for what the session has that keeps it on its connection; NULL for nothing. */
const kept = (withLocks: boolean, withPrepared: boolean): string => `case
  when exists (select from pg_catalog.pg_listening_channels()) then 'LISTEN'
  when exists (select from pg_catalog.pg_cursor() c where c.is_holdable) then 'a cursor WITH HOLD'
  when ${temporary} then 'temporary objects'
  ${withLocks ? locks : ''}
  ${withPrepared ? prepared : ''}
  end`;

const statement = (text: string): FlightStatement => ({ text, parameters: [], prepare: 'named', result: 'row' });

interface Variant {
  readonly look: FlightStatement;
  readonly require: FlightStatement;
}

function variant(withLocks: boolean, withPrepared: boolean): Variant {
  const found = kept(withLocks, withPrepared);
  return {
    look: statement(`select ${found}`),
    // No integer but for '1': the error holds what was found.
    require: statement(`select pg_catalog.pg_advisory_unlock_all()
  where coalesce(${found}, '1')::pg_catalog.int4 operator(pg_catalog.=) 1`),
  };
}

const variants: readonly Variant[] = [0, 1, 2, 3].map((bits) => variant((bits & 1) !== 0, (bits & 2) !== 0));

function variantOf(trail: Trail): Variant {
  const found = variants[(trail.locks ? 1 : 0) + (trail.prepared ? 2 : 0)];
  if (found === undefined) throw new RangeError('no such variant');
  return found;
}

const undo = ['reset all', 'reset role', 'discard sequences'].map(statement);

/** Gives one row: what keeps the session on its connection, or NULL. */
export const lookStatement = (trail: Trail): FlightStatement => variantOf(trail).look;

/** Fails with invalid_text_representation where something keeps the session on its connection, and else leaves the connection as new. */
export const cleanStatements = (trail: Trail): readonly FlightStatement[] => [variantOf(trail).require, ...undo];

/** The SQLSTATE with which the first of the clean statements says that it has found something. */
export const foundCode = '22P02';
