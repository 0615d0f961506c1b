import type { CancelSignal, Connection, ConnectionError } from '../wire/index.ts';
import type { PoolErrorCode } from './errors.ts';
import type { AdmissionQueue } from './queue.ts';
import type { Waiter } from './waiter.ts';

export type PoolOptions = {
  /** The bound: connections in any state, from the first packet until the socket is closed. */
  readonly size: number;
  /** Logs in to the database. Rejects with a ConnectionError, in finite time. */
  readonly connect: () => Promise<Connection>;
  /** Milliseconds that a request may wait for a connection. */
  readonly acquisitionTimeout: number;
  /** How many may wait; no limit by default. */
  readonly queueLength?: number;
  /** Who is served next; first come, first served by default. */
  readonly queue?: AdmissionQueue<Waiter>;
  /** Connections that are kept when idle; none by default. */
  readonly minimum?: number;
  /** Milliseconds after which an idle connection is closed; never by default. */
  readonly idleTimeout?: number;
  /** Milliseconds after which a connection is replaced (up to a tenth less); never by default. */
  readonly maxLifetime?: number;
  /** Told of everything that happens, for the log and the metrics. */
  readonly observe?: (event: PoolEvent) => void;
};

/** How a request wants to be admitted. */
export type Admission = {
  /** Role and search_path: an idle connection that last served the same has the statements prepared. */
  readonly scope?: string;
  /** Whose queue it waits in, where the queue knows keys. */
  readonly key?: string;
  /** Milliseconds since the epoch; once passed, the request is dropped instead of being sent. */
  readonly deadline?: number;
  readonly signal?: CancelSignal;
};

/** Times in milliseconds. */
export type PoolEvent =
  | { readonly type: 'connected'; readonly took: number }
  | { readonly type: 'connect-failed'; readonly error: ConnectionError; readonly retryIn: number }
  | { readonly type: 'closed' }
  | { readonly type: 'acquired'; readonly key: string; readonly waited: number }
  | { readonly type: 'refused'; readonly key: string; readonly code: PoolErrorCode }
  | {
      readonly type: 'flight';
      readonly key: string;
      readonly took: number;
      readonly outcome: 'completed' | 'failed' | 'lost';
      readonly attempts: number;
    };

/** The state of a pool now, and counters since its start. */
export type PoolMetrics = {
  readonly size: number;
  readonly connecting: number;
  readonly idle: number;
  /** Serving a flight or lent out. */
  readonly busy: number;
  /** Answered, but not free yet. */
  readonly resetting: number;
  readonly closing: number;
  /** Connections that could be used or opened at once. */
  readonly available: number;
  readonly waiting: number;
  readonly connects: number;
  readonly connectFailures: number;
  readonly closed: number;
  readonly flights: number;
  /** Flights that went a second time: on fresh names, or because the first connection ended before it read them. */
  readonly retries: number;
  readonly refused: Readonly<Record<PoolErrorCode, number>>;
};

/** A connection lent out; release() gives it back, once. */
export interface Lease {
  readonly connection: Connection;
  release(): void;
}
