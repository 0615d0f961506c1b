import { Account } from './account.ts';
import type { Crowd } from './room.ts';
import { Shares } from './share.ts';
import { TurnQueue } from './turns.ts';
import type { Login, PoolOptions } from './types.ts';

/** The logins that a pool knows: its own, and those of others of whom something is held or waits. */
export class Accounts {
  readonly own: Account;
  readonly #options: PoolOptions;
  readonly #shares: Shares;
  readonly #others = new Map<string, Account>();

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#shares = new Shares(options);
    this.own = this.#make(null, options);
  }

  *[Symbol.iterator](): Iterator<Account> {
    yield this.own;
    yield* this.#others.values();
  }

  /** Whether there is nobody but the pool itself. */
  get alone(): boolean {
    return this.#others.size === 0;
  }

  of(login: Login | undefined): Account {
    if (login === undefined) return this.own;
    let account = this.#others.get(login.key);
    if (account === undefined) {
      account = this.#make(login, login);
      this.#others.set(login.key, account);
      if (login.known === true) account.prove();
    }
    return account;
  }

  /** Drops a login of which nothing is left. False where something is. */
  forget(account: Account): boolean {
    if (account.key === null || !account.forgettable || this.#others.get(account.key) !== account) return false;
    this.#others.delete(account.key);
    account.drop();
    return true;
  }

  /** Who waits beside a request, of all so many. */
  crowdOf(account: Account, key: string, waiting: number): Omit<Crowd, 'free'> {
    const own = this.own.queue.length;
    if (account === this.own) return { ofDoor: this.alone ? null : own, ofKey: account.queue.lengthOf(key) };
    let ofKey = 0;
    for (const { user, queue } of this.#others.values()) if (user === account.user) ofKey += queue.length;
    return { ofDoor: waiting - own, ofKey };
  }

  #make(login: Login | null, how: Pick<Login, 'connect' | 'lifetime'>): Account {
    return new Account(login, how, this.#shares, this.#options.queue?.() ?? new TurnQueue());
  }
}
