/** The metrics of a program: PostgREST's under their names, and the pooler's own as `edgerest_…`. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { DriverEvent } from '../driver/events.ts';
import type { IssuerEvent } from '../keys/issuer.ts';
import type { Observation } from '../observation.ts';
import type { PoolEvent, PoolMetrics } from '../pool/index.ts';

/** Seconds: from what a flight on this machine takes to the longest waits. */
const BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

type Outcome = Extract<PoolEvent, { type: 'flight' }>['outcome'];

/** A counter whose value is kept elsewhere and looked up when somebody asks. */
function counted(registers: Registry[], name: string, help: string, value: () => number): void {
  new Counter({
    name,
    help,
    registers,
    collect() {
      this.reset();
      this.inc(value());
    },
  });
}

function gauged(registers: Registry[], name: string, help: string, value: () => number): void {
  new Gauge({
    name,
    help,
    registers,
    collect() {
      this.set(value());
    },
  });
}

export class Metrics {
  readonly #registry = new Registry();
  #pool: (() => PoolMetrics) | null = null;
  readonly #loads: Counter<'status'>;
  readonly #loadTime: Gauge;
  readonly #keyFetches: Counter<'status'>;
  readonly #keysFetched: Gauge;
  readonly #tokens = { hit: 0, miss: 0, eviction: 0 };
  readonly #answers: Counter<'status'>;
  readonly #driverAnswers: Counter<'status'>;
  readonly #driverRefusals: Counter;
  readonly #wait: Histogram;
  readonly #flights: Readonly<Record<Outcome, Histogram.Internal<'outcome'>>>;

  constructor() {
    const registers = [this.#registry];
    collectDefaultMetrics({ register: this.#registry });
    this.#loadTime = new Gauge({
      name: 'pgrst_schema_cache_query_time_seconds',
      help: 'The query time in seconds of the last schema cache load',
      registers,
    });
    this.#loads = new Counter({
      name: 'pgrst_schema_cache_loads_total',
      help: 'The total number of times the schema cache was loaded',
      labelNames: ['status'],
      registers,
    });
    this.#addPool(registers);
    const tokens = this.#tokens;
    const cache = (name: string, help: string, value: () => number): void =>
      counted(registers, `pgrst_jwt_cache_${name}_total`, help, value);
    cache('requests', 'The total number of JWT cache lookups', () => tokens.hit + tokens.miss);
    cache('hits', 'The total number of JWT cache hits', () => tokens.hit);
    cache('evictions', 'The total number of JWT cache evictions', () => tokens.eviction);
    this.#keyFetches = new Counter({
      name: 'edgerest_jwks_fetches_total',
      help: 'Attempts to fetch the key set that jwt-secret names',
      labelNames: ['status'],
      registers,
    });
    this.#keysFetched = new Gauge({
      name: 'edgerest_jwks_last_success_timestamp_seconds',
      help: 'When the key set was last fetched; 0 before that',
      registers,
    });
    this.#answers = new Counter({
      name: 'edgerest_http_answers_total',
      help: 'Answers of the API in this process, by status',
      labelNames: ['status'],
      registers,
    });
    this.#driverAnswers = new Counter({
      name: 'edgerest_driver_answers_total',
      help: 'Answers of the driver endpoint over HTTP, by status',
      labelNames: ['status'],
      registers,
    });
    this.#driverRefusals = new Counter({
      name: 'edgerest_driver_logins_refused_total',
      help: 'Logins at the driver endpoint that the database refused',
      registers,
    });
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
  }

  /** Where the state of the pool is looked up. */
  watch(pool: () => PoolMetrics): void {
    this.#pool = pool;
  }

  observe(observation: Observation): void {
    switch (observation.kind) {
      case 'pool':
        this.#observePool(observation.event);
        return;
      case 'schema cache':
        this.#observeLoad(observation);
        return;
      case 'issuer':
        this.#observeIssuer(observation.event);
        return;
      case 'token':
        this.#tokens[observation.event]++;
        return;
      case 'answered':
        this.#answers.inc({ status: observation.status });
        return;
      case 'driver':
        this.#observeDriver(observation.event);
        return;
      default: // the log's alone
    }
  }

  /** All of them in Prometheus' text format. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  #observeDriver(event: DriverEvent): void {
    if (event.type === 'answered') this.#driverAnswers.inc({ status: event.status });
    else this.#driverRefusals.inc();
  }

  #observePool(event: PoolEvent): void {
    if (event.type === 'acquired') this.#wait.observe(event.waited / 1000);
    else if (event.type === 'flight') this.#flights[event.outcome].observe(event.took / 1000);
  }

  #observeIssuer({ kind }: IssuerEvent): void {
    this.#keyFetches.inc({ status: kind === 'failed' ? 'FAIL' : 'SUCCESS' });
    if (kind !== 'failed') this.#keysFetched.setToCurrentTime();
  }

  #observeLoad({ event }: Extract<Observation, { kind: 'schema cache' }>): void {
    if (event.kind === 'queried') this.#loadTime.set(event.milliseconds / 1000);
    else this.#loads.inc({ status: event.kind === 'loaded' ? 'SUCCESS' : 'FAIL' });
  }

  #addPool(registers: Registry[]): void {
    const of = (read: (pool: PoolMetrics) => number) => (): number => (this.#pool === null ? 0 : read(this.#pool()));
    const pgrst = 'pgrst_db_pool';
    const own = 'edgerest_pool';
    counted(
      registers,
      `${pgrst}_timeouts_total`,
      'The total number of pool connection timeouts',
      of(({ refused }) => refused['acquisition-timeout']),
    );
    gauged(
      registers,
      `${pgrst}_available`,
      'Available connections in the pool',
      of(({ idle }) => idle),
    );
    gauged(
      registers,
      `${pgrst}_waiting`,
      'Requests waiting to acquire a pool connection',
      of(({ waiting }) => waiting),
    );
    gauged(
      registers,
      `${pgrst}_max`,
      'Max pool connections',
      of(({ size }) => size),
    );
    gauged(
      registers,
      `${own}_busy`,
      'Connections that serve a transaction',
      of(({ busy }) => busy),
    );
    gauged(
      registers,
      `${own}_resetting`,
      'Connections that clean up after a transaction',
      of(({ resetting }) => resetting),
    );
    gauged(
      registers,
      `${own}_connecting`,
      'Connections being opened',
      of(({ connecting }) => connecting),
    );
    counted(
      registers,
      `${own}_connects_total`,
      'Connections that were opened',
      of(({ connects }) => connects),
    );
    counted(
      registers,
      `${own}_connect_failures_total`,
      'Attempts to connect that failed',
      of(({ connectFailures }) => connectFailures),
    );
    counted(
      registers,
      `${own}_flight_retries_total`,
      'Transactions that were sent a second time, the first not having run',
      of(({ retries }) => retries),
    );
    new Counter({
      name: `${own}_refused_total`,
      help: 'Requests that got no connection, by reason',
      labelNames: ['reason'],
      registers,
      collect: this.#refused(),
    });
  }

  #refused(): (this: Counter<'reason'>) => void {
    const pool = (): PoolMetrics | null => this.#pool?.() ?? null;
    return function collect() {
      this.reset();
      for (const [reason, count] of Object.entries(pool()?.refused ?? {})) this.inc({ reason }, count);
    };
  }
}
