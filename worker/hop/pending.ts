/** How many requests are under way, counted so that one whose end is never told is forgotten. */

/** Milliseconds after which what has begun counts no more, at the least; at the most it is twice as long. */
const WINDOW = 30_000;

/**
 * In Workers a request whose client has gone may just stop: nothing runs after it, and no count goes down. So what began in
 * a window is counted together, and forgotten with the window.
 */
export class Pending {
  #window = 0;
  #current = 0;
  #previous = 0;

  /** How many have begun and not ended. */
  count(now: number): number {
    this.#turn(now);
    return this.#current + this.#previous;
  }

  /** One begins. Returns what its end has to be told with. */
  begin(now: number): number {
    this.#turn(now);
    this.#current += 1;
    return this.#window;
  }

  /** One that began in this window has ended. */
  end(window: number): void {
    if (window === this.#window) this.#current -= 1;
    else if (window === this.#window - 1) this.#previous -= 1;
  }

  #turn(now: number): void {
    const window = Math.floor(now / WINDOW);
    if (window === this.#window) return;
    this.#previous = window === this.#window + 1 ? this.#current : 0;
    this.#current = 0;
    this.#window = window;
  }
}
