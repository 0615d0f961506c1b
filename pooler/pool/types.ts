import type { CancelReason, CancelSignal, Connection, ConnectionError } from '../wire/index.ts';
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
  /** How many may wait; no limit by default. One key may be at most four fifths of them, less when others wait. */
  readonly queueLength?: number;
  /** Makes the queue of a login: who is served next; in turn by default, see TurnQueue. */
  readonly queue?: () => AdmissionQueue<Waiter>;
  /**
   * How many of the connections the pool's own login and all others leave to each other, so that neither can hold them all; none by
   * default. Less than `size`.
   */
  readonly reserve?: number;
  /** How many the logins of one user may have; no limit by default. */
  readonly maxPerUser?: number;
  /** Connections of the pool's own login that are kept when idle; none by default. */
  readonly minimum?: number;
  /** Milliseconds after which an idle connection is closed; never by default. */
  readonly idleTimeout?: number;
  /** Milliseconds after which a connection is replaced (up to a tenth less); never by default. */
  readonly maxLifetime?: number;
  /** Told of everything that happens, for the log and the metrics. */
  readonly observe?: (event: PoolEvent) => void;
};

/** Who a connection is logged in as, and how it comes to be. */
export type Login = {
  /** Stands for server, user, database and password: connections are shared by those who give the same. It is shown nowhere. */
  readonly key: string;
  /** Whose it is: what all logins of a user have counts as that user's. By default each counts for itself. */
  readonly user?: string;
  /** It is known to be right, from before: others must not pay for the attempts of those who are not. */
  readonly known?: boolean;
  /** Logs in. Rejects with a ConnectionError, in finite time. */
  readonly connect: () => Promise<Connection>;
  /** Milliseconds after which a connection is replaced by a new login (up to a tenth less); the pool's own maxLifetime holds too. */
  readonly lifetime?: number;
};

/** What is told of a request to those who look after the pool. No value of a request is in it. */
export type Subject = {
  readonly role: string;
  /** The main statement. */
  readonly text: string;
};

/** How a request wants to be admitted. */
export type Admission = {
  readonly subject?: Subject;
  /** The login whose connection it needs; the pool's own by default. All logins share the bound. */
  readonly login?: Login;
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
  /** `own`: with the pool's own login. */
  | {
      readonly type: 'connect-failed';
      readonly error: ConnectionError;
      readonly retryIn: number;
      readonly own: boolean;
    }
  /** `lost`: why, where it was not the pool that closed it; null where it was. */
  | { readonly type: 'closed'; readonly lost: string | null }
  | { readonly type: 'acquired'; readonly key: string; readonly waited: number }
  | { readonly type: 'refused'; readonly key: string; readonly code: PoolErrorCode }
  | {
      readonly type: 'flight';
      readonly key: string;
      readonly took: number;
      readonly outcome: 'completed' | 'failed' | 'lost';
      /** How often it has been sent, this time included. */
      readonly attempts: number;
      /** Set where the database was asked to cancel it, whatever came of that. */
      readonly cancelled: CancelReason | null;
      /** What it had prepared no longer fitted, so that the connection sent it again. */
      readonly stale: boolean;
      /** The connection ended before it read the flight: it goes again, on another one. */
      readonly resent: boolean;
      readonly subject: Subject | null;
    };

/** A key with requests that wait. */
export type QueueState = {
  readonly key: string;
  readonly waiting: number;
  /** Milliseconds that the oldest of them has waited. */
  readonly oldest: number;
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

/** A connection lent out. It ends with release() or destroy(), once; what comes after does nothing. */
export interface Lease {
  readonly connection: Connection;
  /** Gives it back: it serves others as soon as it is free. */
  release(): void;
  /** Gives it back to be closed, whatever its state. */
  destroy(): void;
}

/** Who wants a lease: told one of the two, once. What is thrown reaches others. */
export interface LeaseBorrower {
  granted(lease: Lease): void;
  refused(error: Error): void;
}
