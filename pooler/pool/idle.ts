import type { Account } from './account.ts';
import { jittered } from './backoff.ts';
import { hashOf } from './hash.ts';
import type { Slot } from './slot.ts';

/** Connections that nobody uses, the longest idle first. */
export class IdleSlots {
  readonly #slots: Slot[] = [];
  readonly #timeout: number;
  readonly #spare: (slot: Slot) => boolean;
  #timer: NodeJS.Timeout | null = null;

  /** After `timeout` milliseconds (0: never) a slot is retired, as long as it can be spared. */
  constructor(timeout: number, spare: (slot: Slot) => boolean) {
    this.#timeout = timeout;
    this.#spare = spare;
  }

  get length(): number {
    return this.#slots.length;
  }

  /**
   * Takes the login's connection that has the scope's statements; else the one used last that has room for them, so that few connections
   * do what few can; else, where all are full of others' statements, any. Of several it is the one that the scope prefers: always the same,
   * so that the statements of many scopes are divided among the connections instead of driving each other out of all of them.
   */
  take(account: Account, scope: string): Slot | null {
    for (;;) {
      const place = this.#placeOf(account, scope);
      if (place < 0) return null;
      const [slot] = this.#slots.splice(place, 1);
      // In another state its closing has begun and the pool is about to be told.
      if (slot?.connection.state === 'idle') return slot;
    }
  }

  #placeOf(account: Account, scope: string): number {
    const last = this.#slots.at(-1);
    if (last?.account === account && last.scope === scope) return this.#slots.length - 1;
    const hash = hashOf(scope);
    const owner = { place: -1, weight: -1 };
    const any = { place: -1, weight: -1 };
    let roomy = -1;
    for (let place = this.#slots.length - 1; place >= 0; place--) {
      const slot = this.#slots[place];
      if (slot?.account !== account) continue;
      // Rendezvous hashing: every scope's order of preference is another one, and changes little when connections come and go.
      const weight = Math.imul(hash ^ slot.salt, 0x9e3779b1) >>> 0;
      const has = slot.scope === scope || slot.connection.hasStatementsOf(scope);
      const best = has ? owner : any;
      if (weight > best.weight) {
        best.place = place;
        best.weight = weight;
      }
      if (roomy < 0 && slot.connection.hasRoomForStatements) roomy = place;
    }
    if (owner.place >= 0) return owner.place;
    return roomy >= 0 ? roomy : any.place;
  }

  /** The one idle longest of those that are meant. */
  find(meant: (slot: Slot) => boolean): Slot | null {
    return this.#slots.find(meant) ?? null;
  }

  /** Those of a login. */
  of(account: Account): readonly Slot[] {
    return this.#slots.filter((slot) => slot.account === account);
  }

  /** Those of other logins. */
  besides(account: Account): readonly Slot[] {
    return this.#slots.filter((slot) => slot.account !== account);
  }

  add(slot: Slot): void {
    this.#rests(slot, Date.now());
    this.#slots.push(slot);
    if (this.#timer === null) this.#arm();
  }

  remove(slot: Slot): void {
    const place = this.#slots.indexOf(slot);
    if (place >= 0) this.#slots.splice(place, 1);
  }

  retireAll(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    for (const slot of this.#slots.splice(0)) slot.retire();
  }

  #rests(slot: Slot, now: number): void {
    slot.idleSince = now;
    slot.idleUntil = this.#timeout > 0 ? now + jittered(this.#timeout) : Number.POSITIVE_INFINITY;
  }

  #arm(): void {
    let next = Number.POSITIVE_INFINITY;
    for (const slot of this.#slots) next = Math.min(next, this.#end(slot));
    if (next === Number.POSITIVE_INFINITY) return;
    // An idle pool is no reason for a process to go on.
    this.#timer = setTimeout(() => this.#sweep(), Math.max(0, Math.min(next - Date.now(), 2 ** 31 - 1))).unref();
  }

  #sweep(): void {
    this.#timer = null;
    const now = Date.now();
    for (const slot of this.#slots.filter((each) => this.#end(each) <= now)) {
      if (slot.expires > now && !this.#spare(slot)) {
        this.#rests(slot, now);
        continue;
      }
      this.remove(slot);
      slot.retire();
    }
    this.#arm();
  }

  #end(slot: Slot): number {
    return Math.min(slot.expires, slot.idleUntil);
  }
}
