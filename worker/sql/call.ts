/** Function calls. */

import type { RoutineParameter } from '../../shared/snapshot/types.ts';
import { BODY } from '../../shared/sql/fragments.ts';
import { quoteIdent, quoteQualified } from '../../shared/sql/identifiers.ts';
import type { CallArguments, CallPlan } from '../plan/types.ts';
import { column } from './fields.ts';
import { arrayLiteral, type Parameters } from './parameters.ts';
import { payloadRows } from './payload.ts';

/** Compiles the call; the read then selects from its rows. */
export function callQuery(plan: CallPlan, parameters: Parameters): string {
  if (plan.returnsScalar || plan.returnsSetOfScalar) {
    return `SELECT pgrst_call.pgrst_scalar ${call(plan, parameters, (f) => `(SELECT ${f} pgrst_scalar) pgrst_call`)}`;
  }
  // `value.name` calls any function of one argument that search_path finds, `row.name` only those of rows.
  const rows = (f: string): string => (plan.returnsValue ? `(SELECT * FROM ${f}) pgrst_call` : `${f} pgrst_call`);
  return `SELECT ${returned(plan)} ${call(plan, parameters, rows)}`;
}

/** `FROM f(…)`; `as` names the result. */
function call(plan: CallPlan, parameters: Parameters, as: (invocation: string) => string): string {
  const invoke = (given: string): string => as(`${quoteQualified(plan.target)}(${given})`);
  if (plan.parameters.kind === 'positional') {
    return `FROM ${invoke(positional(plan.parameters.parameter, plan.arguments, parameters))}`;
  }
  const declared = plan.parameters.parameters;
  if (declared.length === 0) return `FROM ${invoke('')}`;
  const named = (value: (p: RoutineParameter) => string): string =>
    declared.map((p) => `${p.variadic ? 'VARIADIC ' : ''}${quoteIdent(p.name)} := ${value(p)}`).join(', ');
  if (plan.arguments.kind === 'direct') {
    const { values } = plan.arguments;
    return `FROM ${invoke(named((p) => `${direct(values.get(p.name), parameters)}::${p.typeMaxLength}`))}`;
  }
  const columns = declared.map((p) => ({ name: p.name, type: p.typeMaxLength, transform: null, default: null }));
  const isObject = plan.arguments.kind === 'payload' && plan.arguments.isObject;
  // Of an array of objects the first is called with.
  return `${payloadRows(columns, isObject, false, parameters, true)}, LATERAL ${invoke(
    named((p) => `${BODY}.${quoteIdent(p.name)}`),
  )}`;
}

function direct(value: string | readonly string[] | undefined, parameters: Parameters): string {
  if (value === undefined) return 'NULL';
  if (typeof value === 'string') return parameters.bind(value);
  return `${parameters.bind(arrayLiteral(value))}::pg_catalog.text[]`;
}

/** The one unnamed parameter takes the body as it is. */
function positional(parameter: RoutineParameter, given: CallArguments, parameters: Parameters): string {
  switch (given.kind) {
    case 'payload':
      return parameter.type === 'bytea'
        ? `${parameters.bind({ payload: 'binary' })}::pg_catalog.bytea`
        : `${parameters.bind({ payload: 'text' })}::${parameter.type}`;
    case 'direct':
      return `${parameters.bind(JSON.stringify(Object.fromEntries(given.values)))}::${parameter.type}`;
    case 'none':
      return `${parameters.bind(null)}::${parameter.type}`;
    default:
      return given satisfies never;
  }
}

/** What is returned, and what filters look at besides. */
function returned(plan: CallPlan): string {
  const { returning } = plan;
  if (returning.length === 0) return '*';
  if (returning.length === 1 && returning[0] === '*') return 'pgrst_call.*';
  const names = new Set([...returning, ...plan.filterFields]);
  return [...names]
    .sort()
    .map((name) => column('pgrst_call', name))
    .join(', ');
}
