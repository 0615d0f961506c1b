import { Cancellation } from '../../../shared/hop/cancellation.ts';
import type { Lease, LeaseBorrower, Pool } from '../../pool/index.ts';
import type { Changes } from '../changes.ts';
import type { DriverError } from '../errors.ts';
import type { Login, Logins } from '../logins.ts';
import type { FrontendMessage } from './frontend.ts';
import { type Checked, Hold } from './hold.ts';
import type { Holder, Loan } from './loan.ts';
import { Names, type Texts } from './names.ts';
import type { Pins } from './pins.ts';
import { connectionLost, tooManyPinned, unchangeable } from './refusals.ts';
import { noSettings, type Settings, scopeOf } from './settings.ts';
import { Trail } from './trail.ts';

export interface TenancyOptions {
  /** The process id that the client is told is its session's. */
  readonly processId: number;
  readonly pool: Pick<Pool, 'lend'>;
  readonly logins: Pick<Logins, 'admission'>;
  readonly texts: Texts;
  readonly changes: Changes;
  readonly pins: Pins;
  /** Whether a connection is looked after even when the text shows that there was nothing but reading. */
  readonly checkReads: () => boolean;
}

/** Who wants connections. */
export interface Tenant {
  /** It goes no further than to the end of a transaction. */
  readonly closing: boolean;
  /** Bytes for the client, which may be overwritten afterwards. Returns false while it does not take any more. */
  output(bytes: Buffer): boolean;
  /** It has a connection now. */
  held(): void;
  /** It got none. */
  refused(error: unknown): void;
  /** Something was answered, or the server can take more. */
  moved(): void;
  /** It is between two transactions. */
  between(): void;
  /** The server has ended the connection, and has told the client why. */
  dismissed(): void;
  /** It cannot go on. */
  failed(error: unknown): void;
}

/**
 * - `idle`: it holds no connection.
 * - `waiting`: it waits for one.
 * - `holding`: it has one.
 * - `checking`: what it had is looked after, to go to somebody else.
 * - `ended`
 */
type State = 'idle' | 'waiting' | 'holding' | 'checking' | 'ended';

/** Milliseconds after which a client that never pauses lets go of its connection, between two transactions. */
const turn = 250;

/**
 * The server connections that a client has, one after another: each from the first message of a transaction to its end. What it has
 * prepared and set goes along.
 */
export class Tenancy implements Holder, LeaseBorrower {
  readonly names = new Names();
  readonly trail = new Trail();
  readonly processId: number;
  readonly texts: Texts;
  readonly changes: Changes;
  readonly #options: TenancyOptions;
  readonly #login: Login;
  readonly #tenant: Tenant;
  #state: State = 'idle';
  #hold: Hold | null = null;
  #settings: Settings = noSettings;
  #scope = '';
  #request: Cancellation | null = null;
  #pinned = false;
  /** The client did something that cannot be had here. */
  #offence: DriverError | null = null;

  constructor(login: Login, tenant: Tenant, options: TenancyOptions) {
    this.#login = login;
    this.#tenant = tenant;
    this.#options = options;
    this.processId = options.processId;
    this.texts = options.texts;
    this.changes = options.changes;
  }

  get state(): State {
    return this.#state;
  }

  get scope(): string {
    return this.#scope;
  }

  /** The loan that is on, if any. */
  get loan(): Loan | null {
    return this.#hold?.loan ?? null;
  }

  /** Whether it keeps its connection to itself between two transactions. */
  get pinned(): boolean {
    return this.#pinned;
  }

  reported(name: string, value: string): boolean {
    const expected = name === 'client_encoding' ? 'UTF8' : name === 'session_authorization' ? this.#login.user : value;
    if (value !== expected) this.#offence = unchangeable(name);
    return true;
  }

  output(bytes: Buffer): boolean {
    return this.#tenant.output(bytes);
  }

  moved(): void {
    if (this.#state !== 'holding') return;
    if (this.#offence !== null) this.#tenant.failed(this.#offence);
    else if (!this.rest()) this.#tenant.moved();
  }

  lost(error: Error | null, told: boolean): void {
    this.#unpin();
    this.#hold = null;
    if (told) this.#tenant.dismissed();
    else this.#tenant.failed(error ?? connectionLost());
  }

  /** Asks for a connection. What comes of it may be there when it returns. */
  acquire(): void {
    this.#state = 'waiting';
    const request = new Cancellation();
    this.#request = request;
    this.#options.pool.lend(this.#options.logins.admission(this.#login, request), this);
  }

  granted(lease: Lease): void {
    this.#request = null;
    const hold = new Hold(lease, this);
    if (this.#settings.size > 0) void this.#apply(hold);
    else this.#begin(hold);
  }

  refused(error: unknown): void {
    this.#request = null;
    if (this.#ended) return;
    this.#state = 'idle';
    this.#tenant.refused(error);
  }

  /** Hands a message over to the server. False when it has to wait. As Exchange.send. */
  send(message: FrontendMessage): boolean {
    const hold = this.#hold;
    const loan = hold?.loan;
    if (hold === null || loan == null || loan.full) return false;
    const { exchange } = loan;
    // A request to cancel is for what was sent before it.
    if (hold.cancelling && exchange.ledger.answered) return false;
    // Others wait too: it goes on after the answers, on another connection if it is between two transactions.
    if (!exchange.ledger.answered && !exchange.ledger.open && Date.now() - hold.since > turn) return false;
    return loan.send(message);
  }

  /** Stops what it does: it waits no longer, or the server is asked to. */
  cancel(): void {
    if (this.#state === 'waiting') this.#request?.abort();
    else if (this.#hold?.loan?.exchange.ledger.answered === false) this.#hold.cancel();
  }

  /** If a transaction has ended, sees to what comes after it. False when none has. */
  rest(): boolean {
    const hold = this.#hold;
    if (hold?.loan?.free !== true || hold.cancelling) return false;
    if (!hold.untouched || this.#options.checkReads()) void this.#letGo(hold);
    else if (this.#pinned) this.#tenant.between();
    else this.#passOn(hold, null);
    return true;
  }

  /** The client is gone. */
  end(): void {
    const checking = this.#state === 'checking';
    this.#state = 'ended';
    this.#request?.abort();
    // While it is checked, whoever checks it sees to it.
    if (this.#hold !== null && !checking) void this.#finish(this.#hold);
  }

  /** Sets what the client has set elsewhere. */
  async #apply(hold: Hold): Promise<void> {
    this.trail.touched = true;
    try {
      await hold.apply(this.#settings);
    } catch (error) {
      await hold.finish();
      this.#tenant.failed(error);
      return;
    }
    if (this.#ended) await hold.finish();
    else this.#begin(hold);
  }

  #begin(hold: Hold): void {
    if (!hold.lend()) {
      // It was lost, or is being closed, in this very moment.
      if (this.#pinned) this.#tenant.failed(connectionLost());
      void this.#finish(hold);
      if (!this.#ended) this.acquire();
      return;
    }
    this.#hold = hold;
    this.#state = 'holding';
    this.#tenant.held();
  }

  /** Looks after what it has left. */
  async #letGo(hold: Hold): Promise<void> {
    this.#state = 'checking';
    let checked: Checked;
    try {
      checked = await hold.check(this.#pinned);
    } catch (error) {
      this.#tenant.failed(error);
      void this.#finish(hold);
      return;
    }
    if (checked.outcome === 'kept') this.#keep(hold, checked.by);
    else this.#passOn(hold, checked.settings);
  }

  /** The connection goes to whoever is next. */
  #passOn(hold: Hold, settings: Settings | null): void {
    this.#unpin();
    this.#hold = null;
    hold.giveBack();
    hold.release();
    if (settings !== null) this.#remember(settings);
    if (this.#ended) return;
    this.#state = 'idle';
    this.#tenant.between();
  }

  /** It has something that ends with the connection. */
  #keep(hold: Hold, by: string): void {
    if (!this.#ended) {
      if (this.#tenant.closing) this.#tenant.between();
      else if (!this.#pinned && !this.#options.pins.take()) this.#tenant.failed(tooManyPinned(by));
      else {
        this.#pinned = true;
        this.#begin(hold);
        return;
      }
    }
    void this.#finish(hold);
  }

  #remember(settings: Settings): void {
    this.#settings = settings;
    this.#scope = scopeOf(settings);
    this.trail.named(settings.keys());
  }

  async #finish(hold: Hold): Promise<void> {
    this.#hold = null;
    await hold.finish();
    this.#unpin();
  }

  #unpin(): void {
    if (this.#pinned) this.#options.pins.release();
    this.#pinned = false;
  }

  get #ended(): boolean {
    return this.#state === 'ended';
  }
}
