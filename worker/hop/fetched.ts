/** What asking for snapshot and keys gives, whoever is asked: a pooler, or the database itself. */
import type { KeySet } from '../../shared/config/key-set.ts';
import type { Snapshot } from '../../shared/snapshot/types.ts';
import type { ApiError } from '../error.ts';

/** Why there was no answer. `refusal`: the reason where we are not accepted. */
export interface FetchFailure {
  readonly kind: 'failed';
  readonly message: string;
  readonly refusal: string | null;
}

/** What asking for a snapshot gave. `same`: it is one that is known, loaded as `version` says; `none`: there is none at all yet. */
export type FetchedSnapshot =
  | { readonly kind: 'new'; readonly snapshot: Snapshot }
  | { readonly kind: 'same'; readonly version: string }
  | { readonly kind: 'none' }
  | FetchFailure;

export type FetchedKeys =
  /** `snapshot`: the version that they belong to. */
  { readonly kind: 'keys'; readonly keys: KeySet | null; readonly snapshot: string | null } | FetchFailure;

/** A snapshot with the keys that belong to it. */
export type FetchedState =
  | { readonly kind: 'new'; readonly snapshot: Snapshot; readonly keys: KeySet | null }
  | Exclude<FetchedSnapshot, { readonly kind: 'new' }>;

/** What a pooler says of a token. */
export type Judgement =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'refused'; readonly error: ApiError }
  | FetchFailure;

export const fetchFailed = (message: string, refusal: string | null = null): FetchFailure => ({
  kind: 'failed',
  message,
  refusal,
});
