import type { Connection, ConnectionObserver } from '../wire/index.ts';
import type { Account } from './account.ts';
import type { Lease } from './types.ts';

/** One connection of a pool, from login until its socket is closed. */
export class Slot implements ConnectionObserver, Lease {
  readonly connection: Connection;
  /** Whose login it is. */
  readonly account: Account;
  /** Decides which scopes prefer it. */
  readonly salt = Math.floor(Math.random() * 2 ** 32);
  /** When it was opened, in milliseconds since the epoch. */
  readonly since = Date.now();
  /** When it is to be replaced, in milliseconds since the epoch. */
  expires: number;
  /** What it served last. */
  scope = '';
  /** Which state of the schema its statements were planned on. */
  generation: number;
  /** Whose request it serves, and since when, in milliseconds since the epoch. */
  key = '';
  usedSince = 0;
  idleSince = 0;
  /** When it has been idle for long enough to be closed. */
  idleUntil = 0;
  lent = false;
  /** We have closed it. */
  retired = false;
  /** Who gets its place when its socket is closed, where that is settled. */
  successor: Account | null = null;
  readonly #freed: (slot: Slot) => void;
  readonly #gone: (slot: Slot) => void;

  constructor(
    connection: Connection,
    account: Account,
    expires: number,
    generation: number,
    freed: (slot: Slot) => void,
    gone: (slot: Slot) => void,
  ) {
    this.connection = connection;
    this.account = account;
    this.expires = expires;
    this.generation = generation;
    this.#freed = freed;
    this.#gone = gone;
  }

  release(): void {
    if (!this.lent) return;
    this.lent = false;
    if (this.connection.state === 'idle') this.#freed(this);
  }

  destroy(): void {
    if (this.lent) this.retire();
    this.lent = false;
  }

  idle(): void {
    if (!this.lent) this.#freed(this);
  }

  closed(): void {
    this.#gone(this);
  }

  /** False from the moment on when it is closing, for whatever reason. */
  get alive(): boolean {
    const { state } = this.connection;
    return state !== 'closing' && state !== 'closed';
  }

  /** Ends the connection, without waiting for it. */
  retire(): void {
    this.retired = true;
    void this.connection.close();
  }
}
