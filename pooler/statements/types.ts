/** Types by the names that requests cast to. */

/** PostgreSQL's own that casts are mostly to; the zone of times aside. */
const BUILTIN: ReadonlySet<string> = new Set([
  'double precision',
  'character varying',
  ...(
    'smallint integer int int2 int4 int8 bigint real float float4 float8 numeric decimal dec money text varchar char character ' +
    'bpchar name bytea boolean bool date time timetz timestamp timestamptz interval uuid json jsonb xml inet cidr macaddr ' +
    'tsvector tsquery oid'
  ).split(' '),
]);

/**
 * Whether a cast to the type runs none but PostgreSQL's own code. False for those that are not known: a domain has checks, and who
 * makes a type may make casts to it.
 */
export const isBuiltin = (type: string): boolean =>
  BUILTIN.has(type.toLowerCase().replace(/ with(out)? time zone$/, ''));
