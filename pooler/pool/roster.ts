import type { Connection, ConnectionError, Flight } from '../wire/index.ts';
import type { Account } from './account.ts';
import { Accounts } from './accounts.ts';
import { jittered } from './backoff.ts';
import { Hungry } from './hungry.ts';
import { IdleSlots } from './idle.ts';
import { Openings } from './openings.ts';
import { Slot } from './slot.ts';
import type { PoolOptions } from './types.ts';
import { kept, yields } from './yielding.ts';

/** Milliseconds after which an idle connection is asked whether it is still good before it carries a request. */
const doubtful = 30_000;
/** Milliseconds that it has for the answer. */
const answered = 1000;
/** Nothing but Sync. */
const question: Flight = { statements: [], reset: false };

/** What the pool does at the roster's word. */
export interface RosterHooks {
  /** A connection is free for whoever waits. */
  freed(slot: Slot): void;
  /** Nobody who waits for this login has a chance. */
  failed(account: Account, error: ConnectionError): void;
  /** Sockets or attempts have become fewer. */
  fewer(): void;
}

/**
 * The connections of a pool, whose they are, and who gets the next one. Every login may have as many as there is room for; when there is
 * none, one that has less than its share of the bound gets the place of one that another does not need, or has too many of.
 */
export class Roster {
  readonly accounts: Accounts;
  readonly own: Account;
  generation = 0;
  readonly #options: PoolOptions;
  readonly #hooks: RosterHooks;
  readonly #slots = new Set<Slot>();
  readonly #idle: IdleSlots;
  readonly #hungry = new Hungry();
  readonly #openings: Openings;
  #closed = 0;
  #draining = false;
  #lookAgain: NodeJS.Timeout | null = null;

  constructor(options: PoolOptions, hooks: RosterHooks) {
    this.#options = options;
    this.#hooks = hooks;
    this.accounts = new Accounts(options);
    this.own = this.accounts.own;
    this.#openings = new Openings(this.own, options, {
      opened: (account, connection) => this.#opened(account, connection),
      failed: hooks.failed,
      shut: (account) => this.outdate(account),
      ended: (account) => this.#ended(account),
      isAlive: (account) => this.alive(account) > 0,
      isDraining: () => this.#draining,
      tryAgain: (account) => this.#tryAgain(account),
      forget: (account) => this.forget(account),
    });
    const minimum = options.minimum ?? 0;
    const spare = (slot: Slot): boolean => slot.account !== this.own || this.alive(this.own) > minimum;
    this.#idle = new IdleSlots(options.idleTimeout ?? 0, spare);
  }

  /** Since the start. */
  get counters(): { connects: number; connectFailures: number; closed: number } {
    return { ...this.#openings.counters, closed: this.#closed };
  }

  get empty(): boolean {
    return this.#total === 0;
  }

  /** Connections that are being opened for a login, or could be. */
  comingFor({ share, opening }: Account): number {
    return Math.min(share.room + opening, this.#options.size - this.#slots.size);
  }

  /** How many of a login's connections can still be used. */
  alive(account: Account): number {
    let alive = 0;
    for (const slot of this.#slots) if (slot.account === account && slot.alive) alive++;
    return alive;
  }

  counts(): { connecting: number; total: number; idle: number; resetting: number; closing: number } {
    let resetting = 0;
    let closing = 0;
    for (const { connection } of this.#slots) {
      if (connection.state === 'resetting') resetting++;
      else if (connection.state === 'closing') closing++;
    }
    const { connecting } = this.#openings;
    return { connecting, total: this.#total, idle: this.#idle.length, resetting, closing };
  }

  /** An idle connection of the login, which there is no reason to think lost; those where there is are looked into. */
  take(account: Account, scope: string, now: number): Slot | null {
    for (;;) {
      const slot = this.#idle.take(account, scope);
      if (slot === null || (slot.idleSince > account.lossAt && now - slot.idleSince < doubtful)) return slot;
      this.#check(slot);
    }
  }

  /** Nobody who waits wants this connection. */
  rest(slot: Slot): void {
    if (this.#draining) slot.retire();
    else {
      this.#idle.add(slot);
      if (!this.accounts.alone) this.#growAll();
    }
  }

  /** Whether a connection that has become free is not for its own login: it is too old, or another login gets its place. */
  leaves(slot: Slot, now: number): boolean {
    if (slot.expires <= now) {
      slot.retire();
      return true;
    }
    if (this.accounts.alone) return false;
    const mayHave = (account: Account): boolean =>
      account.wants > 0 &&
      account !== slot.account &&
      this.#openings.mayOpen(account) &&
      this.#yields(slot, account, now);
    const next = this.#hungry.first(mayHave);
    if (next === null) return false;
    this.#promise(slot, next);
    return true;
  }

  /** Opens as many connections as those who wait for this login can use, as far as there is room or room can be made. */
  grow(account: Account): void {
    if (account.queue.length === 0) {
      this.#hungry.delete(account);
      return;
    }
    this.#hungry.add(account);
    while (account.wants > 0 && this.#openings.mayOpen(account)) {
      if (this.#tryAgain(account)) continue;
      this.#lookLater(account);
      return;
    }
  }

  /** Opens those that are kept although nobody needs them. */
  warm(): void {
    const { minimum = 0 } = this.#options;
    const { own } = this;
    while (!this.#draining && own.held < minimum && own.share.room > 0) {
      if (own.waits) return;
      this.#open(own);
    }
  }

  /** The connections of a login serve nobody any more: those at work are closed when they have done it. */
  outdate(account: Account): void {
    for (const slot of this.#slots) if (slot.account === account) slot.expires = 0;
    for (const slot of this.#idle.of(account)) {
      this.#idle.remove(slot);
      slot.retire();
    }
  }

  /** Drops a login of which nothing is left. */
  forget(account: Account): void {
    if (this.accounts.forget(account)) this.#hungry.delete(account);
  }

  /** Closes what is idle, now and from now on. */
  drain(): void {
    this.#draining = true;
    this.#idle.retireAll();
  }

  /** Closes everything. */
  retireAll(): void {
    for (const slot of this.#slots) slot.retire();
  }

  /** No timer goes on. */
  stop(): void {
    if (this.#lookAgain !== null) clearTimeout(this.#lookAgain);
    for (const account of this.accounts) account.stop();
  }

  get #total(): number {
    return this.#slots.size + this.#openings.connecting;
  }

  /** It is free again when it answers, and otherwise closed. */
  #check(slot: Slot): void {
    const { account } = slot;
    account.checking++;
    slot.usedSince = 0;
    const late = setTimeout(() => slot.retire(), answered);
    slot.connection.start(question, () => {
      clearTimeout(late);
      account.checking--;
      this.grow(account);
    });
  }

  /** Whether a connection's place is to go to another login. */
  #yields(slot: Slot, account: Account, now: number): boolean {
    const { minimum = 0 } = this.#options;
    if (!this.#openings.mayDisplace(account, now)) return false;
    return yields(slot, account, slot.account === this.own ? minimum : 0, now);
  }

  #makeRoom(account: Account): boolean {
    const now = Date.now();
    const slot = this.#idle.find((each) => each.account !== account && this.#yields(each, account, now));
    if (slot === null) return false;
    this.#promise(slot, account);
    return true;
  }

  #promise(slot: Slot, account: Account): void {
    slot.successor = account;
    slot.account.share.add(-1);
    this.#openings.begin(account);
    this.#hungry.served(account);
    this.#idle.remove(slot);
    slot.retire();
  }

  /** Connections of others that are idle now may be had in a while. */
  #lookLater(account: Account): void {
    if (this.#lookAgain !== null) return;
    const now = Date.now();
    const times = this.#idle.besides(account).map(({ idleSince }) => Math.max(idleSince + kept - now, 0) || kept);
    if (times.length === 0) return;
    this.#lookAgain = setTimeout(
      () => {
        this.#lookAgain = null;
        this.#growAll();
      },
      Math.min(...times),
    );
  }

  #growAll(): void {
    for (const account of this.#hungry.all()) this.grow(account);
    this.warm();
  }

  /** Opens a connection, if there is room or room can be made. */
  #tryAgain(account: Account): boolean {
    if (account.share.room <= 0) return this.#makeRoom(account);
    this.#open(account);
    return true;
  }

  #open(account: Account): void {
    this.#openings.begin(account);
    this.#openings.connect(account);
  }

  #opened(account: Account, connection: Connection): void {
    const slot = new Slot(connection, account, this.#expiry(account), this.generation, this.#freed, this.#gone);
    this.#slots.add(slot);
    connection.observe(slot);
    // Only now it is known to be its user's, and may be one too many.
    if (account.share.room < 0) slot.retire();
    if (connection.state === 'idle') this.#hooks.freed(slot);
    this.#growAll();
  }

  #ended(account: Account): void {
    this.forget(account);
    this.#growAll();
    this.#hooks.fewer();
  }

  #expiry(account: Account): number {
    const limits = [this.#options.maxLifetime ?? 0, account.lifetime].filter((limit) => limit > 0);
    return limits.length === 0 ? Number.POSITIVE_INFINITY : Date.now() + jittered(Math.min(...limits));
  }

  readonly #freed = (slot: Slot): void => this.#hooks.freed(slot);

  readonly #gone = (slot: Slot): void => {
    const { account, successor } = slot;
    this.#slots.delete(slot);
    this.#idle.remove(slot);
    this.#closed++;
    if (!slot.retired) account.lossAt = Date.now();
    this.#options.observe?.({ type: 'closed', lost: slot.retired ? null : slot.connection.lost });
    if (successor === null) account.share.add(-1);
    else if (successor.queue.length >= successor.opening && this.#total < this.#options.size) {
      this.#openings.connect(successor);
    } else {
      this.#openings.giveUp(successor);
      this.forget(successor);
    }
    this.#ended(account);
  };
}
