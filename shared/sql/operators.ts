/** Operators and functions of conditions and selects, by the names that requests have for them. */

// Operators are not qualified: those of extensions (citext, ltree, …) are found through search_path.
export const SIMPLE = {
  neq: '<>',
  cs: '@>',
  cd: '<@',
  ov: '&&',
  sl: '<<',
  sr: '>>',
  nxr: '&<',
  nxl: '&>',
  adj: '-|-',
} as const;

/** Those that go with ANY and ALL. */
export const QUANT = {
  eq: '=',
  gte: '>=',
  gt: '>',
  lte: '<=',
  lt: '<',
  like: 'like',
  ilike: 'ilike',
  match: '~',
  imatch: '~*',
} as const;

/** Full-text search: the operator and the function of its right side. */
export const FTS = {
  fts: '@@ pg_catalog.to_tsquery',
  plfts: '@@ pg_catalog.plainto_tsquery',
  phfts: '@@ pg_catalog.phraseto_tsquery',
  wfts: '@@ pg_catalog.websearch_to_tsquery',
} as const;

/** IS takes no parameter, only these words. */
export const IS = {
  null: 'NULL',
  not_null: 'NOT NULL',
  true: 'TRUE',
  false: 'FALSE',
  unknown: 'UNKNOWN',
} as const;

// count takes anything. The others stay unqualified like operators: extensions add their own for their types
// (max of citext, avg of vector) in a schema that only search_path knows.
export const AGGREGATES = {
  count: 'pg_catalog.count',
  sum: 'sum',
  avg: 'avg',
  max: 'max',
  min: 'min',
} as const;
