/**
 * What requests are planned on: the snapshot and the keys, as finished values that any number of requests may share.
 * No promise is kept here: in Workers one made in another request would hang.
 */
import type { KeySet } from '../shared/config/key-set.ts';
import { Schema } from '../shared/snapshot/schema.ts';
import type { Snapshot } from '../shared/snapshot/types.ts';
import { Authenticator, type ObserveTokens } from './auth/authenticator.ts';
import type { ApiError } from './error.ts';

export interface State {
  readonly schema: Schema;
  readonly authenticator: Authenticator;
  /** The keys as they came, to tell whether they changed. */
  readonly keys: KeySet | null;
}

/** Makes the state of a snapshot; the authenticator and its cache are kept where neither keys nor settings changed. */
export function nextState(
  previous: State | null,
  snapshot: Snapshot,
  keys: KeySet | null,
  observe: ObserveTokens | null = null,
): State {
  const same =
    previous !== null &&
    JSON.stringify(previous.keys) === JSON.stringify(keys) &&
    JSON.stringify(previous.schema.snapshot.settings) === JSON.stringify(snapshot.settings);
  return {
    schema: new Schema(snapshot),
    authenticator: same ? previous.authenticator : new Authenticator(keys, snapshot.settings, observe),
    keys,
  };
}

/** Where the state comes from: the pooler in the same process, or over the hop. */
export interface StateSource {
  /**
   * The state to begin with, at once where there is one; null while this process has none yet. Rejects with ApiError
   * (PGRST002, with the reason) where it cannot be fetched.
   */
  current(): State | null | Promise<State | null>;
  /**
   * A state of another content than `version` that has all that was there at this call, or null when there is none. Waits for its turn
   * where the pooler may not be asked at any time. Throws ApiError (PGRST002, 503) where the pooler does not answer.
   */
  newerThan(version: string): Promise<State | null>;
  /**
   * For a token that the state refused: a newer state, whose keys and settings may judge it otherwise; null without one. Asks
   * far less often than `newerThan`, since anybody can send bad tokens; for a key that is not known the issuer is asked. Never throws.
   */
  afterRefusal(version: string, refusal: ApiError): Promise<State | null>;
  /** Told of the version in each answer, be it the one that is known: a newer one may be fetched in the background. */
  seen(version: string): void;
}
