/** setTimeout takes no more. */
const longest = 2 ** 31 - 1;

/**
 * One timer for the deadlines of many flights. It is set for the earliest and left alone when that flight is done in time, so that a
 * flight costs no timer: mostly it finds, much later, that the one it was set for is long gone.
 */
export class DeadlineTimer {
  readonly #passed: () => void;
  #timer: NodeJS.Timeout | null = null;
  #at = Number.POSITIVE_INFINITY;

  /** `passed` looks what is due and sets the timer again for what is not. */
  constructor(passed: () => void) {
    this.#passed = passed;
  }

  /** Milliseconds since the epoch. */
  set(deadline: number): void {
    if (this.#at <= deadline) return;
    this.clear();
    this.#at = deadline;
    this.#timer = setTimeout(this.#fire, Math.min(Math.max(deadline - Date.now(), 0), longest));
  }

  clear(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#at = Number.POSITIVE_INFINITY;
  }

  readonly #fire = (): void => {
    this.#timer = null;
    this.#at = Number.POSITIVE_INFINITY;
    this.#passed();
  };
}
