/** What is known of things met lately: bounded, the one that was learnt first is forgotten first. */
export class Recent<V> {
  readonly #capacity: number;
  readonly #values = new Map<string, V>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get(key: string): V | undefined {
    return this.#values.get(key);
  }

  set(key: string, value: V): void {
    this.#values.delete(key);
    this.#values.set(key, value);
    if (this.#values.size <= this.#capacity) return;
    for (const first of this.#values.keys()) {
      this.#values.delete(first);
      return;
    }
  }

  delete(key: string): void {
    this.#values.delete(key);
  }
}
