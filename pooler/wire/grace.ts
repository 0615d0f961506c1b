/** The time that the server has for one thing before the connection to it is given up: the latest thing counts. */
export class Grace {
  #timer: NodeJS.Timeout | null = null;

  /** Calls `passed` after so many milliseconds, in place of what was to be called before. */
  start(milliseconds: number, passed: () => void): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(passed, milliseconds);
  }

  end(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
