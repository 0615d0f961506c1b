/**
 * A driver for a socket, as Hyperdrive and `connect()` give one: postgres.js, a connection for each batch, its statements one
 * after the other. In Workers a socket belongs to its request, so none is kept.
 */
import postgres, { type Sql, type TransactionSql } from 'postgres';
import type { CancelSignal } from '../../../shared/hop/cancellation.ts';
import type { Batch, BatchFailure, BatchOutcome, BatchResult, BatchStatement, DatabaseDriver } from './batch.ts';

/** Seconds. */
const CONNECT_TIMEOUT = 10;

/** Types that postgres.js would write in its own way: what is bound is PostgreSQL's text already. */
const OWN_FORMS = [16, 17, 21, 23, 26, 114, 700, 701, 1082, 1114, 1184, 3802];
const asItIs = (value: unknown): string => String(value);

const plainText = {
  to: 0,
  from: OWN_FORMS,
  serialize: asItIs,
  parse: asItIs,
};

/** Ends the transaction as it was asked to, with nothing wrong. */
class RolledBack extends Error {}

const stringOrNull = (value: unknown): string | null => (typeof value === 'string' ? value : null);

/** An error of a statement; what ends the connection is another matter. */
const isRefusal = (error: unknown): error is postgres.PostgresError =>
  error instanceof postgres.PostgresError && error.severity === 'ERROR';

/** What went wrong, at a statement (null: the commit), before or after the transaction began. */
function failureOf(error: unknown, began: boolean, statement: number | null): BatchFailure {
  if (isRefusal(error) && began) {
    const { code, message, detail, hint } = error;
    return { kind: 'database', code, message, detail: stringOrNull(detail), hint: stringOrNull(hint), statement };
  }
  const message = error instanceof Error ? error.message : String(error);
  if (!began) return { kind: 'connect', message };
  return { kind: statement === null ? 'unanswered' : 'lost', message };
}

async function execute(sql: TransactionSql, { text, parameters }: BatchStatement): Promise<BatchResult> {
  const result = await sql.unsafe(text, [...parameters]).raw();
  return {
    // The rows are slices of what was read from the socket.
    rows: result.map((row) => Array.from(row)),
    types: (result.columns ?? []).map(({ type }) => type),
    count: result.count ?? 0,
  };
}

const MODES = {
  'read committed': 'isolation level read committed',
  'repeatable read': 'isolation level repeatable read',
  serializable: 'isolation level serializable',
} as const;

const modeOf = ({ isolation, readOnly }: Batch['transaction']): string =>
  `${MODES[isolation]} ${readOnly ? 'read only' : 'read write'}`;

export class HyperdriveDriver implements DatabaseDriver {
  readonly #dbUri: string;

  /** `dbUri`: a connection string, as Hyperdrive's binding has one. */
  constructor(dbUri: string) {
    this.#dbUri = dbUri;
  }

  async run({ transaction, statements }: Batch, signal: CancelSignal | null): Promise<BatchOutcome> {
    let closed = false;
    const sql = this.#connect(() => {
      closed = true;
    });
    const results: BatchResult[] = [];
    let began = false;
    let at: number | null = 0;
    const lost = Promise.withResolvers<never>();
    const work = async (open: TransactionSql): Promise<void> => {
      for (const [index, statement] of statements.entries()) {
        if (signal?.aborted) throw new RolledBack();
        at = index;
        results.push(await execute(open, statement));
      }
      at = null;
      if (transaction.end === 'commit') return;
      // So that deferred constraints fail as they would at the commit.
      await open.unsafe('SET CONSTRAINTS ALL IMMEDIATE');
      throw new RolledBack();
    };
    const begun = sql.begin(modeOf(transaction), async (open) => {
      began = true;
      try {
        await work(open);
      } catch (error) {
        if (!closed && (error instanceof RolledBack || isRefusal(error))) throw error;
        // Nothing more is said on a connection that is gone: postgres.js would write its ROLLBACK into a socket that is not there.
        lost.reject(error);
        await new Promise<never>(() => undefined);
      }
    });
    try {
      await Promise.race([begun, lost.promise]);
    } catch (error) {
      if (!(error instanceof RolledBack)) return { ok: false, failure: failureOf(error, began, at) };
      if (results.length < statements.length) return { ok: false, failure: { kind: 'cancelled' } };
    } finally {
      // Not waited for by the answer.
      void sql.end({ timeout: 1 }).catch(() => undefined);
    }
    return { ok: true, results };
  }

  #connect(onclose: () => void): Sql {
    return postgres(this.#dbUri, {
      max: 1,
      prepare: false,
      fetch_types: false,
      connect_timeout: CONNECT_TIMEOUT,
      onnotice: () => undefined,
      onclose,
      types: { plainText },
    });
  }
}
