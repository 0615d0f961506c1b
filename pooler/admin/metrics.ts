/** The metrics of a program: PostgREST's under their names, and the pooler's own as `edgerest_…`. */
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { DriverEvent } from '../driver/events.ts';
import type { IssuerEvent } from '../keys/issuer.ts';
import type { Observation } from '../observation.ts';
import { counted } from './counted.ts';
import { PoolMetricsCollector, type PoolState } from './pool-metrics.ts';

export class Metrics {
  readonly #registry = new Registry();
  readonly #pool: PoolMetricsCollector;
  readonly #loads: Counter<'status'>;
  readonly #loadTime: Gauge;
  readonly #keyFetches: Counter<'status'>;
  readonly #keysFetched: Gauge;
  readonly #tokens = { hit: 0, miss: 0, eviction: 0 };
  readonly #answers: Counter<'status'>;
  readonly #driverAnswers: Counter<'status'>;
  readonly #driverRefusals: Counter;
  readonly #messagesRefused: Counter<'reason'>;

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
    this.#pool = new PoolMetricsCollector(this.#registry);
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
    this.#messagesRefused = new Counter({
      name: 'edgerest_hop_refused_total',
      help: 'Messages of workers that the hop refused, by reason',
      labelNames: ['reason'],
      registers,
    });
  }

  /** Where the state of the pool is looked up. */
  watch(state: PoolState): void {
    this.#pool.watch(state);
  }

  observe(observation: Observation): void {
    switch (observation.kind) {
      case 'pool':
        this.#pool.observe(observation.event);
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
      case 'message refused':
        this.#messagesRefused.inc({ reason: observation.reason });
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

  #observeIssuer({ kind }: IssuerEvent): void {
    this.#keyFetches.inc({ status: kind === 'failed' ? 'FAIL' : 'SUCCESS' });
    if (kind !== 'failed') this.#keysFetched.setToCurrentTime();
  }

  #observeLoad({ event }: Extract<Observation, { kind: 'schema cache' }>): void {
    if (event.kind === 'queried') this.#loadTime.set(event.milliseconds / 1000);
    else this.#loads.inc({ status: event.kind === 'loaded' ? 'SUCCESS' : 'FAIL' });
  }
}
