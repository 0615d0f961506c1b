/** Calls of functions: parameters, and where their arguments come from. */
import type { Routine } from '../../shared/snapshot/types.ts';
import { qualified } from '../../shared/sql/identifiers.ts';
import type { ApiRequest } from '../request/types.ts';
import { filterNames, returningColumns } from './returning.ts';
import type { CallArguments, CallPlan, ReadPlan } from './types.ts';

/**
 * The call of a function with the arguments of these names, whose result `read` describes. `posted`: the arguments are
 * in the body, else in the query.
 */
export function planCall(
  request: ApiRequest,
  routine: Routine,
  argumentNames: readonly string[],
  posted: boolean,
  read: ReadPlan,
): CallPlan {
  const names = new Set(argumentNames);
  const { returns, parameters } = routine;
  const [parameter] = parameters;
  return {
    target: qualified(routine.schema, routine.name),
    parameters:
      parameters.length === 1 && parameter?.name === ''
        ? { kind: 'positional', parameter }
        : { kind: 'keyed', parameters: parameters.filter(({ name }) => names.has(name)) },
    arguments: callArguments(request, routine, posted),
    returnsScalar: !returns.set && returns.kind === 'scalar',
    returnsSetOfScalar: returns.set && returns.kind === 'scalar',
    returnsValue: returns.isValue,
    filterFields: filterNames(read),
    returning: returningColumns(read, []),
  };
}

function callArguments({ query, payload }: ApiRequest, routine: Routine, posted: boolean): CallArguments {
  if (!posted) return { kind: 'direct', values: directValues(routine, query.params) };
  switch (payload?.kind) {
    case 'urlencoded':
      return { kind: 'direct', values: directValues(routine, payload.pairs) };
    case 'json':
    case 'raw-json':
      return { kind: 'payload', isObject: payload.isObject };
    case 'raw':
      return { kind: 'payload', isObject: false };
    case undefined:
      return { kind: 'none' };
    default:
      return payload satisfies never;
  }
}

/** The last value of each name; all of them, in order, for a VARIADIC parameter. */
function directValues(
  routine: Routine,
  pairs: readonly (readonly [string, string])[],
): ReadonlyMap<string, string | readonly string[]> {
  if (!routine.hasVariadic) return new Map(pairs);
  const values = new Map<string, string | readonly string[]>();
  for (const [name, value] of pairs) {
    const isVariadic = routine.parameters.some((p) => p.name === name && p.variadic);
    const before = values.get(name) ?? [];
    values.set(name, isVariadic && typeof before !== 'string' ? [...before, value] : value);
  }
  return values;
}
