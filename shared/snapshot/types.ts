/**
 * The schema cache as plain data: what planning needs to know of the database, and no more.
 * It carries no comments, no app settings and no keys, so that it may be kept at the edge. Columns' default expressions are
 * there because `missing=default` puts them into the statement.
 */
import type { LogLevel } from '../log.ts';
import type { QualifiedIdentifier } from '../sql/identifiers.ts';

/** A column of a relation. `type` keeps a domain's own name with modifiers; `baseType` is the type under all domains. */
export interface Column {
  readonly name: string;
  /** `format_type` of the column as declared, e.g. `character varying(20)`; what a JSON payload is recorded as. */
  readonly type: string;
  /** The type under the domains, without modifiers for pg_catalog types. */
  readonly baseType: string;
  readonly nullable: boolean;
  /** The default's expression, for `missing=default`; null without one. Identity columns give `nextval(…)` as PostgREST does. */
  readonly default: string | null;
}

/** A table, view, materialized view, foreign or partitioned table in an exposed schema (or one that these relate to). */
export interface Table {
  readonly schema: string;
  readonly name: string;
  readonly isView: boolean;
  readonly insertable: boolean;
  readonly updatable: boolean;
  readonly deletable: boolean;
  /** Primary key columns, for views the traced ones; in name order as PostgREST gives them. */
  readonly primaryKey: readonly string[];
  readonly columns: readonly Column[];
}

/** Pairs of (column of the source, column of the target). */
export type ColumnPairs = readonly (readonly [string, string])[];

/** The junction of a many-to-many relationship. */
export interface Junction {
  readonly table: QualifiedIdentifier;
  readonly constraint1: string;
  readonly constraint2: string;
  /** (source column, junction column) */
  readonly sourceColumns: ColumnPairs;
  /** (target column, junction column) */
  readonly targetColumns: ColumnPairs;
}

export type Cardinality =
  | { readonly kind: 'one-to-many' | 'many-to-one'; readonly constraint: string; readonly columns: ColumnPairs }
  /** `isParent`: the source holds the referenced key (PostgREST's O2O seen from the parent). */
  | {
      readonly kind: 'one-to-one';
      readonly constraint: string;
      readonly columns: ColumnPairs;
      readonly isParent: boolean;
    }
  | { readonly kind: 'many-to-many'; readonly junction: Junction };

/** A relationship found through foreign keys (traced through views). */
export interface DetectedRelationship {
  readonly kind: 'detected';
  readonly table: QualifiedIdentifier;
  readonly foreignTable: QualifiedIdentifier;
  readonly isSelf: boolean;
  readonly cardinality: Cardinality;
  readonly tableIsView: boolean;
  readonly foreignTableIsView: boolean;
}

/** A relationship given by a function `f(table) returns [setof] target`. */
export interface ComputedRelationship {
  readonly kind: 'computed';
  readonly function: QualifiedIdentifier;
  readonly table: QualifiedIdentifier;
  readonly foreignTable: QualifiedIdentifier;
  /** The alias that the function's argument gets in the query: '' schema and the table's name. */
  readonly tableAlias: QualifiedIdentifier;
  readonly toOne: boolean;
  readonly isSelf: boolean;
}

export type Relationship = DetectedRelationship | ComputedRelationship;

/** The schema under which a relationship is found: its target's; for a computed one, its function's. */
export const targetSchema = (r: Relationship): string => (r.kind === 'computed' ? r.function : r.foreignTable).schema;

/** Whether at most one row of the target belongs to a row of the source. */
export const isToOne = (r: Relationship): boolean =>
  r.kind === 'computed' ? r.toOne : r.cardinality.kind === 'many-to-one' || r.cardinality.kind === 'one-to-one';

export interface RoutineParameter {
  readonly name: string;
  /** `format_type` without modifiers' loss: e.g. `character varying`. */
  readonly type: string;
  /** As `type`, but with the maximum length dropped where casting would cut (PostgREST's ppTypeMaxLength). */
  readonly typeMaxLength: string;
  readonly required: boolean;
  readonly variadic: boolean;
}

export type ReturnType = {
  readonly set: boolean;
  readonly kind: 'scalar' | 'composite';
  readonly type: QualifiedIdentifier;
  /** A composite reached through a domain. */
  readonly isAlias: boolean;
  /** Composite as the API has it, one value to the database: a single OUT parameter, or a table of one column. */
  readonly isValue: boolean;
};

export type Volatility = 'volatile' | 'stable' | 'immutable';

/** Isolation levels that a role or a function may ask for. */
export type IsolationLevel = 'read committed' | 'repeatable read' | 'serializable';

export interface Routine {
  readonly schema: string;
  readonly name: string;
  readonly parameters: readonly RoutineParameter[];
  readonly returns: ReturnType;
  readonly volatility: Volatility;
  readonly hasVariadic: boolean;
  readonly isolation: IsolationLevel | null;
  /** The hoisted settings of the function (`db-hoisted-tx-settings`), name and value. */
  readonly settings: readonly (readonly [string, string])[];
}

/** A cast between a type and json/text through a function (domain representations). */
export interface DataRepresentation {
  readonly sourceType: string;
  readonly targetType: string;
  /** Quoted, qualified name of the cast function. */
  readonly function: string;
}

/** A custom media type handler: a function or aggregate whose result is a domain named as a media type. */
export interface MediaHandler {
  /** The relation it is for; null for any (`anyelement`). */
  readonly target: QualifiedIdentifier | null;
  /** The domain's name: a media type, or the any-type star/star. */
  readonly mediaType: string;
  readonly function: QualifiedIdentifier;
}

/** The whole cache. Immutable; a reload makes another. */
export interface Snapshot {
  /** When it was loaded, what is in it and which keys belong to it: see version.ts. */
  readonly version: string;
  /** When it was loaded, in milliseconds since the epoch, by the database's clock. */
  readonly loadedAt: number;
  /** `server_version_num`, e.g. 180000. */
  readonly serverVersion: number;
  readonly tables: readonly Table[];
  readonly relationships: readonly Relationship[];
  /** Relations that are related to a schema only through what is not exposed: for these no other name is suggested. */
  readonly concealedOrigins: readonly { readonly table: QualifiedIdentifier; readonly schema: string }[];
  readonly routines: readonly Routine[];
  readonly representations: readonly DataRepresentation[];
  readonly mediaHandlers: readonly MediaHandler[];
  /** What the worker needs of the configuration. */
  readonly settings: WorkerSettings;
}

/**
 * The part of the configuration that the worker needs. It travels with the snapshot, since the pooler is the only
 * source of configuration; names follow PostgREST's parameters.
 */
export interface WorkerSettings {
  readonly dbSchemas: readonly string[];
  readonly dbAnonRole: string | null;
  readonly dbMaxRows: number | null;
  readonly dbPlanEnabled: boolean;
  readonly dbAggregatesEnabled: boolean;
  readonly dbTxAllowOverride: boolean;
  readonly dbRootSpec: QualifiedIdentifier | null;
  readonly openapiMode: 'follow-privileges' | 'ignore-privileges' | 'disabled';
  readonly clientErrorVerbosity: 'verbose' | 'minimal';
  readonly serverTimingEnabled: boolean;
  readonly serverTraceHeader: string | null;
  readonly serverCorsAllowedOrigins: readonly string[] | null;
  readonly urlUseLegacyTargetNames: boolean;
  readonly jwtAud: string | null;
  readonly jwtRoleClaimKey: string;
  readonly jwtCacheMaxEntries: number;
  readonly logLevel: LogLevel;
  /** The path that the API is mounted under, without a slash at its end; '' for the root. */
  readonly basePath: string;
  /** Whether `apikey` holds the token where there is no Authorization. */
  readonly apikeyHeader: boolean;
}
