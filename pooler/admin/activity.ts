/** Keeps what `/top` tells: which statements take the time, and which keys wait. Its space is bounded, whatever is asked. */
import { createHash } from 'node:crypto';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { PoolEvent, QueueState } from '../pool/index.ts';
import { Durations } from './durations.ts';
import type { PoolState } from './pool-metrics.ts';
import { Ranking } from './ranking.ts';
import type { KeyReport, StatementReport, TopReport } from './report.ts';

/** Statements and keys that are told apart, and how many of each are reported. */
const STATEMENTS = 200;
const KEYS = 200;
const REPORTED = 50;
/** Characters of a statement or a name; longer ones are counted together. */
const LONGEST = 8192;

const LONG = `(longer than ${LONGEST} characters)`;
const bounded = (text: string): string => (text.length > LONGEST ? LONG : text);

/** Milliseconds over which the event loop's delay is looked at. */
const WINDOW = 10_000;
/** Milliseconds between two looks. */
const RESOLUTION = 20;

const milliseconds = (nanoseconds: number): number =>
  Number.isFinite(nanoseconds) ? Math.max(0, nanoseconds / 1e6 - RESOLUTION) : 0;

/** The event loop's delay over the last while. */
class EventLoop {
  readonly #delays = monitorEventLoopDelay({ resolution: RESOLUTION });
  #since = performance.now();

  constructor() {
    this.#delays.enable();
  }

  report(): TopReport['eventLoop'] {
    const delays = this.#delays;
    const report = {
      mean: milliseconds(delays.mean),
      p99: milliseconds(delays.percentile(99)),
      max: milliseconds(delays.max),
    };
    if (performance.now() - this.#since > WINDOW) {
      delays.reset();
      this.#since = performance.now();
    }
    return report;
  }
}

class KeyUse {
  readonly wait = new Durations();
  used = 0;
}

class StatementUse {
  readonly time = new Durations();
  failed = 0;
}

const NOTHING = new KeyUse();

export class Activity {
  readonly #program: string;
  readonly #keys = new Ranking(KEYS, () => new KeyUse());
  readonly #statements = new Ranking(STATEMENTS, () => new StatementUse());
  readonly #cancelled = { deadline: 0, clientGone: 0 };
  #lost = 0;
  readonly #eventLoop = new EventLoop();

  /** `program`: its name and version. */
  constructor(program: string) {
    this.#program = program;
  }

  observe(event: PoolEvent): void {
    switch (event.type) {
      case 'acquired':
        this.#keys.weigh(bounded(event.key), '', event.waited).wait.add(event.waited);
        return;
      case 'flight':
        this.#observeFlight(event);
        return;
      case 'closed':
        if (event.lost !== null) this.#lost++;
        return;
      default: // the pool counts it
    }
  }

  report({ pool, statementUses }: PoolState): TopReport {
    return {
      program: this.#program,
      uptime: process.uptime(),
      memory: process.memoryUsage.rss(),
      eventLoop: this.#eventLoop.report(),
      pool: pool.metrics(),
      cancelled: this.#cancelled,
      connectionsLost: this.#lost,
      preparedStatements: statementUses,
      keys: this.#keyReports(pool.queues()),
      statements: this.#statements.heaviest(REPORTED).map(statementReport),
    };
  }

  #observeFlight({ key, took, outcome, cancelled, subject }: Extract<PoolEvent, { type: 'flight' }>): void {
    this.#keys.weigh(bounded(key), '', took).used += took;
    if (cancelled === 'deadline') this.#cancelled.deadline++;
    else if (cancelled === 'signal') this.#cancelled.clientGone++;
    if (subject === null || subject.text === '') return;
    const use = this.#statements.weigh(bounded(subject.text), bounded(subject.role), took);
    use.time.add(took);
    if (outcome !== 'completed') use.failed++;
  }

  #keyReports(queues: readonly QueueState[]): readonly KeyReport[] {
    const known = new Map(this.#keys.heaviest(KEYS).map(({ one, item }) => [one, item]));
    const waiting = queues
      .toSorted((a, b) => b.waiting - a.waiting)
      .slice(0, REPORTED)
      .map(({ key, ...now }) => keyReport(bounded(key), known.get(bounded(key)) ?? NOTHING, now));
    const present = new Set(waiting.map(({ key }) => key));
    const others = [...known].filter(([key]) => !present.has(key));
    return [...waiting, ...others.map(([key, use]) => keyReport(key, use, { waiting: 0, oldest: 0 }))].slice(
      0,
      REPORTED,
    );
  }
}

const keyReport = (key: string, { wait, used }: KeyUse, now: Pick<QueueState, 'waiting' | 'oldest'>): KeyReport => ({
  key,
  ...now,
  requests: wait.count,
  wait: wait.summary(),
  used,
});

function statementReport({
  one: text,
  other: role,
  item: { time, failed },
}: ReturnType<Ranking<StatementUse>['heaviest']>[number]): StatementReport {
  const id = createHash('sha256').update(text).digest('hex').slice(0, 8);
  return { id, text, role, count: time.count, failed, time: time.summary() };
}
