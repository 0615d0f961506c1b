/**
 * What happens in a program, for whoever observes it: the log and the metrics are made of the same observations, and each
 * leaves out what it has no use for.
 */
import type { Config } from '../shared/config/resolve.ts';
import type { TokenEvent } from '../shared/log.ts';
import type { DriverEvent } from './driver/events.ts';
import type { IssuerEvent } from './keys/issuer.ts';
import type { PoolEvent } from './pool/index.ts';
import type { ListenerEvent } from './snapshot/listener.ts';
import type { CatalogEvent } from './snapshot/load.ts';
import type { SnapshotEvent } from './snapshot/store.ts';

export type Observation =
  | { readonly kind: 'starting'; readonly program: string }
  /** `server`: in words, such as `API server`. */
  | { readonly kind: 'listening'; readonly server: string; readonly address: string }
  | { readonly kind: 'stopping'; readonly signal: string }
  /** What the operator has to know whatever the level: warnings, and why the program ends. */
  | { readonly kind: 'notice'; readonly text: string }
  /** A mistake of ours. */
  | { readonly kind: 'fault'; readonly error: unknown }
  /** The database let us in. `version` in its own words. */
  | { readonly kind: 'database'; readonly version: string; readonly poolSize: number }
  | { readonly kind: 'config reloaded' }
  | { readonly kind: 'schema cache'; readonly event: CatalogEvent | SnapshotEvent; readonly config: Config }
  | { readonly kind: 'listener'; readonly event: ListenerEvent }
  | { readonly kind: 'pool'; readonly event: PoolEvent }
  /** Of the keys that tokens are verified with, where `jwt-secret` is a URL. */
  | { readonly kind: 'issuer'; readonly event: IssuerEvent }
  | { readonly kind: 'token'; readonly event: TokenEvent }
  /** The API answered. The lines are there where the level asks for them. */
  | {
      readonly kind: 'answered';
      readonly status: number;
      readonly diagnostics: readonly string[];
      readonly access: string | null;
    }
  /** A worker elsewhere was answered: what this half knows of it. */
  | { readonly kind: 'transaction'; readonly diagnostics: readonly string[] }
  /** The hop did not accept a message. `from`: the other end's address, where it is known. */
  | { readonly kind: 'message refused'; readonly reason: string; readonly text: string; readonly from: string | null }
  | { readonly kind: 'driver'; readonly event: DriverEvent }
  /** The program has been told to end and is not through yet, after so many seconds. */
  | { readonly kind: 'draining'; readonly seconds: number; readonly busy: number; readonly waiting: number }
  /** Something that is not HTTP, or a client that was too slow. */
  | { readonly kind: 'not a request'; readonly server: string; readonly error: Error };

/** Never throws. */
export type Observe = (observation: Observation) => void;
