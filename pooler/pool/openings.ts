import { type Connection, ConnectionError, DatabaseError } from '../wire/index.ts';
import type { Account } from './account.ts';
import { backoff } from './backoff.ts';
import type { PoolOptions } from './types.ts';

/** Milliseconds that it is remembered how often a login has failed, after the time to try again has come. */
const remembered = 2000;
/** Milliseconds after a refusal for which no login that has never succeeded gets a place of others. */
const spared = 1000;

/** What becomes of attempts. */
export interface OpeningHooks {
  /** A connection is there. It is no longer counted here. */
  opened(account: Account, connection: Connection): void;
  /** Nobody who waits for this login has a chance. */
  failed(account: Account, error: ConnectionError): void;
  /** The server does not let this login in any more. */
  shut(account: Account): void;
  /** An attempt is over without a connection. */
  ended(account: Account): void;
  /** Whether the login has connections that can be used. */
  isAlive(account: Account): boolean;
  /** Whether those who wait are served, but nobody else. */
  isDraining(): boolean;
  /** Makes one attempt, if there is room or room can be made. */
  tryAgain(account: Account): boolean;
  forget(account: Account): void;
}

/** Connections on their way, and what follows when they fail: each login for itself, so that a wrong password is nobody else's trouble. */
export class Openings {
  readonly counters = { connects: 0, connectFailures: 0 };
  readonly #own: Account;
  readonly #hooks: OpeningHooks;
  readonly #observe: PoolOptions['observe'];
  #connecting = 0;
  /** Those of logins that have never succeeded. They may take a part of the room only. */
  #unproven = 0;
  /** When the server has last refused such a login, in milliseconds since the epoch. */
  #refusedAt = 0;
  readonly #unprovenLimit: number;

  /** `own` is the pool's own login, which is known to be wanted. */
  constructor(own: Account, { size, observe }: Pick<PoolOptions, 'size' | 'observe'>, hooks: OpeningHooks) {
    this.#own = own;
    this.#hooks = hooks;
    this.#observe = observe;
    this.#unprovenLimit = Math.max(1, Math.floor(size / 4));
  }

  /** Attempts under way. */
  get connecting(): number {
    return this.#connecting;
  }

  /** Whether the login may have one more on its way: anybody can ask for logins that do not exist. */
  mayOpen(account: Account): boolean {
    return account.proven || this.#unproven < this.#unprovenLimit;
  }

  /**
   * Whether a connection of others may be closed for the login. For one that has never succeeded only where no other such login is on its
   * way, and once a second after a refusal: wrong passwords cost nobody else's connections.
   */
  mayDisplace(account: Account, now: number): boolean {
    return account.proven || (this.#unproven === 0 && now - this.#refusedAt >= spared);
  }

  /** One more is on its way; connect() follows when there is a place for its socket, or giveUp(). */
  begin(account: Account): void {
    account.share.add(1);
    account.opening++;
    if (!account.proven) this.#unproven++;
  }

  /** One that had begun is not wanted any more. */
  giveUp(account: Account): void {
    account.share.add(-1);
    this.#end(account);
  }

  connect(account: Account): void {
    this.#connecting++;
    const began = performance.now();
    account.connect().then(
      (connection) => {
        this.#connecting--;
        this.#end(account);
        if (!account.proven) this.#unproven -= account.opening;
        account.succeeded();
        this.counters.connects++;
        this.#observe?.({ type: 'connected', took: performance.now() - began });
        this.#hooks.opened(account, connection);
      },
      (reason: unknown) => {
        this.#connecting--;
        this.giveUp(account);
        this.#failed(account, reason);
        this.#hooks.ended(account);
      },
    );
  }

  #end(account: Account): void {
    account.opening--;
    if (!account.proven) this.#unproven--;
  }

  #failed(account: Account, reason: unknown): void {
    const error =
      reason instanceof ConnectionError
        ? reason
        : new ConnectionError('refused', 'cannot connect to the database', reason);
    this.counters.connectFailures++;
    const final = isFinal(error);
    const alive = this.#hooks.isAlive(account);
    account.undecided = !alive && !final && account.opening > 0;
    // The first failure may have been a login that was caught in a restart: one more attempt follows at once.
    const retryIn = account.failures === 0 && !final ? 0 : backoff(account.failures);
    if (!account.undecided) account.failures++;
    this.#observe?.({ type: 'connect-failed', error, retryIn, own: account === this.#own });
    if (account.undecided) return;
    if (final && account !== this.#own) {
      if (!account.proven) this.#refusedAt = Date.now();
      account.failures = 0;
      account.stop();
      this.#hooks.shut(account);
      this.#hooks.failed(account, error);
      return;
    }
    if (!alive && retryIn === 0) return;
    account.trouble = error;
    // With other connections alive (the server has no room for one more) those who wait still have a chance.
    if (!alive) this.#hooks.failed(account, error);
    if (account.timed || this.#isOver(account)) return;
    account.later(retryIn, () => this.#retry(account));
  }

  /** The time to try again has come. For the pool's own login somebody always will ask; for others it is seen when somebody does. */
  #retry(account: Account): void {
    if (account.opening > 0 || this.#isOver(account)) return;
    if (account !== this.#own && account.queue.length === 0) {
      account.trouble = null;
      account.later(remembered, () => this.#hooks.forget(account));
    } else if (!this.#hooks.tryAgain(account)) account.later(backoff(account.failures), () => this.#retry(account));
  }

  #isOver(account: Account): boolean {
    return this.#hooks.isDraining() && account.queue.length === 0;
  }
}

/** Another attempt with the same name and password would come to the same: class 28 and what becomes of a wrong database. */
function isFinal(error: ConnectionError): boolean {
  if (error.kind === 'authentication') return true;
  return error.cause instanceof DatabaseError && ['3D000', '42501'].includes(error.cause.code);
}
