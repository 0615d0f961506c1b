/** How many clients may keep a connection to themselves at a time. */
export class Pins {
  readonly #limit: number;
  #taken = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get taken(): number {
    return this.#taken;
  }

  /** False when there are too many. */
  take(): boolean {
    if (this.#taken >= this.#limit) return false;
    this.#taken++;
    return true;
  }

  release(): void {
    this.#taken--;
  }
}
