/** Those who have not shown yet that they know a password: however many they are, they take little of the pool. */
import { TurnQueue } from '../pool/index.ts';
import type { CancelSignal } from '../wire/index.ts';
import { driverError, wrongPassword } from './errors.ts';
import { Recent } from './recent.ts';

/** Milliseconds that a refused password is refused again without asking the server. */
const REFUSED_FOR = 10_000;
/** Wrong passwords that a user may have in a row from one network, and the milliseconds after which one of them is forgotten. */
const MISTAKES = 20;
const FORGOTTEN_AFTER = 1000;
/** Milliseconds that a wrong password costs all turns together: guessing is slow, under however many names. */
const PENALTY = 100;
/** How many may wait to try. */
const WAITING = 1000;
const REMEMBERED = 10_000;

interface Mistakes {
  readonly count: number;
  readonly since: number;
}

/** Somebody who wants in. */
export interface Stranger {
  /** The login's. */
  readonly key: string;
  readonly user: string;
  /** Where he comes from; empty where that is not known. */
  readonly network: string;
}

/** One of them in the queue: networks are served in turn. */
class Waiting {
  readonly key: string;
  place = -1;
  lane = -1;
  readonly go: () => void;

  constructor(network: string, go: () => void) {
    this.key = network;
    this.go = go;
  }
}

const tooMany = (message: string) =>
  driverError('53300', message, { severity: 'FATAL', hint: 'Try again in a moment.' });

export class Strangers {
  readonly #atOnce: number;
  #trying = 0;
  readonly #waiting = new TurnQueue<Waiting>();
  /** Until when, by the login's key. */
  readonly #refused = new Recent<number>(REMEMBERED);
  /** By user and network. */
  readonly #mistakes = new Recent<Mistakes>(REMEMBERED);

  /** `atOnce`: how many may ask the server for a verdict at the same time. */
  constructor(atOnce: number) {
    this.#atOnce = atOnce;
  }

  /** Waits for a turn to try a password, which leave() ends. Throws a DriverError where there is no sense in trying. */
  async enter(stranger: Stranger, signal: CancelSignal): Promise<void> {
    this.#check(stranger);
    if (this.#trying < this.#atOnce) this.#trying++;
    else {
      await this.#turn(stranger.network, signal);
      // Somebody may have tried the same meanwhile.
      try {
        this.#check(stranger);
      } catch (error) {
        this.#next();
        throw error;
      }
    }
  }

  /** The turn is over. `wrong`: the server did not accept the password. */
  leave(stranger: Stranger, wrong: boolean): void {
    if (!wrong) {
      this.#next();
      return;
    }
    this.#mistakes.set(nameOf(stranger), { count: this.#mistakesOf(stranger) + 1, since: Date.now() });
    setTimeout(() => this.#next(), PENALTY * this.#atOnce).unref();
  }

  /** The server did not accept the password of the login with this key. */
  refused(key: string): void {
    this.#refused.set(key, Date.now() + REFUSED_FOR);
  }

  #check(stranger: Stranger): void {
    if ((this.#refused.get(stranger.key) ?? 0) > Date.now()) throw wrongPassword(stranger.user);
    if (this.#mistakesOf(stranger) >= MISTAKES) throw tooMany('too many wrong passwords were tried for this user');
  }

  #mistakesOf(stranger: Stranger): number {
    const mistakes = this.#mistakes.get(nameOf(stranger));
    if (mistakes === undefined) return 0;
    return Math.max(0, mistakes.count - Math.floor((Date.now() - mistakes.since) / FORGOTTEN_AFTER));
  }

  async #turn(network: string, signal: CancelSignal): Promise<void> {
    // A network may have as many as there is room left: half of it alone.
    if (this.#waiting.lengthOf(network) >= WAITING - this.#waiting.length) {
      throw tooMany('too many logins are waiting to be verified');
    }
    await new Promise<void>((resolve, reject) => {
      const abort = (): void => {
        this.#waiting.remove(waiting);
        reject(driverError('57014', 'the request was given up'));
      };
      const waiting = new Waiting(network, () => {
        signal.removeEventListener('abort', abort);
        resolve();
      });
      this.#waiting.push(waiting);
      signal.addEventListener('abort', abort);
    });
  }

  /** The turn goes to the next one who waits. */
  #next(): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#trying--;
    else waiting.go();
  }
}

const nameOf = ({ user, network }: Stranger): string => JSON.stringify([user, network]);
