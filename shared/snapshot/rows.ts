/** The tuples that the catalog queries give (queries.ts), as they stand in the JSON. */

/** `time`: when the load began, in milliseconds since the epoch, by the database's clock. */
export type ServerRow = readonly [versionNumber: number, schemas: readonly string[] | null, time: number];

export type ColumnRow = readonly [
  position: number,
  name: string,
  type: string,
  baseType: string,
  nullable: boolean,
  defaultExpression: string | null,
];

/** pg_class.relkind: ordinary, partitioned, view, materialized view, foreign table. */
export type RelationKind = 'r' | 'p' | 'v' | 'm' | 'f';

export type RelationRow = readonly [
  oid: number,
  schema: string,
  name: string,
  kind: RelationKind,
  /** Bits of pg_relation_is_updatable: 4 update, 8 insert, 16 delete. */
  updatable: number,
  columns: readonly ColumnRow[],
];

/** A primary key, a unique constraint or a foreign key; keys are attribute numbers, columns their names in key order. */
export type ConstraintRow = readonly [
  kind: 'p' | 'u' | 'f',
  name: string,
  relation: number,
  schema: string,
  relationName: string,
  key: readonly number[],
  columns: readonly string[] | null,
  foreignRelation: number,
  foreignSchema: string | null,
  foreignRelationName: string | null,
  foreignKey: readonly number[] | null,
  foreignColumns: readonly string[] | null,
];

/** A view's oid and its rule's action: a pg_node_tree as text. */
export type ViewRow = readonly [oid: number, action: string];

export type ParameterRow = readonly [
  name: string,
  type: string,
  typeMaxLength: string,
  required: boolean,
  variadic: boolean,
];

export type RoutineRow = readonly [
  schema: string,
  name: string,
  /** Not kept; it takes part in the order of overloads. */
  description: string | null,
  parameters: readonly ParameterRow[],
  returnSchema: string,
  returnName: string,
  returnsSet: boolean,
  returnsComposite: boolean,
  returnsDomain: boolean,
  /** What is returned is no row type. */
  returnsValue: boolean,
  volatility: 'v' | 's' | 'i',
  variadic: boolean,
  /** The function's `default_transaction_isolation`. */
  isolation: string | null,
  settings: readonly (readonly [name: string, value: string])[] | null,
];

export type ComputedRelationshipRow = readonly [
  functionSchema: string,
  functionName: string,
  schema: string,
  relation: string,
  foreignSchema: string,
  foreignRelation: string,
  toOne: boolean,
];

export type RepresentationRow = readonly [sourceType: string, targetType: string, castFunction: string];

export type MediaHandlerRow = readonly [
  targetSchema: string,
  targetName: string,
  mediaType: string,
  functionSchema: string,
  functionName: string,
];

/** Everything that a snapshot is made of. */
export interface CatalogRows {
  readonly server: ServerRow;
  readonly relations: readonly RelationRow[];
  readonly constraints: readonly ConstraintRow[];
  readonly views: readonly ViewRow[];
  readonly routines: readonly RoutineRow[];
  readonly computedRelationships: readonly ComputedRelationshipRow[];
  readonly representations: readonly RepresentationRow[];
  readonly mediaHandlers: readonly MediaHandlerRow[];
}
