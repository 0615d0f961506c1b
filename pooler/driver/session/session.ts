import { Cancellation } from '../../../shared/hop/cancellation.ts';
import type { Lease, Pool } from '../../pool/index.ts';
import { frontend } from '../../wire/index.ts';
import type { DriverError } from '../errors.ts';
import { failureOf } from '../failure.ts';
import type { Login, Logins } from '../logins.ts';
import { errorResponse, readyIdle } from './answers.ts';
import type { FrontendMessage, FrontendReader } from './frontend.ts';
import { type Checked, Hold } from './hold.ts';
import { Inbox } from './inbox.ts';
import type { Holder } from './loan.ts';
import { Names, type Texts } from './names.ts';
import type { Peer } from './peer.ts';
import type { Pins } from './pins.ts';
import { connectionLost, leftWaiting, refusalOf, shuttingDown, tooManyPinned, unchangeable } from './refusals.ts';
import { noSettings, type Settings, scopeOf } from './settings.ts';
import { Trail } from './trail.ts';

export interface SessionOptions {
  readonly pool: Pick<Pool, 'acquire'>;
  readonly logins: Pick<Logins, 'admission'>;
  readonly texts: Texts;
  readonly pins: Pins;
  /** Milliseconds that a client may leave a connection waiting that it holds. */
  readonly idleLimit: number;
  /** Whether a connection is looked after even when the text shows that there was nothing but reading. */
  readonly checkReads: () => boolean;
  /** Told of what is a mistake of ours. */
  readonly onFault: (error: unknown) => void;
  /** The session is over. Called once. */
  readonly onEnd: () => void;
}

/**
 * - `idle`: it holds no connection.
 * - `waiting`: it waits for one.
 * - `refusing`: it got none; what it wanted to run is answered with an error, up to the next Sync.
 * - `holding`: it has one.
 * - `checking`: what it had is looked after, to go to somebody else.
 * - `ended`
 */
type State = 'idle' | 'waiting' | 'refusing' | 'holding' | 'checking' | 'ended';

/** Bytes that wait for the client to take them, from which on no more are read from the server. */
const outputLimit = 1024 * 1024;
/** Milliseconds after which a client that never pauses lets go of its connection, between two transactions. */
const turn = 250;

/** A client that has logged in. It holds a server connection from the first message of a transaction to its end. */
export class Session implements Holder {
  readonly names = new Names();
  readonly trail = new Trail();
  readonly texts: Texts;
  readonly #options: SessionOptions;
  readonly #login: Login;
  readonly #peer: Peer;
  readonly #inbox: Inbox;
  #state: State = 'idle';
  #hold: Hold | null = null;
  #settings: Settings = noSettings;
  #scope = '';
  #refusal: DriverError | null = null;
  #request: Cancellation | null = null;
  #pinned = false;
  #closing = false;
  /** It did something that cannot be had here. */
  #offence: DriverError | null = null;
  /** When something happened last on the connection that is held. */
  #active = 0;

  constructor(login: Login, peer: Peer, reader: FrontendReader, options: SessionOptions) {
    this.#login = login;
    this.#peer = peer;
    this.#inbox = new Inbox(reader, peer);
    this.#options = options;
    this.texts = options.texts;
  }

  get scope(): string {
    return this.#scope;
  }

  /** Whether it has a server connection, or waits for one. */
  get busy(): boolean {
    return this.#state !== 'idle' && this.#state !== 'ended';
  }

  /** The reader has something new. */
  arrived(): void {
    this.#active = Date.now();
    this.#pump();
  }

  /** The client has taken some of what it was sent. */
  taken(): void {
    if (this.#isFull) return;
    this.#hold?.loan?.resume();
    this.#pump();
  }

  /** The client is gone. */
  gone(): void {
    this.#end();
  }

  /** The client asks to stop what it is doing. */
  cancel(): void {
    if (this.#state === 'waiting') this.#request?.abort();
    else if (this.#hold?.loan?.exchange.ledger.answered === false) this.#hold.cancel();
  }

  /** Ends it as soon as it is between two transactions. */
  close(): void {
    this.#closing = true;
    if (this.#state === 'idle' || (this.#pinned && this.#hold?.loan?.free === true)) this.#shutDown();
  }

  /** Ends it when it has left a connection waiting for too long. `now`: in milliseconds since the epoch. */
  expire(now: number): void {
    const loan = this.#hold?.loan;
    if (this.#state !== 'holding' || loan == null || now - this.#active < this.#options.idleLimit) return;
    // Between two transactions it may wait as long as it likes, if it may keep the connection at all.
    if (!loan.waits || (loan.free && this.#pinned)) return;
    this.#fail(leftWaiting());
  }

  reported(name: string, value: string): boolean {
    const expected = name === 'client_encoding' ? 'UTF8' : name === 'session_authorization' ? this.#login.user : value;
    if (value !== expected) this.#offence = unchangeable(name);
    return true;
  }

  output(bytes: Buffer): boolean {
    if (this.#state === 'ended') return true;
    this.#active = Date.now();
    this.#peer.send(bytes);
    return !this.#isFull;
  }

  moved(): void {
    if (this.#state !== 'holding') return;
    if (this.#offence !== null) {
      this.#fail(this.#offence);
      return;
    }
    const hold = this.#hold;
    if (hold?.loan?.free === true && !hold.cancelling) this.#through(hold);
    else this.#pump();
  }

  lost(error: Error | null): void {
    this.#unpin();
    this.#hold = null;
    this.#fail(this.#failureOf(error ?? connectionLost()));
  }

  /** Does what can be done with what has arrived. */
  #pump(): void {
    try {
      while (this.#step());
    } catch (error) {
      this.#fail(refusalOf(error) ?? this.#failureOf(error));
      return;
    }
    this.#hold?.loan?.flush();
    this.#inbox.throttle(this.#isFull || this.#state === 'waiting' || this.#state === 'checking');
    // Where all that was sent needed no server, nothing comes from there that would move it.
    if (this.#state === 'holding' && !this.#pinned && !this.#isFull && this.#inbox.first === null) this.#rest();
  }

  #rest(): void {
    const hold = this.#hold;
    if (hold?.loan?.free === true && !hold.cancelling) this.#through(hold);
  }

  /** A transaction has ended. */
  #through(hold: Hold): void {
    if (!hold.untouched || this.#options.checkReads()) void this.#letGo(hold);
    else if (!this.#pinned) this.#passOn(hold, null);
    else if (this.#closing) this.#shutDown();
    else this.#pump();
  }

  /** One message further. False when there is none, or it has to wait. */
  #step(): boolean {
    switch (this.#state) {
      case 'waiting':
      case 'checking':
      case 'ended':
        return false;
      case 'idle':
      case 'refusing':
      case 'holding':
        // Whoever does not take what it asked for gets no more.
        return this.#isFull ? false : this.#take(this.#state, this.#inbox.first);
    }
  }

  #take(state: 'idle' | 'refusing' | 'holding', message: FrontendMessage | null): boolean {
    if (message === null) return false;
    if (message.type === frontend.terminate) {
      // The driver waits for the server to close.
      this.#peer.close();
      this.#end();
      return false;
    }
    if (state === 'holding' && !this.#send(message)) return false;
    if (state === 'refusing') this.#refuse(message.type);
    if (state === 'idle' && !this.#answerAlone(message.type)) {
      void this.#acquire();
      return false;
    }
    this.#inbox.shift();
    return true;
  }

  /** Hands a message over to the server. False when it has to wait. */
  #send(message: FrontendMessage): boolean {
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

  /** What a server does nothing about needs no server. */
  #answerAlone(type: number): boolean {
    switch (type) {
      case frontend.sync:
        this.#peer.send(readyIdle);
        return true;
      case frontend.flush:
      case frontend.copyData:
      case frontend.copyDone:
      case frontend.copyFail:
        return true;
      default:
        return false;
    }
  }

  #refuse(type: number): void {
    if (this.#refusal !== null) this.#peer.send(errorResponse(this.#refusal.fields));
    this.#refusal = null;
    if (type !== frontend.sync && type !== frontend.query && type !== frontend.functionCall) return;
    this.#peer.send(readyIdle);
    this.#state = 'idle';
    if (this.#closing) this.#shutDown();
  }

  async #acquire(): Promise<void> {
    this.#state = 'waiting';
    const request = new Cancellation();
    this.#request = request;
    let lease: Lease;
    try {
      lease = await this.#options.pool.acquire(this.#options.logins.admission(this.#login, request));
    } catch (error) {
      this.#request = null;
      if (this.#ended) return;
      const failure = this.#failureOf(error);
      if (failure.fields.severity === 'FATAL') {
        this.#fail(failure);
        return;
      }
      this.#refusal = failure;
      this.#state = 'refusing';
      this.#pump();
      return;
    }
    this.#request = null;
    const hold = new Hold(lease, this);
    try {
      if (this.#settings.size > 0 && !this.#ended) {
        this.trail.touched = true;
        await hold.apply(this.#settings);
      }
    } catch (error) {
      await hold.finish();
      this.#fail(this.#failureOf(error));
      return;
    }
    if (this.#ended) await hold.finish();
    else this.#begin(hold);
  }

  #begin(hold: Hold): void {
    this.#active = Date.now();
    if (!hold.lend()) {
      // It was lost, or is being closed, in this very moment.
      if (this.#pinned) this.#fail(connectionLost());
      void this.#finish(hold);
      if (!this.#ended) void this.#acquire();
      return;
    }
    this.#hold = hold;
    this.#state = 'holding';
    this.#pump();
  }

  /** Looks after what it has left. */
  async #letGo(hold: Hold): Promise<void> {
    this.#state = 'checking';
    let checked: Checked;
    try {
      checked = await hold.check(this.#pinned);
    } catch (error) {
      this.#fail(this.#failureOf(error));
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
    if (this.#closing) this.#shutDown();
    else this.#pump();
  }

  /** It has something that ends with the connection. */
  #keep(hold: Hold, by: string): void {
    if (!this.#ended) {
      if (this.#closing) this.#shutDown();
      else if (!this.#pinned && !this.#options.pins.take()) this.#fail(tooManyPinned(by));
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

  /** Tells the client why, and ends. */
  #fail(error: DriverError): void {
    if (this.#ended) return;
    this.#peer.send(errorResponse({ ...error.fields, severity: 'FATAL' }));
    this.#peer.close();
    this.#end();
  }

  #shutDown(): void {
    this.#fail(shuttingDown());
  }

  #end(): void {
    if (this.#ended) return;
    const checking = this.#state === 'checking';
    this.#state = 'ended';
    this.#request?.abort();
    this.#inbox.clear();
    // While it is checked, whoever checks it sees to it.
    if (this.#hold !== null && !checking) void this.#finish(this.#hold);
    this.#options.onEnd();
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

  /** Whether the client has not taken what it was sent. */
  get #isFull(): boolean {
    return this.#peer.buffered >= outputLimit;
  }

  get #ended(): boolean {
    return this.#state === 'ended';
  }

  #failureOf(error: unknown): DriverError {
    const failure = failureOf(error, this.#login.user);
    if (failure.fields.code === 'XX000' && failure.status === 500) this.#options.onFault(error);
    return failure;
  }
}
