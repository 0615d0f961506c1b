import { ConnectionError, DeadlineTimer, type Flight, type FlightResult } from '../wire/index.ts';
import type { Account } from './account.ts';
import { PoolError, type PoolErrorCode } from './errors.ts';
import { hasRoom } from './room.ts';
import { Roster } from './roster.ts';
import type { Slot } from './slot.ts';
import type { Admission, Lease, LeaseBorrower, PoolMetrics, PoolOptions, QueueState } from './types.ts';
import { type Request, Waiter } from './waiter.ts';

const anyone: Admission = {};
/** Milliseconds that one may wait longer than it has to: those who have waited too long are looked for that often only. */
const patience = 10;

/**
 * A bounded set of connections, for the pool's own login and for any others. Requests that find none free wait in their login's queue.
 * While a login does not succeed, its requests fail at once with the last reason, and one attempt at a time finds out when it does again.
 */
export class Pool {
  readonly #options: PoolOptions;
  readonly #roster: Roster;
  readonly #queueLength: number;
  /** How many wait, for any login. */
  #waiting = 0;
  readonly #expiry = new DeadlineTimer(() => this.#onExpiry());
  #draining = false;
  /** What has been accepted is not served any more either. */
  #givenUp = false;
  readonly #drained: (() => void)[] = [];
  readonly #counters = { flights: 0, retries: 0 };
  readonly #refused: Record<PoolErrorCode, number> = {
    'acquisition-timeout': 0,
    'queue-full': 0,
    deadline: 0,
    aborted: 0,
    closed: 0,
  };

  constructor(options: PoolOptions) {
    if (!(options.size >= 1)) throw new RangeError('a pool needs room for one connection');
    this.#options = options;
    this.#queueLength = options.queueLength ?? Number.POSITIVE_INFINITY;
    this.#roster = new Roster(options, {
      freed: (slot) => this.#freed(slot),
      failed: (account, error) => {
        for (let waiter = this.#next(account); waiter !== undefined; waiter = this.#next(account)) waiter.refuse(error);
      },
      fewer: () => this.#settleDrain(),
    });
    this.#roster.warm();
  }

  /**
   * Sends a flight on the next free connection. Rejects with a PoolError when it was not sent, with a ConnectionError when no connection
   * can be made or the one that carried it was lost, with a RangeError when it cannot be encoded.
   */
  run(flight: Flight, admission: Admission = anyone): Promise<FlightResult> {
    return new Promise((resolve, reject) => {
      const observe = this.#options.observe;
      let retried = false;
      const request: Request = {
        refuse: reject,
        grant: (slot, waiter) => {
          this.#counters.flights++;
          const began = observe === undefined ? 0 : performance.now();
          slot.connection.start(flight, (error, result) => {
            const resent = error instanceof ConnectionError && notExecuted(error) && !retried;
            if (observe !== undefined) {
              const { key, subject } = waiter;
              observe({
                type: 'flight',
                key,
                took: performance.now() - began,
                outcome: result?.outcome ?? 'lost',
                attempts: (result?.attempts ?? 1) + (retried ? 1 : 0),
                cancelled: result?.cancelled ?? null,
                stale: (result?.attempts ?? 1) > 1,
                resent,
                subject,
              });
            }
            if (result !== null) {
              if (result.attempts > 1) this.#counters.retries++;
              resolve(result);
            } else if (resent) {
              retried = true;
              this.#counters.retries++;
              const again = new Waiter(request, this.#roster.accounts.of(admission.login), admission, waiter.since);
              this.#admit(again, true);
            } else {
              reject(error);
              // Nothing was sent, so nobody will report the connection free.
              if (error instanceof RangeError)
                queueMicrotask(() => slot.connection.state === 'idle' && this.#freed(slot));
            }
          });
        },
      };
      const since = observe === undefined ? 0 : performance.now();
      this.#admit(new Waiter(request, this.#roster.accounts.of(admission.login), admission, since));
    });
  }

  /** Lends a connection for more than one flight. Rejects as run() does. */
  acquire(admission: Admission = anyone): Promise<Lease> {
    return new Promise((granted, refused) => this.lend(admission, { granted, refused }));
  }

  /** As acquire(), without a promise. The borrower may be told before lend() returns. */
  lend(admission: Admission, borrower: LeaseBorrower): void {
    const grant = (slot: Slot) => {
      slot.lent = true;
      borrower.granted(slot);
    };
    const refuse = (error: Error): void => borrower.refused(error);
    const account = this.#roster.accounts.of(admission.login);
    this.#admit(new Waiter({ grant, refuse }, account, admission, performance.now()));
  }

  /** Whether there is no room for one more to wait under this key. It counts as refused then: there is no use in asking for a connection. */
  turnsAway(key: string): boolean {
    const account = this.#roster.own;
    if (account.queue.length === 0 || this.#draining || this.#hasRoom({ account, key })) return false;
    this.#countRefusal(key, 'queue-full');
    return true;
  }

  /** The schema has changed: connections of the pool's own login prepare their statements anew. */
  forgetStatements(): void {
    this.#roster.generation++;
  }

  /** Logging in would give other sessions now: connections of the pool's own login are replaced, those at work when they have done it. */
  renew(): void {
    this.#roster.outdate(this.#roster.own);
  }

  metrics(): PoolMetrics {
    const { size } = this.#options;
    const { connecting, total, idle, resetting, closing } = this.#roster.counts();
    return {
      size,
      connecting,
      idle,
      busy: total - connecting - idle - resetting - closing,
      resetting,
      closing,
      available: idle + size - total,
      waiting: this.#waiting,
      ...this.#roster.counters,
      ...this.#counters,
      refused: { ...this.#refused },
    };
  }

  /** The keys of which somebody waits, in no order. Looks at each of those. */
  queues(): readonly QueueState[] {
    const now = performance.now();
    const states = new Map<string, { waiting: number; oldest: number }>();
    for (const { queue } of this.#roster.accounts) {
      for (const { key, since } of queue.waiting()) {
        const state = states.get(key);
        if (state === undefined) states.set(key, { waiting: 1, oldest: now - since });
        else {
          state.waiting++;
          state.oldest = Math.max(state.oldest, now - since);
        }
      }
    }
    return Array.from(states, ([key, state]) => ({ key, ...state }));
  }

  /**
   * Takes no more requests, serves those that have been accepted and closes everything. After `timeout` milliseconds those who still wait
   * are refused and flights under way are cancelled. Resolves when the last socket is closed.
   */
  drain(timeout: number = Number.POSITIVE_INFINITY): Promise<void> {
    this.#draining = true;
    const limit = Number.isFinite(timeout) ? setTimeout(() => this.#giveUp(), timeout) : null;
    return new Promise<void>((resolve) => {
      this.#drained.push(resolve);
      this.#roster.drain();
      this.#settleDrain();
    }).finally(() => {
      if (limit !== null) clearTimeout(limit);
    });
  }

  /** `accepted`: it had a connection before. */
  #admit(waiter: Waiter, accepted = false): void {
    const refusal = this.#refusal(waiter, accepted);
    if (refusal !== null) {
      this.#refuse(waiter, refusal);
      return;
    }
    const { account } = waiter;
    if (account.queue.length === 0) {
      const now = Date.now();
      const slot = this.#roster.take(account, waiter.scope, now);
      if (slot !== null) {
        this.#grant(slot, waiter, now);
        return;
      }
    }
    if (account.trouble !== null && this.#roster.alive(account) === 0) {
      waiter.refuse(account.trouble);
      return;
    }
    if (!this.#hasRoom(waiter)) {
      this.#refuse(waiter, 'queue-full');
      return;
    }
    this.#enqueue(waiter);
    this.#roster.grow(account);
  }

  #refusal(waiter: Waiter, accepted: boolean): PoolErrorCode | null {
    if (accepted ? this.#givenUp : this.#draining) return 'closed';
    if (waiter.signal?.aborted === true) return 'aborted';
    return waiter.deadline !== Number.POSITIVE_INFINITY && waiter.deadline <= Date.now() ? 'deadline' : null;
  }

  /** Whether one more may wait. Those for whom a connection is on its way, or could be, are not counted. */
  #hasRoom({ account, key }: Pick<Waiter, 'account' | 'key'>): boolean {
    const free = this.#queueLength + this.#roster.comingFor(account) - this.#waiting;
    return hasRoom({ free, ...this.#roster.accounts.crowdOf(account, key, this.#waiting) });
  }

  #enqueue(waiter: Waiter): void {
    const late = Date.now() + this.#options.acquisitionTimeout;
    waiter.expires = Math.min(late, waiter.deadline);
    if (waiter.signal !== null) {
      waiter.onAbort = () => {
        this.#leave(waiter);
        this.#refuse(waiter, 'aborted');
      };
      waiter.signal.addEventListener('abort', waiter.onAbort);
    }
    waiter.account.queue.push(waiter);
    this.#waiting++;
    this.#expiry.set(waiter.expires);
  }

  /** Takes the next one out of a login's queue. */
  #next(account: Account): Waiter | undefined {
    const waiter = account.queue.shift();
    if (waiter !== undefined) this.#waiting--;
    return waiter;
  }

  /** Takes one out that waits no longer. */
  #leave(waiter: Waiter): void {
    waiter.account.queue.remove(waiter);
    this.#waiting--;
  }

  #grant(slot: Slot, waiter: Waiter, now: number): void {
    waiter.leave();
    slot.key = waiter.key;
    slot.usedSince = now;
    slot.idleSince = 0;
    slot.scope = waiter.scope;
    const { own, generation } = this.#roster;
    if (slot.generation !== generation && slot.account === own) {
      slot.generation = generation;
      slot.connection.forgetStatements();
    }
    const { observe } = this.#options;
    if (observe !== undefined) observe({ type: 'acquired', key: waiter.key, waited: performance.now() - waiter.since });
    waiter.request.grant(slot, waiter);
  }

  #refuse(waiter: Waiter, code: PoolErrorCode): void {
    this.#countRefusal(waiter.key, code);
    waiter.refuse(new PoolError(code));
    this.#roster.forget(waiter.account);
  }

  #countRefusal(key: string, code: PoolErrorCode): void {
    this.#refused[code]++;
    this.#options.observe?.({ type: 'refused', key, code });
  }

  /** A connection is free: it goes to the next one who waits. */
  #freed(slot: Slot): void {
    const now = Date.now();
    const { account } = slot;
    if (account.queue.length > 0 && slot.usedSince > 0) account.queue.used(slot.key, now - slot.usedSince);
    if (this.#roster.leaves(slot, now)) return;
    for (let waiter = this.#next(account); waiter !== undefined; waiter = this.#next(account)) {
      if (waiter.deadline > now) {
        this.#grant(slot, waiter, now);
        return;
      }
      this.#refuse(waiter, 'deadline');
    }
    this.#roster.rest(slot);
  }

  #onExpiry(): void {
    const now = Date.now();
    const late: Waiter[] = [];
    let next = Number.POSITIVE_INFINITY;
    for (const { queue } of this.#roster.accounts) {
      for (const waiter of queue.waiting()) {
        if (waiter.expires <= now) late.push(waiter);
        else next = Math.min(next, waiter.expires);
      }
    }
    if (next !== Number.POSITIVE_INFINITY) this.#expiry.set(Math.max(next, now + patience));
    for (const waiter of late) {
      this.#leave(waiter);
      this.#refuse(waiter, waiter.deadline <= now ? 'deadline' : 'acquisition-timeout');
    }
  }

  #settleDrain(): void {
    if (!this.#draining || this.#waiting > 0 || !this.#roster.empty) return;
    this.#roster.stop();
    this.#expiry.clear();
    for (const resolve of this.#drained.splice(0)) resolve();
  }

  #giveUp(): void {
    this.#givenUp = true;
    for (const account of this.#roster.accounts) {
      for (let waiter = this.#next(account); waiter !== undefined; waiter = this.#next(account))
        this.#refuse(waiter, 'closed');
    }
    this.#roster.retireAll();
    this.#settleDrain();
  }
}

/** The flight did not reach the server's ears: another connection may carry it. */
function notExecuted(error: ConnectionError): boolean {
  return error.kind === 'unsent' || error.kind === 'closed';
}
