/** A function in the document: its path with its operations. */
import { splitComment } from './comment.ts';
import type { ApiFunction, FunctionParameter } from './functions.ts';
import { array, arrayOrNone, object, objectOrNone, optional, reference, text } from './json.ts';
import { ROW_TYPES } from './media-types.ts';
import { queryType, repeatedType, valueType } from './swagger-types.ts';

export const functionPath = ({ name }: ApiFunction): string => `/rpc/${name}`;

const queryParameter = ({ name, type, required, variadic }: FunctionParameter): string =>
  object([
    ['name', text(name)],
    ['required', String(required)],
    ['in', text('query')],
    ...(variadic ? repeatedType(type) : queryType(type)),
  ]);

/** The arguments as an object, the body of POST. */
function argumentsSchema({ comment, parameters }: ApiFunction): string {
  return object([
    ['description', optional(comment)],
    ['required', arrayOrNone(parameters.filter(({ required }) => required).map(({ name }) => text(name)))],
    ['properties', objectOrNone(parameters.map(({ name, type }) => [name, object(valueType(type))]))],
    ['type', text('object')],
  ]);
}

const PRODUCES = array(ROW_TYPES.map(text));

/** The operations of the function: POST, and GET where it only reads. */
export function functionOperations(described: ApiFunction): string {
  const comment = splitComment(described.comment);
  const operation = (parameters: string | null): string =>
    object([
      ['tags', array([text(`(rpc) ${described.name}`)])],
      ['summary', optional(comment?.title ?? null)],
      ['description', optional(comment?.rest || null)],
      ['produces', PRODUCES],
      ['parameters', parameters],
      ['responses', object([['200', object([['description', text('OK')]])]])],
    ]);
  const body = object([
    ['name', text('args')],
    ['required', 'true'],
    ['in', text('body')],
    ['schema', argumentsSchema(described)],
  ]);
  return object([
    ['get', described.isVolatile ? null : operation(arrayOrNone(described.parameters.map(queryParameter)))],
    ['post', operation(array([body, reference('parameters', 'preferParams')]))],
  ]);
}
