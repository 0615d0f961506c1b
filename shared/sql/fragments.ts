/**
 * The fixed pieces of the worker's statements. They are here because both halves must agree on them: the worker puts statements
 * together (worker/sql), the pooler takes no others (pooler/statements).
 */
import { countLeft } from './settings.ts';

/** The alias of the rows that the body and the counts are made of. */
export const ROWS = '_postgrest_t';
/** The CTE with the rows of the relation, the write or the call. */
export const SOURCE = 'pgrst_source';
/** The alias of the rows read from the request's body. */
export const BODY = 'pgrst_body';
/** The result of a function that returns no row type. */
export const SCALAR = `${ROWS}.pgrst_scalar`;

export const ROW_COUNT = `pg_catalog.count(${ROWS})`;
/** The rows of the CTE that counts all rows. */
export const TOTAL_COUNT = `(SELECT pg_catalog.count(*) FROM ${SOURCE}_count)`;
export const NOT_COUNTED = 'null::bigint';

// ---- the response's body ----

export const NO_BODY = "''::pg_catalog.text";

const stripNulls = (text: string, strip: boolean): string => (strip ? `pg_catalog.json_strip_nulls(${text})` : text);

/** One value or row of a function that returns no set, or the only row of a singular answer. */
export const single = (value: string, strip: boolean): string =>
  `COALESCE(${stripNulls(`pg_catalog.json_agg(${value})->0`, strip)}, 'null')`;

export const list = (value: string, strip: boolean): string =>
  `COALESCE(${stripNulls(`pg_catalog.json_agg(${value})`, strip)}, '[]')`;

const CSV_HEADER =
  "(SELECT COALESCE(pg_catalog.string_agg(a.k, ','), '') FROM (" +
  'SELECT pg_catalog.json_object_keys(r)::pg_catalog.text AS k FROM (' +
  `SELECT pg_catalog.row_to_json(hh) AS r FROM ${SOURCE} AS hh LIMIT 1) s) a)`;
// A row's text form without its parentheses.
const CSV_BODY =
  `COALESCE(pg_catalog.string_agg(pg_catalog.substring(${ROWS}::pg_catalog.text, 2, ` +
  `pg_catalog.length(${ROWS}::pg_catalog.text) - 2), '\n'), '')`;
export const CSV = `${CSV_HEADER} || '\n' || ${CSV_BODY}`;

// The schema of PostGIS is not known here: its function is found through search_path.
export const GEOJSON =
  "pg_catalog.json_build_object('type', 'FeatureCollection', 'features', " +
  `COALESCE(pg_catalog.json_agg(ST_AsGeoJSON(${ROWS})::pg_catalog.json), '[]'))`;

/** Where the one inserted row is found, as JSON; `keys` is the primary key's columns, an array. */
export const location = (keys: string): string =>
  `CASE WHEN ${ROW_COUNT} = 1 THEN (` +
  `WITH data AS (SELECT pg_catalog.row_to_json(_) AS row FROM ${SOURCE} AS _ LIMIT 1) ` +
  "SELECT pg_catalog.json_agg(json_data.key || '=' || COALESCE('eq.' || json_data.value, 'is.null')) " +
  'FROM data CROSS JOIN pg_catalog.json_each_text(data.row) AS json_data ' +
  `WHERE json_data.key = ANY (${keys}::pg_catalog.text[])) END`;

// ---- guards ----

/** Marks a guard's failure, which is a cast of text that names the condition and the number. */
export const GUARD_MARK = 'edgerest guard';

const fail = (code: string): string => `pg_catalog.concat('${GUARD_MARK} ${code} ', ${countLeft})::int`;

/** Fails unless there was exactly one row. */
export const notOne = (code: 'PGRST115' | 'PGRST116'): string => ` WHEN ${countLeft}::bigint <> 1 THEN ${fail(code)}`;

/** Fails where there were more rows than `most`. */
export const tooMany = (most: string): string =>
  ` WHEN ${countLeft}::bigint > ${most}::bigint THEN ${fail('PGRST124')}`;
