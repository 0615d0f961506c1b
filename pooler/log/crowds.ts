/** Events that come in crowds: the first is told at once, the others of the same kind together, after a while. */

/** Milliseconds between two lines about the same kind. */
const INTERVAL = 5000;

/** Tells of `count` events of a kind; `key` is the last one's. */
type Tell = (kind: string, key: string, count: number) => void;

export class Crowds {
  readonly #tell: Tell;
  readonly #interval: number;
  readonly #since = new Map<string, { count: number; key: string }>();

  /** `interval` in milliseconds. */
  constructor(tell: Tell, interval: number = INTERVAL) {
    this.#tell = tell;
    this.#interval = interval;
  }

  /** One more of a kind, of which there must not be many. */
  add(kind: string, key: string): void {
    const crowd = this.#since.get(kind);
    if (crowd !== undefined) {
      crowd.count++;
      crowd.key = key;
      return;
    }
    this.#tell(kind, key, 1);
    this.#later(kind, key);
  }

  #later(kind: string, key: string): void {
    const crowd = { count: 0, key };
    this.#since.set(kind, crowd);
    setTimeout(() => {
      this.#since.delete(kind);
      if (crowd.count === 0) return;
      this.#tell(kind, crowd.key, crowd.count);
      this.#later(kind, crowd.key);
    }, this.#interval).unref();
  }
}
