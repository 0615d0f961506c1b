/** Who clients are logged in as: the connection string's own user, verified by PostgreSQL itself. */
import { hash, randomBytes } from 'node:crypto';
import { Cancellation } from '../../shared/hop/cancellation.ts';
import type { Admission, Pool } from '../pool/index.ts';
import {
  type CancelSignal,
  type Connection,
  type ConnectionConfig,
  ConnectionError,
  connect,
  type Flight,
  type FlightResult,
} from '../wire/index.ts';
import type { Credentials } from './credentials.ts';
import { Recent } from './recent.ts';
import { Strangers } from './strangers.ts';
import type { Target, Targets } from './targets.ts';

/**
 * Milliseconds that a connection serves after its login. Whoever gives the same password may use it meanwhile; then the server is asked
 * again. So a password that has been changed or has expired stops working within a minute.
 */
const LIFETIME = 55_000;
/** Milliseconds that the server may take to let somebody in, where db-uri does not say. */
const CONNECT_TIMEOUT = 10_000;
const REMEMBERED = 10_000;

/** A user who wants in, with a database and a password. */
export interface Login {
  /** Stands for server, user, database, settings and password, by a hash under a key of this process: nothing can be read out of it. */
  readonly key: string;
  readonly user: string;
  readonly database: string;
  /** Whose turn it is in the queue: user and database. */
  readonly queue: string;
  /** Whose share of the connections it takes from: the same, on one server. */
  readonly share: string;
  readonly connect: () => Promise<Connection>;
}

/** What a login found. */
export interface Verified {
  /** When it began, in milliseconds since the epoch. */
  readonly since: number;
  /** What the server reported of the session, such as server_version. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** A verdict that somebody waits for. */
interface Attempt {
  readonly verdict: Promise<Verified>;
  /** Aborted when nobody waits any more, or there is nothing left to wait for. */
  readonly given: Cancellation;
  readonly verified: (found: Verified) => void;
  waiting: number;
}

export interface LoginsOptions {
  readonly pool: Pick<Pool, 'run' | 'acquire'>;
  /** The pool's bound: of it, those who are not verified yet get a quarter. */
  readonly size: number;
  readonly targets: Targets;
  /** db-uri's: how to connect. Its user and password are nobody's here. */
  readonly connection: ConnectionConfig;
  /** Told of every login that the server refuses. */
  readonly onRefused: (login: Pick<Login, 'user' | 'database'>, reason: string) => void;
}

const isRefusal = (error: unknown): error is ConnectionError =>
  error instanceof ConnectionError && error.kind === 'authentication';

export class Logins {
  readonly #options: LoginsOptions;
  readonly #hashKey = randomBytes(32).toString('base64');
  readonly #verified = new Recent<Verified>(REMEMBERED);
  readonly #attempts = new Map<string, Attempt>();
  readonly #strangers: Strangers;

  constructor(options: LoginsOptions) {
    this.#options = options;
    this.#strangers = new Strangers(Math.max(1, Math.floor(options.size / 4)));
  }

  /** The login that the credentials ask for, not verified yet. Throws a DriverError where nothing leads there. */
  find(credentials: Credentials): Login {
    const { user, database } = credentials;
    const target = this.#options.targets.find(credentials.host, credentials.port);
    this.#options.targets.check(database);
    const key = this.#keyOf(target, credentials);
    return {
      key,
      user,
      database,
      queue: `${user}@${database}`,
      share: JSON.stringify([target.name, user, database]),
      connect: () => this.#connect(key, target, credentials),
    };
  }

  /**
   * Makes sure that the server accepts the password now, or did less than a minute ago. `network`: where the client comes from, empty where that is not known. Rejects with a DriverError, PoolError or
   * ConnectionError: see failureOf. No request is read further, and no session begun, before this has been awaited.
   */
  async verify(login: Login, network: string, signal?: CancelSignal): Promise<Verified> {
    const known = this.#verified.get(login.key);
    if (known !== undefined && Date.now() - known.since < LIFETIME) return known;
    const attempt = this.#attempts.get(login.key) ?? this.#begin(login, known === undefined ? network : null);
    attempt.waiting++;
    const gone = (): void => {
      if (--attempt.waiting > 0) return;
      this.#forget(login.key, attempt);
      attempt.given.abort();
    };
    signal?.addEventListener('abort', gone);
    try {
      return await attempt.verdict;
    } finally {
      signal?.removeEventListener('abort', gone);
    }
  }

  /** Runs a flight as a login that has been verified. Rejects as Pool.run does. */
  run(login: Login, flight: Flight): Promise<FlightResult> {
    const { signal, deadline } = flight;
    return this.#options.pool.run(flight, this.admission(login, signal, deadline));
  }

  /** How a login that has been verified is admitted to the pool. */
  admission(login: Login, signal?: CancelSignal, deadline?: number): Admission {
    const known = this.#verified.get(login.key) !== undefined;
    return {
      login: { key: login.key, user: login.share, known, connect: login.connect, lifetime: LIFETIME },
      key: login.queue,
      ...(signal !== undefined && { signal }),
      ...(deadline !== undefined && { deadline }),
    };
  }

  /** However many ask at the same time, the server is asked once. `network`: a stranger's; null for who has been here before. */
  #begin(login: Login, network: string | null): Attempt {
    const given = new Cancellation();
    const known = Promise.withResolvers<Verified>();
    const verdict = Promise.race([
      known.promise,
      network === null ? this.#ask(login, given) : this.#askFor(login, network, given),
    ]);
    const attempt: Attempt = { verdict, given, verified: known.resolve, waiting: 0 };
    this.#attempts.set(login.key, attempt);
    const over = (): void => this.#forget(login.key, attempt);
    verdict.then(over, over);
    return attempt;
  }

  #forget(key: string, attempt: Attempt): void {
    if (this.#attempts.get(key) === attempt) this.#attempts.delete(key);
  }

  #learnt(key: string, found: Verified): void {
    const attempt = this.#attempts.get(key);
    attempt?.verified(found);
    attempt?.given.abort();
  }

  async #askFor(login: Login, network: string, signal: CancelSignal): Promise<Verified> {
    const stranger = { key: login.key, user: login.user, network };
    await this.#strangers.enter(stranger, signal);
    let wrong = false;
    try {
      return await this.#ask(login, signal);
    } catch (error) {
      wrong = isRefusal(error);
      throw error;
    } finally {
      this.#strangers.leave(stranger, wrong);
    }
  }

  /** A connection that is lent to us proves the password: it logged in with it, and not long ago. */
  async #ask(login: Login, signal: CancelSignal): Promise<Verified> {
    const lease = await this.#options.pool.acquire(this.admission(login, signal));
    const { parameters } = lease.connection;
    lease.release();
    return this.#verified.get(login.key) ?? { since: 0, parameters: new Map(parameters) };
  }

  async #connect(key: string, target: Target, credentials: Credentials): Promise<Connection> {
    const { user, database } = credentials;
    const since = Date.now();
    try {
      const connection = await connect(this.#configOf(target, credentials));
      const found = { since, parameters: new Map(connection.parameters) };
      this.#verified.set(key, found);
      // The pool may have other uses for its place: that is no reason to wait for the verdict.
      setImmediate(() => this.#learnt(key, found));
      return connection;
    } catch (error) {
      if (isRefusal(error)) {
        this.#verified.delete(key);
        this.#strangers.refused(key);
        this.#options.onRefused({ user, database }, error.message);
      }
      throw error;
    }
  }

  #configOf(target: Target, { user, password, database, applicationName, options }: Credentials): ConnectionConfig {
    const { connection } = this.#options;
    return {
      ...connection,
      endpoints: target.endpoints,
      user,
      password,
      passwordChecked: true,
      database,
      connectTimeout: connection.connectTimeout || CONNECT_TIMEOUT,
      applicationName,
      options,
    };
  }

  #keyOf(target: Target, { user, password, database, applicationName, options }: Credentials): string {
    const all = [this.#hashKey, target.name, user, database, applicationName, options, password.reveal()];
    return hash('sha256', JSON.stringify(all), 'base64');
  }
}
