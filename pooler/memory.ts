/** What requests, and answers that are not read, may take together while they are kept. */

/** Bytes of a request and its answer that are not counted: there are no more of these than there are sockets. */
const SMALL = 128 * 1024;

/** Bytes for all, of which no user may take more than is left for others. */
export class Memory {
  readonly #limit: number;
  #taken = 0;
  #claims = 0;
  readonly #byUser = new Map<string, number>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** For one request; one of nobody in particular counts as a user of its own. */
  claim(user: string = `request ${this.#claims++}`): Claim {
    return new Claim(this, user);
  }

  /** False where the user would have more than is left. */
  take(user: string, bytes: number): boolean {
    const his = (this.#byUser.get(user) ?? 0) + bytes;
    if (his > this.#limit - this.#taken - bytes) return false;
    this.#taken += bytes;
    this.#byUser.set(user, his);
    return true;
  }

  giveBack(user: string, bytes: number): void {
    this.#taken -= bytes;
    const his = (this.#byUser.get(user) ?? 0) - bytes;
    if (his > 0) this.#byUser.set(user, his);
    else this.#byUser.delete(user);
  }
}

/** What one request takes, with its answer. */
export class Claim {
  readonly #memory: Memory;
  readonly #user: string;
  #taken = 0;
  #counted = 0;
  #ended = false;

  constructor(memory: Memory, user: string) {
    this.#memory = memory;
    this.#user = user;
  }

  /** False where there is no more to be had. */
  take(bytes: number): boolean {
    const counted = Math.max(0, this.#taken + bytes - SMALL);
    if (this.#ended || !this.#count(counted)) return false;
    this.#taken += bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#taken = Math.max(0, this.#taken - bytes);
    this.#count(Math.max(0, this.#taken - SMALL));
  }

  /** Nothing is kept any more. */
  end(): void {
    this.#ended = true;
    this.giveBack(this.#taken);
  }

  #count(counted: number): boolean {
    const more = counted - this.#counted;
    if (more > 0 && !this.#memory.take(this.#user, more)) return false;
    if (more < 0) this.#memory.giveBack(this.#user, -more);
    this.#counted = counted;
    return true;
  }
}
