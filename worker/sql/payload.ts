/** The request's body as rows: one parameter, taken apart by the database. */
import { BODY } from '../../shared/sql/fragments.ts';
import { quoteIdent, quoteLiteral } from '../../shared/sql/identifiers.ts';
import type { CoercibleField } from '../plan/types.ts';
import type { Parameters } from './parameters.ts';

/** What is needed of a column to read it from JSON. */
export type PayloadColumn = Pick<CoercibleField, 'name' | 'type' | 'transform' | 'default'>;

/**
 * `FROM … pgrst_body`: the body's rows with the given columns.
 * @param isObject the JSON's top level is an object, one row; otherwise an array
 * @param applyDefaults missing keys get the columns' defaults instead of null
 * @param firstOnly of an array, the first element that is there
 */
export function payloadRows(
  columns: readonly PayloadColumn[],
  isObject: boolean,
  applyDefaults: boolean,
  parameters: Parameters,
  firstOnly = false,
): string {
  const json = applyDefaults ? 'jsonb' : 'json';
  const body = `${parameters.bind({ payload: 'text' })}::pg_catalog.${json}`;
  const values = applyDefaults ? 'pgrst_json_defs.val' : 'pgrst_payload.json_data';
  const defaults = applyDefaults ? defaultsJoin(columns, isObject) : '';
  const rows = `pg_catalog.${json}_to_record${isObject ? '' : 'set'}(${values})`;
  let source: string;
  if (columns.length > 0) {
    source = `${rows} AS _(${columns.map((c) => `${quoteIdent(c.name)} ${c.type}`).join(', ')})`;
    if (firstOnly) source += ' LIMIT 1';
  } else source = isObject ? '(values(1)) _' : `pg_catalog.${json}_array_elements(${values}) _`;
  const read = columns.map(({ name, transform }) => {
    const text = quoteIdent(name);
    return transform === null ? text : `${transform}(${text}) AS ${text}`;
  });
  return `FROM (SELECT ${body} AS json_data) pgrst_payload, ${defaults}LATERAL (SELECT ${read.join(', ')} FROM ${source}) ${BODY}`;
}

function defaultsJoin(columns: readonly PayloadColumn[], isObject: boolean): string {
  const pairs: string[] = [];
  for (const c of columns) {
    if (c.default !== null) pairs.push(`${quoteLiteral(c.name)}, ${c.default}`);
  }
  const defaults = `pg_catalog.jsonb_build_object(${pairs.join(', ')})`;
  const values = isObject
    ? `SELECT ${defaults} || pgrst_payload.json_data AS val`
    : `SELECT pg_catalog.jsonb_agg(${defaults} || elem) AS val FROM pg_catalog.jsonb_array_elements(pgrst_payload.json_data) elem`;
  return `LATERAL (${values}) pgrst_json_defs, `;
}
