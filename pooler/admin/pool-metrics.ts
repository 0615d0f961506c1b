/** The pool's metrics: its state is looked up when somebody asks, what happens in it is counted as it happens. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { PoolEvent, PoolMetrics, QueueState } from '../pool/index.ts';
import type { StatementUses } from '../wire/index.ts';
import { counted } from './counted.ts';

/** Seconds: from what a flight on this machine takes to the longest waits. */
const BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** What is asked for the state. */
export interface PoolState {
  readonly pool: { metrics(): PoolMetrics; queues(): readonly QueueState[] };
  readonly statementUses: Readonly<StatementUses>;
}

type FlightEvent = Extract<PoolEvent, { readonly type: 'flight' }>;

const PGRST = 'pgrst_db_pool';
const OWN = 'edgerest_pool';

export class PoolMetricsCollector {
  #state: PoolState | null = null;
  readonly #registers: Registry[];
  readonly #wait: Histogram;
  readonly #flights: Readonly<Record<FlightEvent['outcome'], Histogram.Internal<'outcome'>>>;
  readonly #sent: Histogram;
  readonly #cancels: Counter<'reason'>;
  readonly #lost: Counter;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#registers = registers;
    this.#wait = new Histogram({
      name: 'edgerest_queue_wait_seconds',
      help: 'Time that requests waited for a connection of the pool, for those that got one',
      buckets: BUCKETS,
      registers,
    });
    const flights = new Histogram({
      name: 'edgerest_flight_seconds',
      help: "Time from sending a transaction to the database's answer, by what came of it",
      labelNames: ['outcome'],
      buckets: BUCKETS,
      registers,
    });
    this.#flights = {
      completed: flights.labels('completed'),
      failed: flights.labels('failed'),
      lost: flights.labels('lost'),
    };
    this.#sent = new Histogram({
      name: 'edgerest_flights_per_request',
      help: 'How often a transaction was sent until there was an answer or none could come',
      buckets: [1, 2, 3],
      registers,
    });
    this.#cancels = new Counter({
      name: `${OWN}_cancels_total`,
      help: 'Transactions that the database was asked to cancel, by reason',
      labelNames: ['reason'],
      registers,
    });
    for (const reason of ['deadline', 'client-gone']) this.#cancels.inc({ reason }, 0);
    this.#lost = new Counter({
      name: `${OWN}_connections_lost_total`,
      help: 'Connections that ended without the pool having closed them',
      registers,
    });
    this.#addState();
    this.#addCounters();
    this.#addLabelled();
  }

  /** Where the state is looked up from now on. */
  watch(state: PoolState): void {
    this.#state = state;
  }

  observe(event: PoolEvent): void {
    switch (event.type) {
      case 'acquired':
        this.#wait.observe(event.waited / 1000);
        return;
      case 'flight':
        this.#flights[event.outcome].observe(event.took / 1000);
        if (!event.resent) this.#sent.observe(event.attempts);
        if (event.cancelled !== null)
          this.#cancels.inc({ reason: event.cancelled === 'deadline' ? 'deadline' : 'client-gone' });
        return;
      case 'closed':
        if (event.lost !== null) this.#lost.inc();
        return;
      default: // counted by the pool itself
    }
  }

  #of(read: (state: PoolState) => number): () => number {
    return () => (this.#state === null ? 0 : read(this.#state));
  }

  #gauge(name: string, help: string, read: (state: PoolState) => number): void {
    const value = this.#of(read);
    new Gauge({
      name,
      help,
      registers: this.#registers,
      collect() {
        this.set(value());
      },
    });
  }

  #addState(): void {
    const gauge = (name: string, help: string, read: (pool: PoolMetrics) => number): void =>
      this.#gauge(name, help, ({ pool }) => read(pool.metrics()));
    gauge(`${PGRST}_available`, 'Available connections in the pool', ({ idle }) => idle);
    gauge(`${PGRST}_waiting`, 'Requests waiting to acquire a pool connection', ({ waiting }) => waiting);
    gauge(`${PGRST}_max`, 'Max pool connections', ({ size }) => size);
    gauge(`${OWN}_busy`, 'Connections that serve a transaction', ({ busy }) => busy);
    gauge(`${OWN}_resetting`, 'Connections that clean up after a transaction', ({ resetting }) => resetting);
    gauge(`${OWN}_connecting`, 'Connections being opened', ({ connecting }) => connecting);
    gauge(`${OWN}_closing`, 'Connections being closed', ({ closing }) => closing);
    this.#gauge('edgerest_queue_keys', 'Keys of which requests wait', ({ pool }) => pool.queues().length);
    const oldest = ({ pool }: PoolState): number => Math.max(0, ...pool.queues().map((queue) => queue.oldest)) / 1000;
    this.#gauge('edgerest_queue_oldest_seconds', 'How long the oldest of the requests in the queue has waited', oldest);
  }

  #addCounters(): void {
    const counter = (name: string, help: string, read: (pool: PoolMetrics) => number): void =>
      counted(
        this.#registers,
        name,
        help,
        this.#of(({ pool }) => read(pool.metrics())),
      );
    const timeouts = ({ refused }: PoolMetrics): number => refused['acquisition-timeout'];
    counter(`${PGRST}_timeouts_total`, 'The total number of pool connection timeouts', timeouts);
    counter(`${OWN}_connects_total`, 'Connections that were opened', ({ connects }) => connects);
    counter(`${OWN}_connect_failures_total`, 'Attempts to connect that failed', (pool) => pool.connectFailures);
    const again = 'Transactions that were sent a second time, the first not having run';
    counter(`${OWN}_flight_retries_total`, again, ({ retries }) => retries);
  }

  #addLabelled(): void {
    const state = (): PoolState | null => this.#state;
    new Counter({
      name: `${OWN}_refused_total`,
      help: 'Requests that got no connection, by reason',
      labelNames: ['reason'],
      registers: this.#registers,
      collect() {
        this.reset();
        const known = state();
        if (known === null) return;
        for (const [reason, count] of Object.entries(known.pool.metrics().refused)) this.inc({ reason }, count);
      },
    });
    new Counter({
      name: 'edgerest_prepared_statements_total',
      help: 'Uses of statements that connections keep prepared: it was there (hit) or had to be prepared (miss)',
      labelNames: ['result'],
      registers: this.#registers,
      collect() {
        this.reset();
        const { hits, misses } = state()?.statementUses ?? { hits: 0, misses: 0 };
        this.inc({ result: 'hit' }, hits);
        this.inc({ result: 'miss' }, misses);
      },
    });
  }
}
