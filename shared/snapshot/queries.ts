/**
 * The catalog queries. Each gives one row with one column: a JSON array (as text) of tuples, described in rows.ts.
 * JSON text in and out is the one form that every driver passes on alike. They must run with an empty search_path,
 * so that type and object names come out qualified (PostgREST sets it so, too).
 * PostgreSQL docs, chapter 53 System Catalogs.
 */

/** What of the configuration decides which objects are in the snapshot. */
export interface CatalogScope {
  /** `db-schemas` */
  readonly schemas: readonly string[];
  /** `db-extra-search-path`: views are traced through views in these, too. */
  readonly extraSearchPath: readonly string[];
  /** `db-hoisted-tx-settings` */
  readonly hoistedSettings: readonly string[];
}

/** A query with its parameters, all of them text holding JSON. */
export interface CatalogQuery {
  readonly text: string;
  readonly parameters: readonly string[];
}

/** Makes an empty search_path for the transaction. To be run before the queries. */
export const EMPTY_SEARCH_PATH = "SELECT pg_catalog.set_config('search_path', '', true)";

/** The strings of a parameter that holds a JSON array. */
const strings = (parameter: number): string =>
  `(SELECT pg_catalog.json_array_elements_text($${parameter}::pg_catalog.text::pg_catalog.json))`;

const schemaOids = (parameter: number): string =>
  `(SELECT oid FROM pg_catalog.pg_namespace WHERE nspname IN ${strings(parameter)})`;

/** Domains with the type under all of them; pg_basetype() does this from PostgreSQL 17 on. */
export const DOMAINS = `
domain_chain (type, base) AS (
  SELECT oid, typbasetype FROM pg_catalog.pg_type WHERE typtype = 'd'
  UNION ALL
  SELECT c.type, t.typbasetype
  FROM domain_chain c JOIN pg_catalog.pg_type t ON t.oid = c.base
  WHERE t.typtype = 'd'
),
domains AS (
  SELECT c.type, c.base, t.typnamespace AS base_schema
  FROM domain_chain c JOIN pg_catalog.pg_type t ON t.oid = c.base
  WHERE t.typtype <> 'd'
)`;

// The transaction's own time is from before its view of the database: a change that it knows of, and one that it does not
// know of is later. One clock for all poolers.
const SERVER = `
SELECT pg_catalog.json_build_array(
  pg_catalog.current_setting('server_version_num')::pg_catalog.int4,
  (SELECT pg_catalog.json_agg(nspname) FROM pg_catalog.pg_namespace WHERE nspname IN ${strings(1)}),
  pg_catalog.floor(1000 * pg_catalog.date_part('epoch', pg_catalog.now()))::pg_catalog.int8
)::pg_catalog.text`;

// pg_relation_is_updatable gives bits: 4 update, 8 insert, 16 delete; with `true` INSTEAD OF triggers count.
// A default of a domain counts where the column has none; identity columns have their sequence's nextval.
const RELATIONS = `
WITH RECURSIVE ${DOMAINS},
relations AS (
  SELECT c.oid, c.relname, c.relkind, n.nspname
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
  AND c.relnamespace IN ${schemaOids(1)}
),
columns AS (
  SELECT
    a.attrelid,
    pg_catalog.json_agg(pg_catalog.json_build_array(
      a.attnum,
      a.attname,
      pg_catalog.format_type(a.atttypid, a.atttypmod),
      CASE
        WHEN d.base_schema = 'pg_catalog'::pg_catalog.regnamespace THEN pg_catalog.format_type(d.base, NULL)
        WHEN t.typtype <> 'd' AND t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace
          THEN pg_catalog.format_type(a.atttypid, NULL)
        ELSE pg_catalog.format_type(a.atttypid, a.atttypmod)
      END,
      NOT (a.attnotnull OR t.typtype = 'd' AND t.typnotnull),
      CASE
        WHEN t.typtype = 'd' AND e.adbin IS NULL THEN pg_catalog.pg_get_expr(t.typdefaultbin, 0)
        WHEN a.attidentity = 'd' THEN (
          SELECT pg_catalog.format('nextval(%L)', s.objid::pg_catalog.regclass)
          FROM pg_catalog.pg_depend s
          WHERE s.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND s.refobjid = a.attrelid
          AND s.refobjsubid = a.attnum AND s.deptype = 'i'
          AND s.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
          LIMIT 1
        )
        WHEN a.attgenerated <> '' THEN NULL
        ELSE pg_catalog.pg_get_expr(e.adbin, e.adrelid)
      END
    ) ORDER BY a.attnum) AS list
  FROM relations r
  JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  LEFT JOIN domains d ON d.type = t.oid
  LEFT JOIN pg_catalog.pg_attrdef e ON e.adrelid = a.attrelid AND e.adnum = a.attnum
  WHERE a.attnum > 0 AND NOT a.attisdropped
  GROUP BY a.attrelid
)
SELECT pg_catalog.json_agg(pg_catalog.json_build_array(
  r.oid::pg_catalog.int8,
  r.nspname,
  r.relname,
  r.relkind,
  CASE
    WHEN r.relkind IN ('r', 'p') THEN 28
    WHEN r.relkind IN ('v', 'f') THEN pg_catalog.pg_relation_is_updatable(r.oid, true)
    ELSE 0
  END,
  COALESCE(c.list, '[]')
))::pg_catalog.text
FROM relations r LEFT JOIN columns c ON c.attrelid = r.oid`;

const keyColumns = (relation: string, key: string): string => `
  ARRAY(
    SELECT a.attname
    FROM pg_catalog.unnest(${key}) WITH ORDINALITY AS k(attnum, position)
    JOIN pg_catalog.pg_attribute a ON a.attrelid = ${relation} AND a.attnum = k.attnum
    ORDER BY k.position
  )`;

// A key of a partition that was inherited from its parent is left out (conparentid): the parent's own counts.
const CONSTRAINTS = `
SELECT pg_catalog.json_agg(pg_catalog.json_build_array(
  c.contype,
  c.conname,
  c.conrelid::pg_catalog.int8,
  n.nspname,
  r.relname,
  c.conkey,
  CASE WHEN c.contype <> 'u' THEN ${keyColumns('c.conrelid', 'c.conkey')} END,
  c.confrelid::pg_catalog.int8,
  fn.nspname,
  f.relname,
  c.confkey,
  CASE WHEN c.contype = 'f' THEN ${keyColumns('c.confrelid', 'c.confkey')} END
))::pg_catalog.text
FROM pg_catalog.pg_constraint c
JOIN pg_catalog.pg_class r ON r.oid = c.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
LEFT JOIN pg_catalog.pg_class f ON f.oid = c.confrelid AND c.contype = 'f'
LEFT JOIN pg_catalog.pg_namespace fn ON fn.oid = f.relnamespace
WHERE (c.contype IN ('p', 'u') OR c.contype = 'f' AND c.conparentid = 0)
AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')`;

const VIEWS = `
SELECT pg_catalog.json_agg(pg_catalog.json_build_array(c.oid::pg_catalog.int8, w.ev_action::pg_catalog.text))::pg_catalog.text
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_rewrite w ON w.ev_class = c.oid AND w.ev_type = '1'
WHERE c.relkind IN ('v', 'm')
AND (c.relnamespace IN ${schemaOids(1)} OR c.relnamespace IN ${schemaOids(2)})`;

const oidIn = (oid: string, types: readonly string[]): string =>
  `${oid} OPERATOR(pg_catalog.=) ANY (ARRAY[${types.map((type) => `'pg_catalog.${type}'`).join()}]::pg_catalog.regtype[])`;

/**
 * Of a function `p`: its input parameters (ParameterRow) and whether it can be called. A function with one unnamed
 * parameter takes the body as it is, when of a type that can hold one. The other form of a type is for casts that
 * would cut a value to the default length 1. Operators are qualified: this runs under any search_path.
 */
export const INPUTS = `
  SELECT
    pg_catalog.json_agg(pg_catalog.json_build_array(
      COALESCE(a.name, ''),
      a.type::pg_catalog.regtype::pg_catalog.text,
      CASE
        WHEN ${oidIn('a.type', ['bit'])} THEN 'bit varying'
        WHEN ${oidIn('a.type', ['_bit'])} THEN 'bit varying[]'
        WHEN ${oidIn('a.type', ['bpchar'])} THEN 'character varying'
        WHEN ${oidIn('a.type', ['_bpchar'])} THEN 'character varying[]'
        ELSE a.type::pg_catalog.regtype::pg_catalog.text
      END,
      a.position OPERATOR(pg_catalog.<=) (p.pronargs OPERATOR(pg_catalog.-) p.pronargdefaults),
      COALESCE(a.mode OPERATOR(pg_catalog.=) 'v', false)
    ) ORDER BY a.position) AS parameters,
    CASE
      WHEN pg_catalog.count(*) OPERATOR(pg_catalog.=) pg_catalog.count(a.name) THEN true
      WHEN pg_catalog.count(*) OPERATOR(pg_catalog.-) pg_catalog.count(a.name) OPERATOR(pg_catalog.=) 1 THEN
        ${oidIn('pg_catalog.min(a.type)', ['bytea', 'json', 'jsonb', 'text', 'xml'])}
      ELSE false
    END AS callable
  FROM (
    SELECT u.type, u.name, u.mode, pg_catalog.row_number() OVER (ORDER BY u.place) AS position
    FROM ROWS FROM (
      pg_catalog.unnest(COALESCE(p.proallargtypes, p.proargtypes::pg_catalog.oid[])),
      pg_catalog.unnest(p.proargnames),
      pg_catalog.unnest(p.proargmodes)
    ) WITH ORDINALITY AS u(type, name, mode, place)
    WHERE u.type IS NOT NULL AND COALESCE(u.mode OPERATOR(pg_catalog.=) ANY ('{i,b,v}'::pg_catalog."char"[]), true)
  ) a
`;

const ROUTINES = `
WITH RECURSIVE ${DOMAINS}
SELECT pg_catalog.json_agg(pg_catalog.json_build_array(
  n.nspname,
  p.proname,
  d.description,
  COALESCE(i.parameters, '[]'),
  tn.nspname,
  COALESCE(tr.relname, t.typname),
  p.proretset,
  t.typtype = 'c' OR COALESCE(p.proargmodes OPERATOR(pg_catalog.&&) '{t,b,o}', false),
  b.type IS NOT NULL,
  t.typtype <> 'c' AND t.oid <> 'pg_catalog.record'::pg_catalog.regtype,
  p.provolatile,
  p.provariadic <> 0,
  (
    SELECT pg_catalog.split_part(setting, '=', 2)
    FROM pg_catalog.unnest(p.proconfig) AS u(setting)
    WHERE setting LIKE 'default_transaction_isolation=%'
  ),
  (
    SELECT pg_catalog.json_agg(pg_catalog.json_build_array(s.name, s.value) ORDER BY s.position)
    FROM (
      SELECT
        pg_catalog.split_part(setting, '=', 1) AS name,
        pg_catalog.substr(setting, pg_catalog.strpos(setting, '=') + 1) AS value,
        position
      FROM pg_catalog.unnest(p.proconfig) WITH ORDINALITY AS u(setting, position)
    ) s
    WHERE s.name IN ${strings(2)}
  )
))::pg_catalog.text
FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
LEFT JOIN domains b ON b.type = p.prorettype
JOIN pg_catalog.pg_type t ON t.oid = COALESCE(b.base, p.prorettype)
JOIN pg_catalog.pg_namespace tn ON tn.oid = t.typnamespace
LEFT JOIN pg_catalog.pg_class tr ON tr.oid = t.typrelid
LEFT JOIN pg_catalog.pg_description d
  ON d.objoid = p.oid AND d.classoid = 'pg_catalog.pg_proc'::pg_catalog.regclass
CROSS JOIN LATERAL (${INPUTS}) i
WHERE p.pronamespace IN ${schemaOids(1)}
AND p.prokind = 'f'
AND t.oid <> 'pg_catalog.trigger'::pg_catalog.regtype
AND i.callable`;

const COMPUTED_RELATIONSHIPS = `
SELECT pg_catalog.json_agg(pg_catalog.json_build_array(
  pn.nspname, p.proname, rn.nspname, r.relname, fn.nspname, f.relname, NOT p.proretset OR p.prorows = 1
))::pg_catalog.text
FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_namespace pn ON pn.oid = p.pronamespace
JOIN pg_catalog.pg_class r ON r.reltype = p.proargtypes[0] AND r.relkind IN ('r', 'p', 'v', 'm', 'f')
JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace
JOIN pg_catalog.pg_class f ON f.reltype = p.prorettype AND f.relkind IN ('r', 'p', 'v', 'm', 'f')
JOIN pg_catalog.pg_namespace fn ON fn.oid = f.relnamespace
WHERE p.pronargs = 1
AND p.prokind = 'f'
AND p.pronamespace IN ${schemaOids(1)}
AND r.relnamespace IN ${schemaOids(1)}`;

// Implicit casts by a function that we may run, between a domain and json or text.
const REPRESENTATIONS = `
SELECT pg_catalog.json_agg(pg_catalog.json_build_array(
  c.castsource::pg_catalog.regtype::pg_catalog.text,
  c.casttarget::pg_catalog.regtype::pg_catalog.text,
  c.castfunc::pg_catalog.regproc::pg_catalog.text
))::pg_catalog.text
FROM pg_catalog.pg_cast c
JOIN pg_catalog.pg_type s ON s.oid = c.castsource
JOIN pg_catalog.pg_type t ON t.oid = c.casttarget
WHERE c.castcontext = 'i' AND c.castmethod = 'f'
AND pg_catalog.has_function_privilege(c.castfunc, 'EXECUTE')
AND (
  s.typtype = 'd' AND t.oid IN ('pg_catalog.json'::pg_catalog.regtype, 'pg_catalog.text'::pg_catalog.regtype)
  OR t.typtype = 'd' AND s.oid IN ('pg_catalog.json'::pg_catalog.regtype, 'pg_catalog.text'::pg_catalog.regtype)
)`;

// Aggregates over a relation's rows (or anyelement) whose result is a domain named as a media type; then functions
// that return such a domain, whose handler is the cast to it.
const MEDIA_HANDLERS = `
WITH media_types AS (
  SELECT t.oid, t.typname, n.nspname
  FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
  WHERE t.typtype = 'd'
  AND (t.typname OPERATOR(pg_catalog.~*) '^[a-z0-9.-]+/[a-z0-9.+-]+$' OR t.typname = '*/*')
),
handlers AS (
  SELECT an.nspname AS target_schema, a.typname AS target_name, m.typname AS media_type,
    pn.nspname AS function_schema, p.proname AS function_name
  FROM media_types m
  JOIN pg_catalog.pg_proc p ON p.prorettype = m.oid AND p.prokind = 'a' AND p.pronargs = 1
  JOIN pg_catalog.pg_namespace pn ON pn.oid = p.pronamespace
  JOIN pg_catalog.pg_type a ON a.oid = p.proargtypes[0]
  JOIN pg_catalog.pg_namespace an ON an.oid = a.typnamespace
  WHERE p.pronamespace IN ${schemaOids(1)}
  AND (
    a.oid = 'pg_catalog.anyelement'::pg_catalog.regtype
    OR EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = a.typrelid AND c.relkind IN ('r', 'p', 'v', 'm', 'f'))
  )
  UNION
  SELECT pn.nspname, p.proname, m.typname, m.nspname, m.typname
  FROM media_types m
  JOIN pg_catalog.pg_proc p ON p.prorettype = m.oid AND p.prokind = 'f' AND NOT p.proretset
  JOIN pg_catalog.pg_namespace pn ON pn.oid = p.pronamespace
  WHERE p.pronamespace IN ${schemaOids(1)}
)
SELECT pg_catalog.json_agg(pg_catalog.json_build_array(
  target_schema, target_name, media_type, function_schema, function_name
))::pg_catalog.text
FROM handlers`;

/** The queries for a scope, by the name of their rows in CatalogRows. They belong into one transaction. */
export function catalogQueries(scope: CatalogScope): {
  readonly server: CatalogQuery;
  readonly relations: CatalogQuery;
  readonly constraints: CatalogQuery;
  readonly views: CatalogQuery;
  readonly routines: CatalogQuery;
  readonly computedRelationships: CatalogQuery;
  readonly representations: CatalogQuery;
  readonly mediaHandlers: CatalogQuery;
} {
  const schemas = JSON.stringify(scope.schemas);
  return {
    server: { text: SERVER, parameters: [schemas] },
    relations: { text: RELATIONS, parameters: [schemas] },
    constraints: { text: CONSTRAINTS, parameters: [] },
    views: { text: VIEWS, parameters: [schemas, JSON.stringify(scope.extraSearchPath)] },
    routines: { text: ROUTINES, parameters: [schemas, JSON.stringify(scope.hoistedSettings)] },
    computedRelationships: { text: COMPUTED_RELATIONSHIPS, parameters: [schemas] },
    representations: { text: REPRESENTATIONS, parameters: [] },
    mediaHandlers: { text: MEDIA_HANDLERS, parameters: [schemas] },
  };
}
