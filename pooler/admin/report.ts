/** What `/top` answers: the state of a program now, and what has taken its time since the start. Times are in milliseconds. */
import type { PoolMetrics } from '../pool/index.ts';
import type { StatementUses } from '../wire/index.ts';
import type { Summary } from './durations.ts';

/** A key in whose name requests wait: a role, a tenant, a network of anonymous clients. */
export interface KeyReport {
  readonly key: string;
  /** Requests that wait now, and how long the oldest has. */
  readonly waiting: number;
  readonly oldest: number;
  /** Of the requests that got a connection: how many, and how long they had waited. */
  readonly requests: number;
  readonly wait: Summary;
  /** Time of connections that its transactions took. */
  readonly used: number;
}

export interface StatementReport {
  /** The same for the same text. */
  readonly id: string;
  readonly text: string;
  readonly role: string;
  readonly count: number;
  /** How many of them did not complete. */
  readonly failed: number;
  /** The whole transaction's: all statements of its flight. */
  readonly time: Summary;
}

export interface TopReport {
  readonly program: string;
  /** Seconds since the start. */
  readonly uptime: number;
  /** Bytes. */
  readonly memory: number;
  /** How late the event loop was, over the last seconds. */
  readonly eventLoop: { readonly mean: number; readonly p99: number; readonly max: number };
  readonly pool: PoolMetrics;
  readonly cancelled: { readonly deadline: number; readonly clientGone: number };
  readonly connectionsLost: number;
  readonly preparedStatements: StatementUses;
  /** Those with requests that wait, the longest queue first; then those that have waited most. */
  readonly keys: readonly KeyReport[];
  /** Those that have taken most time, in all. */
  readonly statements: readonly StatementReport[];
}
