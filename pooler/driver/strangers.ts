/** Those who have not shown yet that they know a password: however many they are, they take little of the pool. */
import type { CancelSignal } from '../wire/index.ts';
import { driverError, wrongPassword } from './errors.ts';
import { Recent } from './recent.ts';

/** Milliseconds that a refused password is refused again without asking the server. */
const REFUSED_FOR = 10_000;
/** Wrong passwords that a user may have in a row, and the milliseconds after which one of them is forgotten. */
const MISTAKES = 20;
const FORGOTTEN_AFTER = 1000;
/** Milliseconds that a wrong password costs the turn in which it was tried: guessing is slow, under however many names. */
const PENALTY = 100;
/** How many may wait to try. */
const WAITING = 1000;
const REMEMBERED = 10_000;

interface Mistakes {
  readonly count: number;
  readonly since: number;
}

const tooMany = (message: string) =>
  driverError('53300', message, { severity: 'FATAL', hint: 'Try again in a moment.' });

export class Strangers {
  readonly #atOnce: number;
  #trying = 0;
  readonly #waiting = new Set<() => void>();
  /** Until when, by the login's key. */
  readonly #refused = new Recent<number>(REMEMBERED);
  /** By the user's name. */
  readonly #mistakes = new Recent<Mistakes>(REMEMBERED);

  /** `atOnce`: how many may ask the server for a verdict at the same time. */
  constructor(atOnce: number) {
    this.#atOnce = atOnce;
  }

  /** Waits for a turn to try a password, which leave() ends. Throws a DriverError where there is no sense in trying. */
  async enter(key: string, user: string, signal: CancelSignal): Promise<void> {
    this.#check(key, user);
    if (this.#trying < this.#atOnce) this.#trying++;
    else {
      await this.#turn(signal);
      // Somebody may have tried the same meanwhile.
      try {
        this.#check(key, user);
      } catch (error) {
        this.#next();
        throw error;
      }
    }
  }

  /** The turn is over. `wrong`: the password was. */
  leave(wrong: boolean): void {
    if (wrong) setTimeout(() => this.#next(), PENALTY).unref();
    else this.#next();
  }

  /** The server did not accept the password. */
  failed(key: string, user: string): void {
    this.#refused.set(key, Date.now() + REFUSED_FOR);
    this.#mistakes.set(user, { count: this.#mistakesOf(user) + 1, since: Date.now() });
  }

  #check(key: string, user: string): void {
    if ((this.#refused.get(key) ?? 0) > Date.now()) throw wrongPassword(user);
    if (this.#mistakesOf(user) >= MISTAKES) throw tooMany('too many wrong passwords were tried for this user');
  }

  #mistakesOf(user: string): number {
    const mistakes = this.#mistakes.get(user);
    if (mistakes === undefined) return 0;
    return Math.max(0, mistakes.count - Math.floor((Date.now() - mistakes.since) / FORGOTTEN_AFTER));
  }

  async #turn(signal: CancelSignal): Promise<void> {
    if (this.#waiting.size >= WAITING) throw tooMany('too many logins are waiting to be verified');
    await new Promise<void>((resolve, reject) => {
      const abort = (): void => {
        this.#waiting.delete(go);
        reject(driverError('57014', 'the request was given up'));
      };
      const go = (): void => {
        signal.removeEventListener('abort', abort);
        resolve();
      };
      this.#waiting.add(go);
      signal.addEventListener('abort', abort);
    });
  }

  /** The turn goes to the one who has waited longest. */
  #next(): void {
    for (const go of this.#waiting) {
      this.#waiting.delete(go);
      go();
      return;
    }
    this.#trying--;
  }
}
