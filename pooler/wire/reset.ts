import { randomBytes } from 'node:crypto';
import { Batch } from './batch.ts';
import { writeClose, writeParse } from './encode.ts';
import { executeMessage, frontend, syncMessage } from './messages.ts';
import { bindHead, type StatementRegistry } from './statements.ts';
import type { FlightStatement } from './types.ts';
import type { Writer } from './writer.ts';

/*
 * The batch that leaves nothing of a flight behind for the next role.
 *
 * DISCARD ALL would do it, but it drops our named statements, and is not allowed in a batch of several. What it does is done one by
 * one, with two exceptions.
 *
 * Prepared statements: a function can DEALLOCATE one of our names and PREPARE another statement in its place, which the next flight would
 * then run as somebody else. Dropping all of ours each time would be dear, so the first statement only looks whether SQL has
 * prepared any, and fails if it has: its text begins with PREPARE, which is no integer. The connection is then given up. The check itself
 * is the unnamed statement, which SQL cannot replace; it comes first, because the names after it could be the replaced ones.
 *
 * The session's identity, which only a superuser can change: the server reports it, and the connection is given up.
 *
 * Not covered: what procedural languages keep in global variables (such as plperl's %_SHARED), and setseed().
 */
const check: FlightStatement = {
  text: `select pg_catalog.pg_advisory_unlock_all(),
    (select statement::pg_catalog.int4 from pg_catalog.pg_prepared_statement() where from_sql limit 1)`,
  parameters: [],
  prepare: 'unnamed',
  result: 'none',
};

const utilities = ['reset role', 'reset all', 'close all', 'unlisten *', 'discard temp', 'discard sequences'].map(
  (text): FlightStatement => ({ text, parameters: [], prepare: 'named', result: 'none' }),
);

const statements: readonly FlightStatement[] = [check, ...utilities];

/** The same without names, for connections where another backend may answer each batch. */
export const unnamedReset: readonly FlightStatement[] = statements.map((each) => ({ ...each, prepare: 'unnamed' }));

/**
 * The reset of one connection. Its statements are prepared once, under names that are not subject to eviction, and it is then always the
 * same bytes.
 */
export class Reset {
  /** Different for each connection, like other names; see StatementRegistry. */
  readonly #prefix = `r${randomBytes(3).toString('hex')}_`;
  #round = 0;
  #names: readonly string[] = [];
  #bytes = new Uint8Array(0);
  #prepared = false;

  /** Writes the batch and returns what follows it. */
  encode(writer: Writer, registry: StatementRegistry): Batch {
    const batch = new Batch(statements, false);
    if (registry.unnamed !== check) {
      writeParse(writer, '', check);
      batch.parsing.push(null);
      registry.unnamed = check;
    }
    if (!this.#prepared) this.#prepare(writer, batch);
    writer.raw(this.#bytes);
    return batch;
  }

  /** The batch has come to its end: only if it was a good one, its names are there the next time. */
  ended(batch: Batch): void {
    if (batch.statements === statements) this.#prepared = batch.error === null;
  }

  #prepare(writer: Writer, batch: Batch): void {
    const round = `${this.#prefix}${this.#round++}_`;
    batch.closing = this.#names;
    for (const name of this.#names) writeClose(writer, name);
    this.#names = utilities.map((_, i) => `${round}${i}`);
    const runs = [bindHead(''), ...this.#names.map(bindHead)].map((head) => runOf(head));
    this.#bytes = Buffer.concat([...runs, syncMessage]);
    utilities.forEach((statement, i) => {
      writeParse(writer, this.#names[i] ?? '', statement);
      batch.parsing.push(null);
    });
  }
}

/** Bind without parameters, and Execute. */
function runOf(head: Uint8Array): Buffer {
  const bind = Buffer.alloc(5 + head.length + 4);
  bind[0] = frontend.bind;
  bind.writeInt32BE(bind.length - 1, 1);
  bind.set(head, 5);
  return Buffer.concat([bind, executeMessage]);
}
