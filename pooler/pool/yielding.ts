import type { Account } from './account.ts';
import { Share } from './share.ts';
import type { Slot } from './slot.ts';

/** Milliseconds that an idle connection is left to its login by another one that already has its share. */
export const kept = 1000;
/** Milliseconds that a login's only connection serves it before one that has none gets its place: logging in has its price. */
const turn = 100;

/**
 * Whether a connection that is free is to be closed, so that another login, which wants more than it has, gets its place. Two logins of a user are compared
 * with each other; of different users, what the users have together; and the pool's own login with all others together. `minimum`: how
 * many the slot's login keeps beyond the other's share.
 */
export function yields(slot: Slot, account: Account, minimum: number, now: number): boolean {
  const { share, queue, held } = slot.account;
  if (!account.share.fitsFor(share)) return false;
  const [theirs, mine] = Share.rivals(share, account.share);
  if (queue.length > 0) {
    // Nobody gets what they would have to give back at once.
    return theirs.held - mine.held >= 2 || (mine.held === 0 && now - slot.since >= turn);
  }
  if (mine.held < mine.fair) return true;
  if (held <= minimum) return false;
  return slot.idleSince > 0 && now - slot.idleSince >= kept;
}
