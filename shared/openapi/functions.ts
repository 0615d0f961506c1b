/** The functions that a document describes. Their types are named as the search_path of the query lets them be. */
import { compareBoolean, compareLists, compareNullable, compareText } from '../snapshot/order.ts';
import { INPUTS } from '../snapshot/queries.ts';
import type { ParameterRow } from '../snapshot/rows.ts';

export interface FunctionParameter {
  readonly name: string;
  readonly type: string;
  readonly required: boolean;
  readonly variadic: boolean;
}

export interface ApiFunction {
  readonly name: string;
  readonly comment: string | null;
  readonly parameters: readonly FunctionParameter[];
  /** It may write, so that GET must not call it. */
  readonly isVolatile: boolean;
}

export type FunctionRow = readonly [
  name: string,
  comment: string | null,
  parameters: readonly ParameterRow[],
  volatility: 'v' | 's' | 'i',
];

/**
 * The functions of a schema as a JSON array of FunctionRow, a scalar subquery. `schema` is the schema's oid as SQL. With
 * `accessible` only those that the current role may execute. Operators are qualified: it runs under any search_path.
 */
export const functionsQuery = (schema: string, accessible: boolean): string => `(
SELECT pg_catalog.json_agg(pg_catalog.json_build_array(
  p.proname, d.description, COALESCE(i.parameters, '[]'), p.provolatile
))::pg_catalog.text
FROM pg_catalog.pg_proc p
LEFT JOIN pg_catalog.pg_description d ON d.objoid OPERATOR(pg_catalog.=) p.oid
  AND d.classoid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
CROSS JOIN LATERAL (${INPUTS}) i
WHERE p.pronamespace OPERATOR(pg_catalog.=) ${schema}
AND p.prokind OPERATOR(pg_catalog.=) 'f'
AND p.prorettype OPERATOR(pg_catalog.<>) 'pg_catalog.trigger'::pg_catalog.regtype
AND i.callable${accessible ? "\nAND pg_catalog.has_function_privilege(p.oid, 'EXECUTE')" : ''}
)`;

function compareOverloads(a: ApiFunction, b: ApiFunction): number {
  return (
    a.parameters.length - b.parameters.length ||
    compareNullable(a.comment, b.comment) ||
    compareLists(
      a.parameters,
      b.parameters,
      (p, q) =>
        compareText(p.name, q.name) ||
        compareText(p.type, q.type) ||
        compareBoolean(p.required, q.required) ||
        compareBoolean(p.variadic, q.variadic),
    )
  );
}

/** The functions of the query's cell, by name. Of overloads there is the last in PostgREST's order: one path is one function. */
export function readFunctions(json: string | null): readonly ApiFunction[] {
  const rows: readonly FunctionRow[] = json === null ? [] : JSON.parse(json);
  const last = new Map<string, ApiFunction>();
  for (const [name, comment, parameters, volatility] of rows) {
    const found: ApiFunction = {
      name,
      comment,
      parameters: parameters.map(([parameter, type, , required, variadic]) => ({
        name: parameter,
        type,
        required,
        variadic,
      })),
      isVolatile: volatility === 'v',
    };
    const other = last.get(name);
    if (other === undefined || compareOverloads(other, found) < 0) last.set(name, found);
  }
  return [...last.values()].sort((a, b) => compareText(a.name, b.name));
}
