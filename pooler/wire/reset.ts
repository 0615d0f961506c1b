import type { FlightStatement } from './types.ts';

/**
 * The batch that leaves nothing of a flight behind for the next role.
 *
 * DISCARD ALL would do it, but is not allowed in a batch of several statements, and it drops our named statements. What it does is done
 * one by one. Prepared statements are the exception: a function can DEALLOCATE one of our names and PREPARE another statement in its
 * place, which the next flight would then run as somebody else. Dropping all of ours each time would be dear, so the first statement only
 * looks whether SQL has prepared any, and fails if it has: its text begins with PREPARE, which is no integer. The connection is then
 * destroyed. The check itself is the unnamed statement, which SQL cannot replace; it comes first, because the names after it
 * could be the replaced ones.
 *
 * Not covered: what procedural languages keep in global variables (such as plperl's %_SHARED), and setseed().
 */
const check: FlightStatement = {
  text: 'select statement::pg_catalog.int4 from pg_catalog.pg_prepared_statement() where from_sql',
  parameters: [],
  prepare: 'unnamed',
  result: 'none',
};

function utility(text: string): FlightStatement {
  return { text, parameters: [], prepare: 'named', result: 'none' };
}

export const resetStatements: readonly FlightStatement[] = [
  check,
  utility('reset session authorization'),
  utility('reset role'),
  utility('reset all'),
  utility('close all'),
  utility('unlisten *'),
  utility('discard temp'),
  utility('discard sequences'),
  utility('select pg_catalog.pg_advisory_unlock_all()'),
];
