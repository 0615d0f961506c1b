/** Plans: what to do in terms of the snapshot's relations, relationships and routines. No SQL text, plain frozen data. */

import type { Relationship, Routine, RoutineParameter, Table } from '../../shared/snapshot/types.ts';
import type { QualifiedIdentifier } from '../../shared/sql/identifiers.ts';
import type {
  AggregateFunction,
  Field,
  JoinType,
  JsonOperation,
  MediaType,
  Mutation,
  OperatorExpression,
  OrderDirection,
  OrderNulls,
  RowRange,
} from '../request/types.ts';

/**
 * A named element with what is needed to convert it in its place: in a select to json, in a filter from text,
 * in a payload from json (PostgREST's domain representations).
 */
export interface CoercibleField {
  readonly name: string;
  readonly path: readonly JsonOperation[];
  /** Wrap in to_jsonb before the path (arrays and composites). */
  readonly toJson: boolean;
  /** Wrap in to_tsvector, with its language. */
  readonly toTsVector: { readonly language: string | null } | null;
  /** The column's type with modifiers; '' when unknown. */
  readonly type: string;
  /** The type under domains; '' when unknown. */
  readonly baseType: string;
  /** A function that converts the value (already quoted by the snapshot). */
  readonly transform: string | null;
  readonly default: string | null;
  /** Stands for the whole row: counts of spread rows. */
  readonly fullRow: boolean;
}

export interface SelectField {
  readonly field: CoercibleField;
  readonly aggregate: AggregateFunction | null;
  readonly aggregateCast: string | null;
  readonly cast: string | null;
  readonly alias: string | null;
}

export type PlanFilter =
  | { readonly kind: 'filter'; readonly field: CoercibleField; readonly expression: OperatorExpression }
  /** `embed=is.null`: `negated` as in the request's `not.`; `alias` is the embed's aggregate alias. */
  | { readonly kind: 'null-embed'; readonly negated: boolean; readonly alias: string };

export type PlanLogic =
  | {
      readonly kind: 'expression';
      readonly negated: boolean;
      readonly operator: 'and' | 'or';
      readonly children: readonly PlanLogic[];
    }
  | PlanFilter;

export type PlanOrder =
  | {
      readonly kind: 'field';
      readonly field: CoercibleField;
      readonly direction: OrderDirection | null;
      readonly nulls: OrderNulls | null;
    }
  | {
      readonly kind: 'relation';
      /** The embed's aggregate alias. */
      readonly relation: string;
      readonly field: Field;
      readonly direction: OrderDirection | null;
      readonly nulls: OrderNulls | null;
    };

/** A field lifted out of a spread relation. */
export interface SpreadField {
  readonly name: string;
  readonly aggregate: AggregateFunction | null;
  readonly aggregateCast: string | null;
  readonly alias: string | null;
}

/** How an embedded relation appears in its parent's select list. */
export type RelationSelect =
  | {
      readonly kind: 'json';
      readonly name: string;
      readonly alias: string;
      readonly mode: 'object' | 'array';
      readonly empty: boolean;
    }
  | { readonly kind: 'spread'; readonly fields: readonly SpreadField[]; readonly alias: string };

export type SpreadKind =
  | { readonly kind: 'to-one' }
  | {
      readonly kind: 'to-many';
      /** Selected besides, with the relation's own alias where not the node's (ordering by a related column). */
      readonly extraSelect: readonly { readonly relation: string | null; readonly field: SelectField }[];
      readonly order: readonly PlanOrder[];
    };

export interface JoinCondition {
  readonly left: { readonly relation: QualifiedIdentifier; readonly column: string };
  readonly right: { readonly relation: QualifiedIdentifier; readonly column: string };
}

/** One relation of a read, with those embedded in it. */
export interface ReadPlan {
  readonly select: readonly SelectField[];
  readonly from: QualifiedIdentifier;
  readonly fromAlias: string | null;
  readonly where: readonly PlanLogic[];
  readonly order: readonly PlanOrder[];
  readonly range: RowRange;
  readonly relation: {
    readonly name: string;
    readonly alias: string | null;
    readonly hint: string | null;
    readonly joinType: JoinType | null;
    /** How it is reached from its parent; null at the root. */
    readonly toParent: Relationship | null;
    readonly joinConditions: readonly JoinCondition[];
    /** The alias of its aggregated rows in the parent's query. */
    readonly aggregateAlias: string;
    readonly spread: SpreadKind | null;
    /** Addressed by its target's name although it has an alias (`url-use-legacy-target-names`). */
    readonly legacyTargetName: boolean;
  };
  readonly relationSelect: readonly RelationSelect[];
  readonly depth: number;
  readonly children: readonly ReadPlan[];
}

/** Where the payload of a write comes from. */
export type PayloadSource = {
  /** The body's bytes go as one parameter; the JSON's top level is an object or an array. */
  readonly kind: 'json';
  readonly isObject: boolean;
};

export type MutatePlan =
  | {
      readonly kind: 'insert';
      readonly target: QualifiedIdentifier;
      readonly columns: readonly CoercibleField[];
      readonly payload: PayloadSource;
      readonly onConflict: {
        readonly resolution: 'merge-duplicates' | 'ignore-duplicates';
        readonly columns: readonly string[];
      } | null;
      /** PUT: the key that the payload must match. */
      readonly where: readonly PlanLogic[];
      readonly returning: readonly string[];
      readonly primaryKey: readonly string[];
      readonly applyDefaults: boolean;
    }
  | {
      readonly kind: 'update';
      readonly target: QualifiedIdentifier;
      readonly columns: readonly CoercibleField[];
      readonly payload: PayloadSource;
      readonly where: readonly PlanLogic[];
      readonly returning: readonly string[];
      readonly applyDefaults: boolean;
    }
  | {
      readonly kind: 'delete';
      readonly target: QualifiedIdentifier;
      readonly where: readonly PlanLogic[];
      readonly returning: readonly string[];
    };

export type CallArguments =
  /** Arguments one by one; a list for a VARIADIC one. */
  | { readonly kind: 'direct'; readonly values: ReadonlyMap<string, string | readonly string[]> }
  /** The body as JSON (or as it is, for a single unnamed parameter). `none`: no body. */
  | { readonly kind: 'payload'; readonly isObject: boolean }
  | { readonly kind: 'none' };

export interface CallPlan {
  readonly target: QualifiedIdentifier;
  readonly parameters:
    | { readonly kind: 'keyed'; readonly parameters: readonly RoutineParameter[] }
    | { readonly kind: 'positional'; readonly parameter: RoutineParameter };
  readonly arguments: CallArguments;
  readonly returnsScalar: boolean;
  readonly returnsSetOfScalar: boolean;
  /** Rows of one column that are to the database bare values. */
  readonly returnsValue: boolean;
  /** Sorted sets. */
  readonly filterFields: readonly string[];
  readonly returning: readonly string[];
}

/** How the rows become the body. */
export type BodyHandler =
  | { readonly kind: 'none' }
  | { readonly kind: 'json' | 'geojson' | 'csv' }
  | { readonly kind: 'singular'; readonly stripped: boolean }
  | { readonly kind: 'array-stripped' }
  | { readonly kind: 'custom'; readonly function: QualifiedIdentifier; readonly target: QualifiedIdentifier | null };

interface Negotiated {
  readonly handler: BodyHandler;
  readonly mediaType: MediaType;
}

export type Plan =
  | (Negotiated & {
      readonly kind: 'read';
      readonly target: QualifiedIdentifier;
      readonly read: ReadPlan;
      readonly headersOnly: boolean;
    })
  | (Negotiated & {
      readonly kind: 'mutate';
      readonly target: QualifiedIdentifier;
      readonly mutation: Mutation;
      readonly read: ReadPlan;
      readonly write: MutatePlan;
    })
  | (Negotiated & {
      readonly kind: 'call';
      readonly target: QualifiedIdentifier;
      readonly invocation: 'call' | 'read' | 'head';
      readonly routine: Routine;
      readonly access: 'read only' | 'read write';
      readonly read: ReadPlan;
      readonly call: CallPlan;
    })
  /** The OpenAPI document, built by the pooler. */
  | { readonly kind: 'inspect'; readonly schema: string; readonly headersOnly: boolean }
  /** OPTIONS. */
  | { readonly kind: 'relation-info'; readonly table: Table }
  | { readonly kind: 'routine-info'; readonly routine: Routine }
  | { readonly kind: 'schema-info' };
