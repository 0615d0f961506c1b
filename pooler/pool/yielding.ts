import type { Account } from './account.ts';
import type { Slot } from './slot.ts';

/** Milliseconds that an idle connection is left to its login by another one that already has its share. */
export const kept = 1000;
/** Milliseconds that a login's only connection serves it before one that has none gets its place: logging in has its price. */
const turn = 100;

/** How the bound is divided at the moment. */
export interface Division {
  /** How many connections a login may have before it has to wait for what others do not use. */
  readonly share: number;
  /** How many a login keeps all the same, beyond the other's share. */
  readonly minimum: number;
}

/** Whether a connection that is free is to be closed, so that another login, which wants more than it has, gets its place. */
export function yields(slot: Slot, account: Account, { share, minimum }: Division, now: number): boolean {
  const { held, queue } = slot.account;
  if (queue.length > 0) {
    // Nobody gets what they would have to give back at once.
    return held - account.held >= 2 || (account.held === 0 && now - slot.since >= turn);
  }
  if (account.held < share) return true;
  if (held <= minimum) return false;
  return slot.idleSince > 0 && now - slot.idleSince >= kept;
}
