/** What only the document tells of the database: comments, lengths and labels. A worker that has a pooler needs none of it. */
import type { Config } from '../config/resolve.ts';
import { type CatalogQuery, DOMAINS } from '../snapshot/queries.ts';
import { identifierKey, type QualifiedIdentifier } from '../sql/identifiers.ts';
import { type ApiFunction, functionsQuery, readFunctions } from './functions.ts';

export interface ColumnFacts {
  readonly comment: string | null;
  /** Of `character varying(n)` and the like, in characters or bits. */
  readonly maxLength: number | null;
  /** The labels of an enum, in order. */
  readonly labels: readonly string[];
}

export interface TableFacts {
  readonly comment: string | null;
  readonly columns: ReadonlyMap<string, ColumnFacts>;
}

export interface DocumentFacts {
  table(id: QualifiedIdentifier): TableFacts;
  /** Functions by schema, their types' names qualified; empty where documents follow privileges, for these ask for them. */
  readonly functions: ReadonlyMap<string, readonly ApiFunction[]>;
}

type ColumnRow = readonly [name: string, comment: string | null, maxLength: number | null, labels: string[] | null];
type TableRow = readonly [schema: string, name: string, comment: string | null, columns: readonly ColumnRow[]];

// Only what says something. A length is looked for in the domain's base and no deeper, as information_schema does.
const TABLES = `
WITH RECURSIVE ${DOMAINS},
relations AS (
  SELECT c.oid, c.relname, n.nspname
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
  AND n.nspname IN (SELECT pg_catalog.json_array_elements_text($1::pg_catalog.text::pg_catalog.json))
),
enums AS (
  SELECT enumtypid, pg_catalog.json_agg(enumlabel ORDER BY enumsortorder) AS labels
  FROM pg_catalog.pg_enum
  GROUP BY enumtypid
),
columns AS (
  SELECT a.attrelid, a.attnum, a.attname, s.description, e.labels,
    CASE
      WHEN l.typmod = -1 THEN NULL
      WHEN l.type IN ('pg_catalog.bpchar'::pg_catalog.regtype, 'pg_catalog.varchar'::pg_catalog.regtype) THEN l.typmod - 4
      WHEN l.type IN ('pg_catalog.bit'::pg_catalog.regtype, 'pg_catalog.varbit'::pg_catalog.regtype) THEN l.typmod
    END AS max_length
  FROM relations r
  JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  CROSS JOIN LATERAL (
    SELECT
      CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE a.atttypid END AS type,
      CASE t.typtype WHEN 'd' THEN t.typtypmod ELSE a.atttypmod END AS typmod
  ) l
  LEFT JOIN domains d ON d.type = t.oid
  LEFT JOIN enums e ON e.enumtypid = COALESCE(d.base, t.oid)
  LEFT JOIN pg_catalog.pg_description s
    ON s.objoid = r.oid AND s.objsubid = a.attnum AND s.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass
),
lists AS (
  SELECT attrelid, pg_catalog.json_agg(
    pg_catalog.json_build_array(attname, description, max_length, labels) ORDER BY attnum
  ) AS list
  FROM columns
  WHERE description IS NOT NULL OR max_length IS NOT NULL OR labels IS NOT NULL
  GROUP BY attrelid
)
SELECT pg_catalog.json_agg(
  pg_catalog.json_build_array(r.nspname, r.relname, s.description, COALESCE(l.list, '[]'))
)::pg_catalog.text
FROM relations r
LEFT JOIN lists l ON l.attrelid = r.oid
LEFT JOIN pg_catalog.pg_description s
  ON s.objoid = r.oid AND s.objsubid = 0 AND s.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass
WHERE s.description IS NOT NULL OR l.list IS NOT NULL`;

const FUNCTIONS = `SELECT ${functionsQuery(
  '(SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = $1::pg_catalog.text)',
  false,
)}`;

const NOTHING: TableFacts = { comment: null, columns: new Map() };

function tablesOf(json: string | null): ReadonlyMap<string, TableFacts> {
  const rows: readonly TableRow[] = json === null ? [] : JSON.parse(json);
  return new Map(
    rows.map(([schema, name, comment, columns]) => [
      identifierKey({ schema, name }),
      {
        comment,
        columns: new Map(
          columns.map(([column, remark, maxLength, labels]) => [
            column,
            { comment: remark, maxLength, labels: labels ?? [] },
          ]),
        ),
      },
    ]),
  );
}

type Exposed = Pick<Config, 'openapiMode' | 'dbSchemas'>;

/** The schemas whose functions are asked for: all of them where documents show all. */
const functionSchemas = ({ openapiMode, dbSchemas }: Exposed): readonly string[] =>
  openapiMode === 'ignore-privileges' ? dbSchemas : [];

/**
 * The queries for the facts of the exposed schemas, each of one row with one column of JSON; null where the configuration wants no
 * documents. They must run with an empty search_path.
 */
export function factsQueries(config: Exposed): readonly CatalogQuery[] | null {
  if (config.openapiMode === 'disabled') return null;
  return [
    { text: TABLES, parameters: [JSON.stringify(config.dbSchemas)] },
    ...functionSchemas(config).map((schema) => ({ text: FUNCTIONS, parameters: [schema] })),
  ];
}

/** The facts in the answers to these queries. */
export function documentFacts(
  config: Exposed,
  [tablesJson = null, ...rest]: readonly (string | null)[],
): DocumentFacts {
  const tables = tablesOf(tablesJson);
  const functions = new Map(functionSchemas(config).map((schema, i) => [schema, readFunctions(rest[i] ?? null)]));
  return { functions, table: (id) => tables.get(identifierKey(id)) ?? NOTHING };
}
