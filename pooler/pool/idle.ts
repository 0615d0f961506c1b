import type { Slot } from './slot.ts';

/** Connections that nobody uses, the longest idle first. */
export class IdleSlots {
  readonly #slots: Slot[] = [];
  readonly #timeout: number;
  readonly #spare: () => boolean;
  #timer: NodeJS.Timeout | null = null;

  /** After `timeout` milliseconds (0: never) a slot is retired, as long as one can be spared. */
  constructor(timeout: number, spare: () => boolean) {
    this.#timeout = timeout;
    this.#spare = spare;
  }

  get length(): number {
    return this.#slots.length;
  }

  /** Takes the one that served the scope most recently, or else the one idle longest, whose statements are least likely to be wanted. */
  take(scope: string): Slot | null {
    let place = this.#slots.length - 1;
    while (place > 0 && this.#slots[place]?.scope !== scope) place--;
    while (this.#slots.length > 0) {
      const [slot] = this.#slots.splice(Math.max(place, 0), 1);
      // Its closing has begun and the pool is about to be told.
      if (slot?.connection.state === 'idle') return slot;
      place = 0;
    }
    return null;
  }

  add(slot: Slot): void {
    slot.idleSince = Date.now();
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
      if (slot.expires > now && !this.#spare()) {
        slot.idleSince = now;
        continue;
      }
      this.remove(slot);
      slot.retire();
    }
    this.#arm();
  }

  #end(slot: Slot): number {
    const idle = this.#timeout > 0 ? slot.idleSince + this.#timeout : Number.POSITIVE_INFINITY;
    return Math.min(slot.expires, idle);
  }
}
