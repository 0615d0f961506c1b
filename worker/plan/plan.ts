/** From an ApiRequest and the snapshot to a plan: the entry of this step, by action. */
import type { Schema } from '../../shared/snapshot/schema.ts';
import type { Routine } from '../../shared/snapshot/types.ts';
import { type QualifiedIdentifier, qualified } from '../../shared/sql/identifiers.ts';
import type { Action, ApiRequest } from '../request/types.ts';
import { planCall } from './call.ts';
import { type ColumnIndex, columnIndex } from './columns.ts';
import { invalidPreferences, maxAffectedNeedsSet, noTable } from './errors.ts';
import { missingTableHint } from './hints.ts';
import { planMutation } from './mutate.ts';
import { checkAcceptsDocument, negotiate } from './negotiate.ts';
import { hasDefaultSelect, planRead } from './read.ts';
import { findRoutine } from './routines.ts';
import type { Plan } from './types.ts';

type ActionOf<K extends Action['kind']> = Extract<Action, { kind: K }>;
type PlanOf<K extends Plan['kind']> = Extract<Plan, { kind: K }>;

/**
 * Plans a request against a snapshot. Throws ApiError only: PGRST1xx for what the request asks for, PGRST200 to 205
 * (with `fromSnapshot`) for names that the snapshot does not know or knows more than once.
 */
export function planRequest(request: ApiRequest, schema: Schema): Plan {
  const { action } = request;
  switch (action.kind) {
    case 'read':
      return planTableRead(request, schema, action);
    case 'mutate':
      return planWrite(request, schema, action);
    case 'call':
      return planRoutineCall(request, schema, action.target, action.invocation);
    case 'inspect':
      checkAcceptsDocument(request.accept);
      return { kind: 'inspect', schema: action.schema, headersOnly: action.headersOnly };
    case 'relation-info':
      return { kind: 'relation-info', table: knownTable(schema, action.target).table };
    case 'routine-info':
      return { kind: 'routine-info', routine: planRoutineCall(request, schema, action.target, 'head').routine };
    case 'schema-info':
      return { kind: 'schema-info' };
    default:
      return action satisfies never;
  }
}

function knownTable(schema: Schema, id: QualifiedIdentifier): ColumnIndex {
  const columns = columnIndex(schema, id);
  if (!columns) throw noTable(id.schema, id.name, missingTableHint(schema, id.schema, id.name));
  return columns;
}

function planTableRead(request: ApiRequest, schema: Schema, action: ActionOf<'read'>): PlanOf<'read'> {
  const { target, headersOnly } = action;
  knownTable(schema, target);
  const read = planRead(request, schema, target);
  const { handler, mediaType } = negotiate(request, schema, target, hasDefaultSelect(read));
  checkPreferences(request);
  return { kind: 'read', target, read, headersOnly, handler, mediaType };
}

function planWrite(request: ApiRequest, schema: Schema, action: ActionOf<'mutate'>): PlanOf<'mutate'> {
  const { target, mutation } = action;
  const columns = knownTable(schema, target);
  const read = planRead(request, schema, target);
  const write = planMutation(request, mutation, target, columns, read);
  checkPreferences(request);
  const { handler, mediaType } = negotiate(request, schema, target, hasDefaultSelect(read));
  return { kind: 'mutate', target, mutation, read, write, handler, mediaType };
}

function planRoutineCall(
  request: ApiRequest,
  schema: Schema,
  target: QualifiedIdentifier,
  invocation: ActionOf<'call'>['invocation'],
): PlanOf<'call'> {
  const posted = invocation === 'call';
  const argumentNames = posted ? request.columns : request.query.params.map(([name]) => name);
  const routine = findRoutine(schema, target, argumentNames, request.contentType, posted);
  const rows = rowsOf(routine);
  const read = planRead(request, schema, rows);
  const call = planCall(request, routine, argumentNames, posted, read);
  const { handler, mediaType } = negotiate(request, schema, rows, hasDefaultSelect(read));
  checkPreferences(request);
  checkMaxAffected(request, routine);
  const access = posted && routine.volatility === 'volatile' ? 'read write' : 'read only';
  return { kind: 'call', target, invocation, routine, access, read, call, handler, mediaType };
}

/** The relation whose rows a function returns, looked for in the function's schema; itself where it returns none. */
const rowsOf = ({ schema, name, returns }: Routine): QualifiedIdentifier =>
  qualified(schema, returns.kind === 'composite' ? returns.type.name : name);

function checkPreferences({ preferences }: ApiRequest): void {
  if (preferences.handling === 'strict' && preferences.invalid.length > 0) {
    throw invalidPreferences(preferences.invalid);
  }
}

function checkMaxAffected({ preferences }: ApiRequest, routine: Routine): void {
  if (preferences.maxAffected !== null && preferences.handling === 'strict' && !routine.returns.set) {
    throw maxAffectedNeedsSet();
  }
}
