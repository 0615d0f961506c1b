/** A function in the document: its path with its operations. */
import { compareText } from '../snapshot/order.ts';
import { splitComment } from './comment.ts';
import type { ApiFunction, FunctionParameter } from './functions.ts';
import { array, arrayOrNone, type Member, object, objectOrNone, optional, reference, text } from './json.ts';
import { ROW_TYPES } from './media-types.ts';
import { queryType, repeatedType, valueType } from './swagger-types.ts';

export const functionPath = ({ name }: ApiFunction): string => `/rpc/${name}`;

function queryParameter({ name, type: typeName, required, variadic }: FunctionParameter): string {
  const { collectionFormat = null, format, items, type } = variadic ? repeatedType(typeName) : queryType(typeName);
  return object([
    ['collectionFormat', collectionFormat],
    ['format', format],
    ['in', text('query')],
    ['items', items],
    ['name', text(name)],
    ['required', String(required)],
    ['type', type],
  ]);
}

/** The arguments as an object, the body of POST. */
function argumentsSchema({ comment, parameters }: ApiFunction): string {
  const properties = parameters
    .toSorted((a, b) => compareText(a.name, b.name))
    .map(({ name, type: typeName }): Member => {
      const { format, items, type } = valueType(typeName);
      return [
        name,
        object([
          ['format', format],
          ['items', items],
          ['type', type],
        ]),
      ];
    });
  return object([
    ['description', optional(comment)],
    ['properties', objectOrNone(properties)],
    ['required', arrayOrNone(parameters.filter(({ required }) => required).map(({ name }) => text(name)))],
    ['type', text('object')],
  ]);
}

const PRODUCES = array(ROW_TYPES.map(text));

/** The operations of the function: POST, and GET where it only reads. */
export function functionOperations(described: ApiFunction): string {
  const comment = splitComment(described.comment);
  const operation = (parameters: string | null): string =>
    object([
      ['description', optional(comment?.rest || null)],
      ['parameters', parameters],
      ['produces', PRODUCES],
      ['responses', object([['200', object([['description', text('OK')]])]])],
      ['summary', optional(comment?.title ?? null)],
      ['tags', array([text(`(rpc) ${described.name}`)])],
    ]);
  const body = object([
    ['in', text('body')],
    ['name', text('args')],
    ['required', 'true'],
    ['schema', argumentsSchema(described)],
  ]);
  return object([
    ['get', described.isVolatile ? null : operation(arrayOrNone(described.parameters.map(queryParameter)))],
    ['post', operation(array([body, reference('parameters', 'preferParams')]))],
  ]);
}
