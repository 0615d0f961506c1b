/** Finds the function that a call means, among all of its name, by the names of the arguments. */
import { compareText } from '../../shared/snapshot/order.ts';
import type { Schema } from '../../shared/snapshot/schema.ts';
import type { Routine } from '../../shared/snapshot/types.ts';
import type { QualifiedIdentifier } from '../../shared/sql/identifiers.ts';
import type { MediaType } from '../request/types.ts';
import { ambiguousRoutine, noRoutine } from './errors.ts';
import { missingRoutineHint } from './hints.ts';

/** The bodies that can be the one argument of a function as they are; others are arguments by name. */
type BodyType = 'json' | 'text' | 'xml' | 'bytea';

function bodyType(contentType: MediaType): BodyType | null {
  switch (contentType.kind) {
    case 'json':
    case 'text':
    case 'xml':
      return contentType.kind;
    case 'octet-stream':
      return 'bytea';
    default:
      return null;
  }
}

function takesBody(routine: Routine, body: BodyType | null): boolean {
  const [parameter, ...more] = routine.parameters;
  if (!parameter || more.length > 0 || parameter.name !== '' || body === null) return false;
  return parameter.type === body || (body === 'json' && parameter.type === 'jsonb');
}

/** Every argument has a parameter, and every required parameter an argument. */
function takesArguments(routine: Routine, names: ReadonlySet<string>, body: BodyType | null): boolean {
  const { parameters } = routine;
  if (parameters.length === 0) return names.size === 0 && (body === null || body === 'json');
  let matched = 0;
  for (const { name, required } of parameters) {
    if (names.has(name)) matched++;
    else if (required) return false;
  }
  return matched === names.size;
}

/**
 * The function of a name that takes these arguments, or else the one that takes the body as its single unnamed
 * parameter (`posted`: only a POST has one). Throws PGRST202 when there is none and PGRST203 when there are several.
 */
export function findRoutine(
  schema: Schema,
  id: QualifiedIdentifier,
  argumentNames: readonly string[],
  contentType: MediaType,
  posted: boolean,
): Routine {
  const overloads = schema.routines(id);
  const body = posted ? bodyType(contentType) : null;
  const names = new Set(argumentNames);
  const byArguments = overloads.filter((routine) => takesArguments(routine, names, body));
  const found = byArguments.length > 0 ? byArguments : overloads.filter((routine) => takesBody(routine, body));
  const [first] = found;
  if (first === undefined) {
    const sorted = [...names].sort(compareText);
    const suggestion = missingRoutineHint(schema, id.schema, id.name, sorted, overloads);
    throw noRoutine(`${id.schema}.${id.name}`, sorted, body, suggestion);
  }
  if (found.length > 1) throw ambiguousRoutine(found);
  return first;
}
