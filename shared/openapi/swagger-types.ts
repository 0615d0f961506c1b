/** PostgreSQL's types as Swagger 2.0 has them. */
import { object, optional, text } from './json.ts';

type SwaggerType = 'array' | 'boolean' | 'integer' | 'number' | 'string';

/** Null for JSON: a value of any type. */
function swaggerType(type: string): SwaggerType | null {
  switch (type) {
    case 'boolean':
      return 'boolean';
    case 'smallint':
    case 'integer':
    case 'bigint':
      return 'integer';
    case 'numeric':
    case 'real':
    case 'double precision':
      return 'number';
    case 'json':
    case 'jsonb':
      return null;
    default:
      return type.endsWith('[]') ? 'array' : 'string';
  }
}

function swaggerFormat(type: string): string {
  switch (type) {
    case 'smallint':
    case 'integer':
      return 'int32';
    case 'bigint':
      return 'int64';
    default:
      return type;
  }
}

/** Whether a value of the type is written as a text. */
export const isString = (type: string): boolean => swaggerType(type) === 'string';

const elementOf = (arrayType: string): string => arrayType.slice(0, -2);

/** Members of a schema or a parameter, as JSON text; null is left out. */
export interface TypeMembers {
  readonly collectionFormat?: string;
  readonly format: string | null;
  readonly items: string | null;
  readonly type: string | null;
}

const formatOf = (type: string): string => text(swaggerFormat(type));

/** What a schema says of a value of this type. */
export function valueType(type: string): TypeMembers {
  const swagger = swaggerType(type);
  const items = swagger === 'array' ? object([['type', optional(swaggerType(elementOf(type)))]]) : null;
  return { format: formatOf(type), items, type: optional(swagger) };
}

/** What a parameter of the query says of its type: an array is a text such as `{1,2}`, as is any other that has none. */
export function queryType(type: string): TypeMembers {
  const swagger = swaggerType(type);
  return { format: formatOf(type), items: null, type: text(swagger === 'array' ? 'string' : (swagger ?? 'string')) };
}

/** The same of a variadic parameter, which is given once for each element. */
export function repeatedType(type: string): TypeMembers {
  const element = elementOf(type);
  return {
    collectionFormat: text('multi'),
    format: null,
    items: object([
      ['format', formatOf(element)],
      ['type', optional(swaggerType(element))],
    ]),
    type: text(swaggerType(type) ?? 'string'),
  };
}
