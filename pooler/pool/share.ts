/**
 * A part of the pool's bound: a door's, in it a user's, in that a login's. It counts the connections that are held in it, in any state, with
 * those on their way.
 */
export class Share {
  held = 0;
  /** Into how many it is divided at the moment. */
  parts = 0;
  #within: Share | null;
  readonly #limit: number;
  readonly #depth: number;

  /** `limit`: how many may be held in it, whatever its part would be. */
  constructor(within: Share | null, limit = Number.POSITIVE_INFINITY) {
    this.#within = within;
    this.#limit = limit;
    this.#depth = within === null ? 0 : within.#depth + 1;
  }

  /** One more is held, or one less. */
  add(count: 1 | -1): void {
    for (let share: Share | null = this; share !== null; share = share.#within) share.held += count;
  }

  /** How many more may be held in it. */
  get room(): number {
    let room = Number.POSITIVE_INFINITY;
    for (let share: Share | null = this; share !== null; share = share.#within) {
      room = Math.min(room, share.#limit - share.held);
    }
    return room;
  }

  /** Whether one more may be held in it if one less is in the other. */
  fitsFor(other: Share): boolean {
    for (let share: Share | null = this; share !== null; share = share.#within) {
      if (share.held >= share.#limit && !other.#isIn(share)) return false;
    }
    return true;
  }

  /** What it has where everybody has the same. */
  get fair(): number {
    let fair = 1;
    let share: Share = this;
    for (; share.#within !== null; share = share.#within) fair /= Math.max(1, share.#within.parts);
    return Math.max(1, Math.floor(fair * share.#limit));
  }

  /** It belongs to another one from now on, beside the one that it was in. */
  moveTo(within: Share): void {
    if (this.#within !== null) this.#within.held -= this.held;
    this.#within = within;
    within.held += this.held;
  }

  #isIn(other: Share): boolean {
    let share: Share | null = this;
    while (share !== null && share !== other) share = share.#within;
    return share !== null;
  }

  /** What two shares are parts of, one each, where they come together: the parts that are to be compared. */
  static rivals(one: Share, other: Share): readonly [one: Share, other: Share] {
    while (one.#within !== null && one.#depth > other.#depth) one = one.#within;
    while (other.#within !== null && other.#depth > one.#depth) other = other.#within;
    while (one.#within !== null && other.#within !== null && one.#within !== other.#within) {
      one = one.#within;
      other = other.#within;
    }
    return [one, other];
  }
}

export interface SharesOptions {
  /** The bound. */
  readonly size: number;
  /** How much of it the pool's own login and all others leave to each other; nothing by default. */
  readonly reserve?: number;
  /** How many a user may have; no limit by default. */
  readonly maxPerUser?: number;
}

/**
 * How the bound is shared out: half for the pool's own login and half for all others, if there are any; that half among users, and a
 * user's part among the logins that are the same user's. Logins that have never succeeded have one part together.
 */
export class Shares {
  /** That of the pool's own login. */
  readonly own: Share;
  readonly #whole: Share;
  readonly #others: Share;
  readonly #unproven: Share;
  readonly #users = new Map<string, Share>();
  readonly #maxPerUser: number | undefined;

  constructor({ size, reserve = 0, maxPerUser }: SharesOptions) {
    this.#whole = new Share(null, size);
    this.own = new Share(this.#whole, size - reserve);
    this.#others = new Share(this.#whole, size - reserve);
    this.#unproven = new Share(this.#others);
    this.#whole.parts = 1;
    this.#maxPerUser = maxPerUser;
  }

  /** That of a login that has not succeeded yet. */
  unproven(): Share {
    return new Share(this.#unproven);
  }

  /** A login has succeeded for the first time: it is one of its user's. */
  prove(share: Share, user: string): void {
    let all = this.#users.get(user);
    if (all === undefined) {
      all = new Share(this.#others, this.#maxPerUser);
      this.#users.set(user, all);
      this.#others.parts++;
      this.#whole.parts = 2;
    }
    all.parts++;
    share.moveTo(all);
  }

  /** A login that had succeeded is dropped; it holds nothing. */
  drop(user: string): void {
    const all = this.#users.get(user);
    if (all === undefined || --all.parts > 0) return;
    this.#users.delete(user);
    if (--this.#others.parts === 0) this.#whole.parts = 1;
  }
}
