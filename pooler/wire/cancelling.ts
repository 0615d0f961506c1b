/** Milliseconds until a request to cancel that had no effect is repeated. */
const interval = 50;

/**
 * Requests to cancel one flight, repeated until it is answered: a backend that has not read the flight yet does nothing, and ignores the
 * request. While `active`, one may still be on its way and would hit whatever runs next.
 */
export class Cancelling {
  readonly #send: () => Promise<void>;
  readonly #through: () => void;
  readonly #failed: () => void;
  #sending = false;
  #answered = false;
  #timer: NodeJS.Timeout | null = null;

  /** `send` resolves when the server has dealt with the request. Either `through` or `failed` is called when no more are sent. */
  constructor(send: () => Promise<void>, through: () => void, failed: () => void) {
    this.#send = send;
    this.#through = through;
    this.#failed = failed;
    this.#ask();
  }

  get active(): boolean {
    return this.#sending;
  }

  /** The flight is answered, or given up. */
  stop(): void {
    this.#answered = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #ask(): void {
    this.#sending = true;
    this.#send().then(() => {
      this.#sending = false;
      if (this.#answered) this.#through();
      else this.#timer = setTimeout(() => this.#ask(), interval);
    }, this.#failed);
  }
}
