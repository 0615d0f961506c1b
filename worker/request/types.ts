/** ApiRequest: what the client asks for, in terms of the API's grammar and without knowledge of the database. */
import type { QualifiedIdentifier } from '../../shared/sql/identifiers.ts';
import type { LargeBody } from './body.ts';

/**
 * A request as plain data. Header names are lower case; values are byte strings (one character a byte, as node:http gives
 * them), in the order received. `target` is the raw request target (origin form), never normalised.
 */
export interface RawRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: readonly (readonly [string, string])[];
  /** The body's bytes, empty when there is none; of a large body what there is so far. */
  readonly body: Uint8Array | LargeBody;
  /** The client's, where the transport vouches for it. */
  readonly address?: string | null;
}

export type Mutation = 'create' | 'update' | 'single-upsert' | 'delete';

export type Action =
  | { readonly kind: 'read'; readonly target: QualifiedIdentifier; readonly headersOnly: boolean }
  | { readonly kind: 'mutate'; readonly target: QualifiedIdentifier; readonly mutation: Mutation }
  /** `invocation`: `call` is POST; `read` and `head` are GET and HEAD, in a read-only transaction. */
  | { readonly kind: 'call'; readonly target: QualifiedIdentifier; readonly invocation: 'call' | 'read' | 'head' }
  | { readonly kind: 'inspect'; readonly schema: string; readonly headersOnly: boolean }
  | { readonly kind: 'relation-info'; readonly target: QualifiedIdentifier }
  | { readonly kind: 'routine-info'; readonly target: QualifiedIdentifier }
  | { readonly kind: 'schema-info' };

// ---- fields ----

export type JsonOperation = {
  /** `->` or `->>` */
  readonly operator: '->' | '->>';
  /** An object key or an array index (kept as text: `-1`, `2`). */
  readonly operand: { readonly kind: 'key' | 'index'; readonly value: string };
};

export interface Field {
  readonly name: string;
  readonly path: readonly JsonOperation[];
}

export type AggregateFunction = 'sum' | 'avg' | 'max' | 'min' | 'count';
export type JoinType = 'inner' | 'left';

/** An item of `select`, with what is nested in it. */
export type SelectItem =
  | {
      readonly kind: 'field';
      readonly field: Field;
      readonly aggregate: AggregateFunction | null;
      /** Cast of the aggregate's result: `sum()::text`. */
      readonly aggregateCast: string | null;
      readonly cast: string | null;
      readonly alias: string | null;
    }
  | {
      readonly kind: 'relation' | 'spread';
      readonly relation: string;
      readonly alias: string | null;
      readonly hint: string | null;
      readonly joinType: JoinType | null;
      readonly children: readonly SelectItem[];
    };

// ---- filters ----

export type QuantOperator = 'eq' | 'gte' | 'gt' | 'lte' | 'lt' | 'like' | 'ilike' | 'match' | 'imatch';
export type SimpleOperator = 'neq' | 'cs' | 'cd' | 'ov' | 'sl' | 'sr' | 'nxr' | 'nxl' | 'adj';
export type FtsOperator = 'fts' | 'plfts' | 'phfts' | 'wfts';
export type IsValue = 'null' | 'not_null' | 'true' | 'false' | 'unknown';

export type Operation =
  | { readonly kind: 'simple'; readonly operator: SimpleOperator; readonly value: string }
  | {
      readonly kind: 'quant';
      readonly operator: QuantOperator;
      readonly quantifier: 'any' | 'all' | null;
      readonly value: string;
    }
  | { readonly kind: 'in'; readonly values: readonly string[] }
  | { readonly kind: 'is'; readonly value: IsValue }
  | { readonly kind: 'isdistinct'; readonly value: string }
  | { readonly kind: 'fts'; readonly operator: FtsOperator; readonly language: string | null; readonly value: string };

export interface OperatorExpression {
  readonly negated: boolean;
  readonly operation: Operation;
}

export interface Filter {
  readonly field: Field;
  readonly expression: OperatorExpression;
}

export type LogicTree =
  | {
      readonly kind: 'expression';
      readonly negated: boolean;
      readonly operator: 'and' | 'or';
      readonly children: readonly LogicTree[];
    }
  | { readonly kind: 'filter'; readonly filter: Filter };

// ---- order and ranges ----

export type OrderDirection = 'asc' | 'desc';
export type OrderNulls = 'nullsfirst' | 'nullslast';

export type OrderTerm =
  | {
      readonly kind: 'field';
      readonly field: Field;
      readonly direction: OrderDirection | null;
      readonly nulls: OrderNulls | null;
    }
  | {
      readonly kind: 'relation';
      readonly relation: string;
      readonly field: Field;
      readonly direction: OrderDirection | null;
      readonly nulls: OrderNulls | null;
    };

/**
 * A range of rows. `limit` null is unbounded. Both are bigint: a client may send numbers beyond 2^53.
 * `limit=0` is kept as 0n and is not an error.
 */
export interface RowRange {
  readonly offset: bigint;
  readonly limit: bigint | null;
}

/** The names of the embedded levels in front of a parameter: `clients.projects.name=eq.1` gives ['clients', 'projects']. */
export type EmbedPath = readonly string[];

export interface QueryParams {
  /** The parameters sorted and encoded again, for Content-Location. */
  readonly canonical: string;
  /** Arguments for RPC calls, in order. */
  readonly params: readonly (readonly [string, string])[];
  readonly ranges: readonly { readonly path: EmbedPath; readonly range: RowRange }[];
  readonly order: readonly { readonly path: EmbedPath; readonly terms: readonly OrderTerm[] }[];
  readonly logic: readonly { readonly path: EmbedPath; readonly tree: LogicTree }[];
  /** `columns=`: a sorted set; null when absent. */
  readonly columns: readonly string[] | null;
  readonly select: readonly SelectItem[];
  readonly filters: readonly { readonly path: EmbedPath; readonly filter: Filter }[];
  /** The filters' keys as sent, embedded levels included (`a.b`): a sorted set. */
  readonly filterFields: readonly string[];
  readonly onConflict: readonly string[] | null;
}

// ---- headers ----

export interface Preferences {
  readonly resolution: 'merge-duplicates' | 'ignore-duplicates' | null;
  readonly representation: 'representation' | 'headers-only' | 'minimal' | null;
  readonly count: 'exact' | 'planned' | 'estimated' | null;
  readonly transaction: 'commit' | 'rollback' | null;
  readonly missing: 'default' | 'null' | null;
  readonly handling: 'strict' | 'lenient' | null;
  readonly timezone: string | null;
  readonly maxAffected: bigint | null;
  /** Unknown ones, as sent, in order. */
  readonly invalid: readonly string[];
}

/** What a request without a Prefer header has. */
export const NO_PREFERENCES: Preferences = {
  resolution: null,
  representation: null,
  count: null,
  transaction: null,
  missing: null,
  handling: null,
  timezone: null,
  maxAffected: null,
  invalid: [],
};

export type PlanOption = 'analyze' | 'verbose' | 'settings' | 'buffers' | 'wal';

export type MediaType =
  | {
      readonly kind:
        | 'json'
        | 'geojson'
        | 'csv'
        | 'text'
        | 'xml'
        | 'openapi'
        | 'urlencoded'
        | 'octet-stream'
        | 'any'
        | 'array-stripped';
    }
  | { readonly kind: 'singular'; readonly stripped: boolean }
  | {
      readonly kind: 'plan';
      readonly for: MediaType;
      readonly format: 'json' | 'text';
      readonly options: readonly PlanOption[];
    }
  | { readonly kind: 'other'; readonly name: string };

/** The client's own bytes. Of a large body the pieces as they come: iterating throws what is found wrong with it. */
export type PayloadBody = Uint8Array | AsyncIterable<Uint8Array>;

export type Payload =
  /** A JSON document whose keys were read. `isObject`: the top level is an object. */
  | { readonly kind: 'json'; readonly body: PayloadBody; readonly keys: readonly string[]; readonly isObject: boolean }
  | {
      readonly kind: 'urlencoded';
      readonly pairs: readonly (readonly [string, string])[];
      readonly keys: readonly string[];
    }
  /** JSON that is not looked into, since `columns=` gives the keys. */
  | { readonly kind: 'raw-json'; readonly body: PayloadBody; readonly isObject: boolean }
  /** A body for a function with a single unnamed parameter. */
  | { readonly kind: 'raw'; readonly body: PayloadBody };

export interface ApiRequest {
  readonly action: Action;
  readonly method: string;
  /** The raw path, as sent. */
  readonly path: string;
  readonly schema: string;
  /** Whether the answer names the schema (Content-Profile). */
  readonly negotiatedByProfile: boolean;
  readonly query: QueryParams;
  /** The top level's range: `limit`, `offset` and the Range header together. */
  readonly topLevelRange: RowRange;
  /** As query.ranges, the top level's ([] path) replaced by `topLevelRange`. */
  readonly ranges: readonly { readonly path: EmbedPath; readonly range: RowRange }[];
  readonly payload: Payload | null;
  /** The columns of the payload or of `columns=`: a sorted set. */
  readonly columns: readonly string[];
  readonly preferences: Preferences;
  readonly headers: readonly (readonly [string, string])[];
  readonly cookies: readonly (readonly [string, string])[];
  readonly accept: readonly MediaType[];
  readonly contentType: MediaType;
}
