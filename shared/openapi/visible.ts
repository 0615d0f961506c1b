/** What of a schema a document shows: asked for under the caller's role, in the request's own transaction. */
import type { Config } from '../config/resolve.ts';
import type { Statement, StatementResult } from '../hop/types.ts';
import { type ApiFunction, functionsQuery, readFunctions } from './functions.ts';

export interface Visible {
  /** The names of the tables and views; null shows all. */
  readonly tables: ReadonlySet<string> | null;
  /** Null shows all. */
  readonly functions: readonly ApiFunction[] | null;
  /** The schema's comment. */
  readonly comment: string | null;
}

// Any privilege on the table or a column of it, or the owner's rights. All qualified: it runs under the request's search_path.
const ACCESSIBLE_TABLES = `(
SELECT pg_catalog.json_agg(c.relname)::pg_catalog.text
FROM pg_catalog.pg_class c
WHERE c.relnamespace OPERATOR(pg_catalog.=) n.oid
AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p,v,m,f}'::pg_catalog."char"[])
AND NOT c.relispartition
AND (
  pg_catalog.pg_has_role(c.relowner, 'USAGE')
  OR pg_catalog.has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
  OR pg_catalog.has_any_column_privilege(c.oid, 'SELECT, INSERT, UPDATE, REFERENCES')
)
)`;

const query = (tables: string, functions: string): string => `
SELECT ${tables}, ${functions}, pg_catalog.obj_description(n.oid, 'pg_namespace')
FROM pg_catalog.pg_namespace n
WHERE n.nspname OPERATOR(pg_catalog.=) $1::pg_catalog.text`;

const TEXTS = {
  'follow-privileges': query(ACCESSIBLE_TABLES, functionsQuery('n.oid', true)),
  'ignore-privileges': query('NULL', 'NULL'),
} as const;

type Mode = Exclude<Config['openapiMode'], 'disabled'>;

/** The statement that asks for it. */
export const visibleStatement = (schema: string, mode: Mode): Statement => ({
  text: TEXTS[mode],
  parameters: [schema],
  result: { kind: 'row', body: null },
});

/** Reads that statement's row. A schema that is gone shows nothing. */
export function readVisible(result: StatementResult | undefined, mode: Mode): Visible {
  const [tables = null, functions = null, comment = null] = result?.columns ?? [];
  if (mode === 'ignore-privileges') return { tables: null, functions: null, comment };
  const names: readonly string[] = tables === null ? [] : JSON.parse(tables);
  return { tables: new Set(names), functions: readFunctions(functions), comment };
}
