/** PostgreSQL's types as Swagger 2.0 has them. */
import type { Member } from './json.ts';
import { object, text } from './json.ts';

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

function typeMember(type: SwaggerType | null): Member {
  return ['type', type === null ? null : text(type)];
}

const formatMember = (type: string): Member => ['format', text(swaggerFormat(type))];

/** What a schema says of a value of this type. */
export function valueType(type: string): readonly Member[] {
  const swagger = swaggerType(type);
  const items = swagger === 'array' ? object([typeMember(swaggerType(elementOf(type)))]) : null;
  return [typeMember(swagger), formatMember(type), ['items', items]];
}

/** What a parameter of the query says of its type: an array is a text such as `{1,2}`, and any other that has none. */
export function queryType(type: string): readonly Member[] {
  const swagger = swaggerType(type);
  return [typeMember(swagger === null || swagger === 'array' ? 'string' : swagger), formatMember(type)];
}

/** The same of a variadic parameter, which is given once for each element. */
export function repeatedType(type: string): readonly Member[] {
  const element = elementOf(type);
  return [
    typeMember(swaggerType(type) ?? 'string'),
    ['items', object([typeMember(swaggerType(element)), formatMember(element)])],
    ['collectionFormat', text('multi')],
  ];
}
