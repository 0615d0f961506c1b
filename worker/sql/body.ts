/** The aggregate that makes the response's body of the rows. */

import type { Routine } from '../../shared/snapshot/types.ts';
import { quoteQualified } from '../../shared/sql/identifiers.ts';
import type { BodyHandler } from '../plan/types.ts';

/** The alias of the rows that the body and the counts are made of. */
export const ROWS = '_postgrest_t';
/** The CTE with the rows of the relation, the write or the call. */
export const SOURCE = 'pgrst_source';

const stripNulls = (text: string, strip: boolean): string => (strip ? `pg_catalog.json_strip_nulls(${text})` : text);

/** One value or row of a function that returns no set, or the only row of a singular answer. */
const single = (value: string, strip: boolean): string =>
  `COALESCE(${stripNulls(`pg_catalog.json_agg(${value})->0`, strip)}, 'null')`;

const list = (value: string, strip: boolean): string =>
  `COALESCE(${stripNulls(`pg_catalog.json_agg(${value})`, strip)}, '[]')`;

const SCALAR = `${ROWS}.pgrst_scalar`;

function json(routine: Routine | null, strip: boolean): string {
  if (routine === null) return list(ROWS, strip);
  const { set, kind } = routine.returns;
  const value = kind === 'scalar' ? SCALAR : ROWS;
  return set ? list(value, strip) : single(value, strip);
}

const CSV_HEADER =
  "(SELECT COALESCE(pg_catalog.string_agg(a.k, ','), '') FROM (" +
  'SELECT pg_catalog.json_object_keys(r)::pg_catalog.text AS k FROM (' +
  `SELECT pg_catalog.row_to_json(hh) AS r FROM ${SOURCE} AS hh LIMIT 1) s) a)`;
// A row's text form without its parentheses.
const CSV_BODY =
  `COALESCE(pg_catalog.string_agg(pg_catalog.substring(${ROWS}::pg_catalog.text, 2, ` +
  `pg_catalog.length(${ROWS}::pg_catalog.text) - 2), '\n'), '')`;
const CSV = `${CSV_HEADER} || '\n' || ${CSV_BODY}`;

// The schema of PostGIS is not known here: its function is found through search_path.
const GEOJSON =
  "pg_catalog.json_build_object('type', 'FeatureCollection', 'features', " +
  `COALESCE(pg_catalog.json_agg(ST_AsGeoJSON(${ROWS})::pg_catalog.json), '[]'))`;

/** The body's expression. `routine` is the function whose rows they are; null for relations. */
export function bodyAggregate(handler: BodyHandler, routine: Routine | null): string {
  switch (handler.kind) {
    case 'none':
      return "''::pg_catalog.text";
    case 'json':
      return json(routine, false);
    case 'array-stripped':
      return json(routine, true);
    case 'singular': {
      const scalar = routine !== null && !routine.returns.set && routine.returns.kind === 'scalar';
      return single(scalar ? SCALAR : ROWS, handler.stripped);
    }
    case 'csv':
      return CSV;
    case 'geojson':
      return GEOJSON;
    case 'custom': {
      const name = quoteQualified(handler.function);
      if (routine !== null && !routine.returns.set && routine.returns.kind === 'scalar') return `${name}(${SCALAR})`;
      return handler.target === null ? `${name}(${ROWS})` : `${name}(${ROWS}::${quoteQualified(handler.target)})`;
    }
    default:
      return handler satisfies never;
  }
}
