import type { Connection, ConnectionError } from '../wire/index.ts';
import type { AdmissionQueue } from './queue.ts';
import type { Share, Shares } from './share.ts';
import type { Login } from './types.ts';
import type { Waiter } from './waiter.ts';

/** What the pool knows of one login: who waits for its connections, how many it holds, and what keeps it from having more. */
export class Account {
  /** Null for the pool's own login. */
  readonly key: string | null;
  /** Whose it is; null for the pool's own login. */
  readonly user: string | null;
  readonly connect: () => Promise<Connection>;
  /** Milliseconds that its connections live; 0 for no limit. */
  readonly lifetime: number;
  readonly queue: AdmissionQueue<Waiter>;
  /** Its part of the bound. A connection that closes to make room counts for whom it does so. */
  readonly share: Share;
  /** Those on their way: being opened, or waiting for the socket whose place they take. */
  opening = 0;
  /** Connections that are being asked whether they are still good. */
  checking = 0;
  /** When one was lost that nobody had closed, in milliseconds since the epoch: others, unused since, may be lost too. */
  lossAt = 0;
  /** Attempts to connect that have failed since the last one that did not; several at the same time count as one. */
  failures = 0;
  /** One of several at the same time has failed: the others decide. */
  undecided = false;
  /** Why there is no attempt just now: what the last one failed with. */
  trouble: ConnectionError | null = null;
  readonly #shares: Shares;
  #proven: boolean;
  #timer: NodeJS.Timeout | null = null;

  /** Without a login it is the pool's own. */
  constructor(
    login: Login | null,
    { connect, lifetime = 0 }: Pick<Login, 'connect' | 'lifetime'>,
    shares: Shares,
    queue: AdmissionQueue<Waiter>,
  ) {
    this.key = login?.key ?? null;
    this.connect = connect;
    this.lifetime = lifetime;
    this.queue = queue;
    this.share = login === null ? shares.own : shares.unproven();
    this.#shares = shares;
    this.user = login === null ? null : (login.user ?? login.key);
    this.#proven = login === null;
  }

  /** Connections in any state, and those on their way. */
  get held(): number {
    return this.share.held;
  }

  /** Whether it has ever succeeded: until then anybody may have asked for it. */
  get proven(): boolean {
    return this.#proven;
  }

  prove(): void {
    if (this.#proven) return;
    this.#proven = true;
    if (this.user !== null) this.#shares.prove(this.share, this.user);
  }

  /** It is not used any more. */
  drop(): void {
    if (this.#proven && this.user !== null) this.#shares.drop(this.user);
  }

  /** How many more connections those who wait could use. After a failure, one finds out for all. */
  get wants(): number {
    if (this.waits) return 0;
    const missing = this.queue.length - this.opening - this.checking;
    return this.failures > 0 ? Math.min(missing, 1) : missing;
  }

  /** Whether the next attempt has to wait for the time to come, or for the outcome of another. */
  get waits(): boolean {
    return this.trouble !== null || ((this.failures > 0 || this.undecided) && this.opening > 0);
  }

  /** Nothing is known of it that would be lost with it. */
  get forgettable(): boolean {
    return this.held === 0 && this.queue.length === 0 && this.#timer === null;
  }

  /** A login has succeeded: what was wrong before is over. */
  succeeded(): void {
    this.prove();
    this.failures = 0;
    this.undecided = false;
    this.trouble = null;
    this.stop();
  }

  get timed(): boolean {
    return this.#timer !== null;
  }

  /** Calls back after so many milliseconds, unless something else is asked for or it is stopped before. */
  later(milliseconds: number, then: () => void): void {
    this.stop();
    this.#timer = setTimeout(() => {
      this.#timer = null;
      then();
    }, milliseconds);
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
