import type { Account } from './account.ts';
import { Share } from './share.ts';

/** Logins that may want more connections than they have. Who has least comes first, of several the one who has been waiting longest. */
export class Hungry {
  readonly #accounts = new Set<Account>();

  add(account: Account): void {
    this.#accounts.add(account);
  }

  delete(account: Account): void {
    this.#accounts.delete(account);
  }

  /** It gets one: whoever else waits comes first next time. */
  served(account: Account): void {
    this.#accounts.delete(account);
    this.#accounts.add(account);
  }

  /** The first one that may have a connection. */
  first(may: (account: Account) => boolean): Account | null {
    let first: Account | null = null;
    for (const account of this.#accounts) {
      if ((first === null || compare(account, first) < 0) && may(account)) first = account;
    }
    return first;
  }

  /** All of them in their order. */
  all(): readonly Account[] {
    return [...this.#accounts].sort(compare);
  }
}

function compare(one: Account, other: Account): number {
  const [mine, theirs] = Share.rivals(one.share, other.share);
  return mine.held - theirs.held;
}
