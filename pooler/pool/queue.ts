/** What a queue needs to know of those who wait in it. */
export interface Queued {
  /** Whose turn it is when keys are served in turn: a tenant, a role. */
  readonly key: string;
  /** The queue's own: where it stands. Negative when it does not wait. */
  place: number;
  /** The same, where a queue consists of several. */
  lane: number;
}

/** Who gets the next free connection. */
export interface AdmissionQueue<T extends Queued> {
  readonly length: number;
  /** How many of a key wait; where keys are not told apart, how many wait. */
  lengthOf(key: string): number;
  push(waiter: T): void;
  /** Takes the next one out. */
  shift(): T | undefined;
  /** Takes one out that no longer waits; nothing happens when it is not in the queue. */
  remove(waiter: T): void;
  /** A request of this key, be it one that never waited, has used a connection for so long. */
  used(key: string, milliseconds: number): void;
  /** Those who wait, in no particular order. The queue must not be changed meanwhile. */
  waiting(): Iterable<T>;
}

/** First come, first served. Taking out costs the same wherever it is. */
export class FifoQueue<T extends Queued> implements AdmissionQueue<T> {
  /** From #head on; those that were removed have left a hole. */
  #waiters: (T | undefined)[] = [];
  #head = 0;
  /** How many have been dropped from the front of #waiters: places count from the beginning of time. */
  #dropped = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  lengthOf(): number {
    return this.#length;
  }

  used(): void {
    // Nobody's turn depends on it.
  }

  push(waiter: T): void {
    waiter.place = this.#dropped + this.#waiters.length;
    this.#waiters.push(waiter);
    this.#length++;
  }

  shift(): T | undefined {
    while (this.#length > 0) {
      const waiter = this.#waiters[this.#head];
      this.#waiters[this.#head++] = undefined;
      if (waiter === undefined) continue;
      this.#left(waiter);
      return waiter;
    }
    return undefined;
  }

  remove(waiter: T): void {
    const index = waiter.place - this.#dropped;
    if (waiter.place < 0 || this.#waiters[index] !== waiter) return;
    this.#waiters[index] = undefined;
    this.#left(waiter);
  }

  *waiting(): Iterable<T> {
    for (let i = this.#head; i < this.#waiters.length; i++) {
      const waiter = this.#waiters[i];
      if (waiter !== undefined) yield waiter;
    }
  }

  #left(waiter: T): void {
    waiter.place = -1;
    this.#length--;
    // Gives back the space of those who have left, seldom enough to cost nothing on average.
    if (this.#length === 0 || (this.#head > 1024 && this.#head * 2 > this.#waiters.length)) {
      const gone = this.#length === 0 ? this.#waiters.length : this.#head;
      this.#waiters = this.#length === 0 ? [] : this.#waiters.slice(gone);
      this.#dropped += gone;
      this.#head = 0;
    }
  }
}
