/** A value, and whether it was asked for since it was last considered for leaving. */
interface Entry<V> {
  readonly value: V;
  used: boolean;
}

/**
 * Keeps a bounded number of values. When it is full, the oldest leaves that nobody has asked for lately: nearly the least
 * recently used, but asking changes a flag and no order. (Entries of a Map that are deleted and set anew for each request make V8
 * copy its table every few of them.)
 */
export class SecondChance<V> {
  readonly #limit: number;
  readonly #entries = new Map<string, Entry<V>>();

  /** With a limit of 0 nothing is kept. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get(key: string): V | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    entry.used = true;
    return entry.value;
  }

  /** Returns whether another value had to leave. */
  keep(key: string, value: V): boolean {
    if (this.#limit <= 0) return false;
    const evicts = this.#entries.size >= this.#limit && !this.#entries.has(key);
    if (evicts) this.#evict();
    this.#entries.set(key, { value, used: false });
    return evicts;
  }

  /** Those that were used go to the end, once; a Map keeps the order of insertion and visits them there again. */
  #evict(): void {
    for (const [key, entry] of this.#entries) {
      this.#entries.delete(key);
      if (!entry.used) return;
      entry.used = false;
      this.#entries.set(key, entry);
    }
  }
}
