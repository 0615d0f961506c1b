/**
 * A part of the pool's bound: a door's, in it a user's, in that a login's. It counts the connections that are held in it, in any state, with
 * those on their way.
 */
export class Share {
  held = 0;
  /** Into how many it is divided at the moment. */
  parts = 0;
  #within: Share | null;
  readonly #depth: number;

  constructor(within: Share | null) {
    this.#within = within;
    this.#depth = within === null ? 0 : within.#depth + 1;
  }

  /** One more is held, or one less. */
  add(count: 1 | -1): void {
    for (let share: Share | null = this; share !== null; share = share.#within) share.held += count;
  }

  /** Its part of a bound that everybody gets the same of. */
  fairOf(bound: number): number {
    let fair = bound;
    for (let share = this.#within; share !== null; share = share.#within) fair /= Math.max(1, share.parts);
    return Math.max(1, Math.floor(fair));
  }

  /** It belongs to another one from now on, beside the one that it was in. */
  moveTo(within: Share): void {
    if (this.#within !== null) this.#within.held -= this.held;
    this.#within = within;
    within.held += this.held;
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

/**
 * How the bound is shared out: half for the pool's own login and half for all others, if there are any; that half among users, and a
 * user's part among the logins that are the same user's. Logins that have never succeeded have one part together.
 */
export class Shares {
  readonly #whole = new Share(null);
  /** That of the pool's own login. */
  readonly own: Share = new Share(this.#whole);
  readonly #others = new Share(this.#whole);
  readonly #unproven = new Share(this.#others);
  readonly #users = new Map<string, Share>();

  constructor() {
    this.#whole.parts = 1;
  }

  /** That of a login that has not succeeded yet. */
  unproven(): Share {
    return new Share(this.#unproven);
  }

  /** A login has succeeded for the first time: it is one of its user's. */
  prove(share: Share, user: string): void {
    let all = this.#users.get(user);
    if (all === undefined) {
      all = new Share(this.#others);
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
