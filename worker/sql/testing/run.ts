/** Runs compiled statements as one transaction on a real server, with parameters in text format as the hop sends them. */
import postgres from 'postgres';
import type { Statement } from '../../../shared/hop/types.ts';
import { COLUMN } from '../../../shared/sql/columns.ts';
import type { ReadPlan } from '../../plan/types.ts';
import { compile, type Facts } from '../statements.ts';
import { facts, readPlan } from './plans.ts';

/** A statement's rows, each column as text. */
export type Rows = readonly (readonly (string | null)[])[];

export interface Runner {
  /** Prepares and executes; the payload stands for the parameters that refer to it. Rejects with the database's error. */
  run(statements: readonly Statement[], payload?: string): Promise<readonly Rows[]>;
  /** Prepares, and returns the types that the placeholders were given, by name. */
  types(statement: Statement): Promise<readonly string[]>;
  /** Prepares, and returns the types of the result's columns, by name. */
  columns(statement: Statement): Promise<readonly string[]>;
  end(): Promise<void>;
}

// Text stays the text that was bound, whatever type the server infers.
const plain = {
  to: 25,
  from: [16, 17, 20, 21, 23, 25, 114, 700, 701, 1043, 1082, 1114, 1184, 1700, 3802],
  serialize: (value: unknown) => value,
  parse: (value: unknown) => value,
};

export function runner(uri: string): Runner {
  const sql = postgres(uri, { max: 1, onnotice: () => undefined, fetch_types: false, types: { plain } });
  const names = async (oids: readonly number[]): Promise<readonly string[]> => {
    const query = `select json_agg(format_type(t, null) order by n)::text as names
      from unnest($1::oid[]) with ordinality as _(t, n)`;
    const [row] = await sql.unsafe(query, [`{${oids.join(',')}}`]);
    const list: unknown = JSON.parse(String(row?.names));
    return Array.isArray(list) ? list.map(String) : [];
  };
  return {
    run: (statements, payload) =>
      sql.begin(async (tx) => {
        const results: Rows[] = [];
        for (const { text, parameters } of statements) {
          const values = parameters.map((p) => (typeof p === 'object' && p !== null ? given(p.payload, payload) : p));
          const rows: readonly unknown[] = await tx.unsafe(text, values, { prepare: true }).raw();
          results.push(rows.map(texts));
        }
        return results;
      }),
    types: async ({ text }) => names((await sql.unsafe(text, [], { prepare: true }).describe()).types),
    columns: async ({ text }) =>
      names((await sql.unsafe(text, [], { prepare: true }).describe()).columns.map((c) => c.type)),
    end: () => sql.end(),
  };
}

const given = (form: 'text' | 'binary', payload: string | undefined): string | null => {
  if (payload === undefined) return null;
  return form === 'text' ? payload : `\\x${Buffer.from(payload).toString('hex')}`;
};

function texts(row: unknown): (string | null)[] {
  return Array.isArray(row)
    ? row.map((c: unknown) => (c instanceof Uint8Array ? Buffer.from(c).toString() : null))
    : [];
}

/** Total, rows and body of a main row. */
export const answerOf = (row: readonly (string | null)[] | undefined): (string | null | undefined)[] =>
  [COLUMN.total, COLUMN.page, COLUMN.body].map((index) => row?.[index]);

/** Reads as a test wants to see them: the main row, and its body as text. The runner is asked for with each, since it is there only then. */
export const reader = (server: () => Runner) => {
  const row = async (tree: ReadPlan, given: Facts = facts(), more: Parameters<typeof readPlan>[1] = {}) => {
    const [main] = await server().run(compile(readPlan(tree, more), given));
    return main?.[0] ?? [];
  };
  const body = async (tree: ReadPlan, more: Parameters<typeof readPlan>[1] = {}) =>
    (await row(tree, facts(), more))[COLUMN.body];
  return { row, body };
};
