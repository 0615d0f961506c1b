import { ConnectionError, DeadlineTimer, type Flight, type FlightResult } from '../wire/index.ts';
import { backoff, jitteredLifetime } from './backoff.ts';
import { PoolError, type PoolErrorCode } from './errors.ts';
import { IdleSlots } from './idle.ts';
import { type AdmissionQueue, FifoQueue } from './queue.ts';
import { Slot } from './slot.ts';
import type { Admission, Lease, PoolEvent, PoolMetrics, PoolOptions } from './types.ts';
import { type Request, Waiter } from './waiter.ts';

const anyone: Admission = {};

/**
 * A bounded set of connections to one database. Requests that find none free wait in a queue. While the database is away, requests
 * fail at once with the last reason, and one attempt at a time finds out when it is back.
 */
export class Pool {
  readonly #options: PoolOptions;
  readonly #queue: AdmissionQueue<Waiter>;
  readonly #queueLength: number;
  readonly #slots = new Set<Slot>();
  readonly #idle: IdleSlots;
  #connecting = 0;
  #failures = 0;
  #lastError: ConnectionError | null = null;
  #retryTimer: NodeJS.Timeout | null = null;
  readonly #expiry = new DeadlineTimer(() => this.#onExpiry());
  #generation = 0;
  #draining = false;
  readonly #drained: (() => void)[] = [];
  readonly #counters = { connects: 0, connectFailures: 0, closed: 0, flights: 0, retries: 0 };
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
    this.#queue = options.queue ?? new FifoQueue();
    this.#queueLength = options.queueLength ?? Number.POSITIVE_INFINITY;
    this.#idle = new IdleSlots(options.idleTimeout ?? 0, () => this.#alive() > (options.minimum ?? 0));
    this.#grow();
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
            if (observe !== undefined) {
              const took = performance.now() - began;
              const outcome = result?.outcome ?? 'lost';
              observe({ type: 'flight', key: waiter.key, took, outcome, attempts: result?.attempts ?? 1 });
            }
            if (result !== null) {
              if (result.attempts > 1) this.#counters.retries++;
              resolve(result);
            } else if (error instanceof ConnectionError && notExecuted(error) && !retried) {
              retried = true;
              this.#counters.retries++;
              this.#admit(new Waiter(request, admission, waiter.since));
            } else {
              reject(error);
              // Nothing was sent, so nobody will report the connection free.
              if (error instanceof RangeError)
                queueMicrotask(() => slot.connection.state === 'idle' && this.#freed(slot));
            }
          });
        },
      };
      this.#admit(new Waiter(request, admission, observe === undefined ? 0 : performance.now()));
    });
  }

  /** Lends a connection for more than one flight. Rejects as run() does. */
  acquire(admission: Admission = anyone): Promise<Lease> {
    return new Promise((resolve, reject) => {
      const grant = (slot: Slot) => {
        slot.lent = true;
        resolve({ connection: slot.connection, release: () => this.#takeBack(slot) });
      };
      this.#admit(new Waiter({ grant, refuse: reject }, admission, performance.now()));
    });
  }

  /** The schema has changed: connections prepare their statements anew. */
  forgetStatements(): void {
    this.#generation++;
  }

  metrics(): PoolMetrics {
    let resetting = 0;
    let closing = 0;
    for (const { connection } of this.#slots) {
      if (connection.state === 'resetting') resetting++;
      else if (connection.state === 'closing') closing++;
    }
    const idle = this.#idle.length;
    const total = this.#slots.size + this.#connecting;
    return {
      size: this.#options.size,
      connecting: this.#connecting,
      idle,
      busy: this.#slots.size - idle - resetting - closing,
      resetting,
      closing,
      available: idle + this.#options.size - total,
      waiting: this.#queue.length,
      ...this.#counters,
      refused: { ...this.#refused },
    };
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
      this.#idle.retireAll();
      this.#settleDrain();
    }).finally(() => {
      if (limit !== null) clearTimeout(limit);
    });
  }

  #admit(waiter: Waiter): void {
    const refusal = this.#refusal(waiter);
    if (refusal !== null) {
      this.#refuse(waiter, refusal);
      return;
    }
    if (this.#queue.length === 0) {
      const slot = this.#idle.take(waiter.scope);
      if (slot !== null) {
        this.#grant(slot, waiter);
        return;
      }
    }
    if (this.#lastError !== null && this.#alive() === 0) {
      waiter.refuse(this.#lastError);
      return;
    }
    if (this.#queue.length >= this.#queueLength) {
      this.#refuse(waiter, 'queue-full');
      return;
    }
    this.#enqueue(waiter);
    this.#grow();
  }

  #refusal(waiter: Waiter): PoolErrorCode | null {
    if (this.#draining) return 'closed';
    if (waiter.signal?.aborted === true) return 'aborted';
    return waiter.deadline !== Number.POSITIVE_INFINITY && waiter.deadline <= Date.now() ? 'deadline' : null;
  }

  #enqueue(waiter: Waiter): void {
    const late = Date.now() + this.#options.acquisitionTimeout;
    waiter.expires = Math.min(late, waiter.deadline);
    if (waiter.signal !== null) {
      waiter.onAbort = () => {
        this.#queue.remove(waiter);
        this.#refuse(waiter, 'aborted');
      };
      waiter.signal.addEventListener('abort', waiter.onAbort);
    }
    this.#queue.push(waiter);
    this.#expiry.set(waiter.expires);
  }

  #grant(slot: Slot, waiter: Waiter): void {
    waiter.leave();
    slot.scope = waiter.scope;
    if (slot.generation !== this.#generation) {
      slot.generation = this.#generation;
      slot.connection.forgetStatements();
    }
    const { observe } = this.#options;
    if (observe !== undefined) observe({ type: 'acquired', key: waiter.key, waited: performance.now() - waiter.since });
    waiter.request.grant(slot, waiter);
  }

  #refuse(waiter: Waiter, code: PoolErrorCode): void {
    this.#refused[code]++;
    this.#tell({ type: 'refused', key: waiter.key, code });
    waiter.refuse(new PoolError(code));
  }

  /** A connection is free: it goes to the next one who waits. */
  readonly #freed = (slot: Slot): void => {
    const now = Date.now();
    if (slot.expires <= now) {
      slot.retire();
      return;
    }
    for (let waiter = this.#queue.shift(); waiter !== undefined; waiter = this.#queue.shift()) {
      if (waiter.deadline > now) {
        this.#grant(slot, waiter);
        return;
      }
      this.#refuse(waiter, 'deadline');
    }
    if (this.#draining) slot.retire();
    else this.#idle.add(slot);
  };

  readonly #gone = (slot: Slot): void => {
    this.#slots.delete(slot);
    this.#idle.remove(slot);
    this.#counters.closed++;
    this.#tell({ type: 'closed' });
    this.#grow();
    this.#settleDrain();
  };

  #takeBack(slot: Slot): void {
    if (!slot.lent) return;
    slot.lent = false;
    if (slot.connection.state === 'idle') this.#freed(slot);
  }

  /** Opens as many connections as are missing, one at a time while the database is away. */
  #grow(): void {
    const { size, minimum = 0 } = this.#options;
    for (;;) {
      const total = this.#slots.size + this.#connecting;
      const wanted = Math.max(this.#queue.length - this.#connecting, this.#draining ? 0 : minimum - total);
      if (wanted <= 0 || total >= size || this.#lastError !== null) return;
      this.#open();
    }
  }

  #open(): void {
    this.#connecting++;
    const began = performance.now();
    this.#options.connect().then(
      (connection) => {
        this.#connecting--;
        this.#failures = 0;
        this.#lastError = null;
        this.#counters.connects++;
        const { maxLifetime = 0 } = this.#options;
        const expires = maxLifetime > 0 ? Date.now() + jitteredLifetime(maxLifetime) : Number.POSITIVE_INFINITY;
        const slot = new Slot(connection, expires, this.#generation, this.#freed, this.#gone);
        this.#slots.add(slot);
        this.#tell({ type: 'connected', took: performance.now() - began });
        connection.observe(slot);
        if (connection.state === 'idle') this.#freed(slot);
        this.#grow();
      },
      (error: unknown) => {
        this.#connecting--;
        this.#connectFailed(error);
      },
    );
  }

  #connectFailed(reason: unknown): void {
    const error =
      reason instanceof ConnectionError
        ? reason
        : new ConnectionError('refused', 'cannot connect to the database', reason);
    this.#counters.connectFailures++;
    // The first failure may have been a login that was caught in a restart: one more attempt follows at once.
    const retryIn = this.#failures++ === 0 ? 0 : backoff(this.#failures - 1);
    this.#tell({ type: 'connect-failed', error, retryIn });
    if (this.#alive() === 0) {
      // While another attempt is under way, it decides.
      if (this.#connecting > 0) return;
      if (retryIn === 0) {
        this.#grow();
        this.#settleDrain();
        return;
      }
    }
    this.#lastError = error;
    // With other connections alive (the server has no room for one more) those who wait still have a chance.
    if (this.#alive() === 0) {
      for (let waiter = this.#queue.shift(); waiter !== undefined; waiter = this.#queue.shift()) waiter.refuse(error);
    }
    this.#settleDrain();
    if (this.#retryTimer !== null || (this.#draining && this.#queue.length === 0)) return;
    this.#retryTimer = setTimeout(() => {
      this.#retryTimer = null;
      if (this.#connecting === 0 && this.#slots.size < this.#options.size && !this.#draining) this.#open();
    }, retryIn);
  }

  #onExpiry(): void {
    const now = Date.now();
    const late: Waiter[] = [];
    let next = Number.POSITIVE_INFINITY;
    for (const waiter of this.#queue.waiting()) {
      if (waiter.expires <= now) late.push(waiter);
      else next = Math.min(next, waiter.expires);
    }
    if (next !== Number.POSITIVE_INFINITY) this.#expiry.set(next);
    for (const waiter of late) {
      this.#queue.remove(waiter);
      this.#refuse(waiter, waiter.deadline <= now ? 'deadline' : 'acquisition-timeout');
    }
  }

  #alive(): number {
    let alive = 0;
    for (const slot of this.#slots) if (slot.alive) alive++;
    return alive;
  }

  #settleDrain(): void {
    if (!this.#draining || this.#queue.length > 0 || this.#slots.size > 0 || this.#connecting > 0) return;
    if (this.#retryTimer !== null) clearTimeout(this.#retryTimer);
    this.#expiry.clear();
    for (const resolve of this.#drained.splice(0)) resolve();
  }

  #giveUp(): void {
    for (let waiter = this.#queue.shift(); waiter !== undefined; waiter = this.#queue.shift())
      this.#refuse(waiter, 'closed');
    for (const slot of this.#slots) slot.retire();
    this.#settleDrain();
  }

  #tell(event: PoolEvent): void {
    this.#options.observe?.(event);
  }
}

/** The flight did not reach the server's ears: another connection may carry it. */
function notExecuted(error: ConnectionError): boolean {
  return error.kind === 'unsent' || error.kind === 'closed';
}
