/** What a queue needs to know of those who wait in it. */
export interface Queued {
  /** Whose turn it is when keys are served in turn: a tenant, a role. */
  readonly key: string;
}

/** Who gets the next free connection. */
export interface AdmissionQueue<T extends Queued> {
  readonly length: number;
  push(waiter: T): void;
  /** Takes the next one out. */
  shift(): T | undefined;
  /** Takes one out that no longer waits; nothing happens when it is not in the queue. */
  remove(waiter: T): void;
  /** Those who wait, in no particular order. The queue must not be changed meanwhile. */
  waiting(): Iterable<T>;
}

/** First come, first served. Taking out costs nothing, wherever it is. */
export class FifoQueue<T extends Queued> implements AdmissionQueue<T> {
  /** From #head on; those that were removed have left a hole. */
  #waiters: (T | undefined)[] = [];
  #head = 0;
  readonly #places = new Map<T, number>();

  get length(): number {
    return this.#places.size;
  }

  push(waiter: T): void {
    this.#places.set(waiter, this.#waiters.length);
    this.#waiters.push(waiter);
  }

  shift(): T | undefined {
    while (this.#head < this.#waiters.length) {
      const waiter = this.#waiters[this.#head];
      this.#waiters[this.#head++] = undefined;
      if (waiter !== undefined) {
        this.#places.delete(waiter);
        this.#compact();
        return waiter;
      }
    }
    this.#compact();
    return undefined;
  }

  remove(waiter: T): void {
    const place = this.#places.get(waiter);
    if (place === undefined) return;
    this.#places.delete(waiter);
    this.#waiters[place] = undefined;
    if (this.#places.size === 0) this.#compact();
  }

  waiting(): Iterable<T> {
    return this.#places.keys();
  }

  /** Gives back the space of those who have left, seldom enough to cost nothing on average. */
  #compact(): void {
    if (this.#places.size === 0) {
      this.#waiters.length = 0;
      this.#head = 0;
    } else if (this.#head > 1024 && this.#head * 2 > this.#waiters.length) {
      const rest = this.#waiters.slice(this.#head);
      this.#waiters = rest;
      this.#head = 0;
      this.#places.clear();
      rest.forEach((each, place) => {
        if (each !== undefined) this.#places.set(each, place);
      });
    }
  }
}
