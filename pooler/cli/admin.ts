/** A program's admin server, with what it answers from. */
import type { Server } from 'node:http';
import { Activity } from '../admin/activity.ts';
import { Metrics } from '../admin/metrics.ts';
import { createAdminServer } from '../admin/server.ts';
import { Draining } from '../drain.ts';
import type { Observation } from '../observation.ts';
import type { Pool } from '../pool/index.ts';
import type { Pooler } from '../start.ts';
import { type Listening, listen, type Place } from './listen.ts';

/** Milliseconds for answers of the admin server to be sent when the program ends. */
const CLOSE_TIMEOUT = 1000;

/** Whether the database answers. It waits its turn among the requests, as in PostgREST. */
async function answers(pool: Pool): Promise<boolean> {
  const statement = { text: 'select', parameters: [], prepare: 'unnamed', result: 'none' } as const;
  try {
    const { outcome } = await pool.run({ statements: [statement], reset: false });
    return outcome === 'completed';
  } catch {
    return false;
  }
}

export class Admin {
  readonly #metrics = new Metrics();
  readonly #activity: Activity;
  readonly #server: Server;
  readonly #draining: Draining;
  #pooler: Pooler | null = null;
  /** Whether the last load of the schema cache succeeded. */
  #loaded = false;
  #isReachable = (): boolean => false;

  /** `program`: its name and version. */
  constructor(program: string) {
    this.#activity = new Activity(program);
    this.#server = createAdminServer({
      isLive: () => this.#isReachable(),
      isLoaded: () => this.#isLoaded(),
      metrics: () => this.#metrics.text(),
      schemaCache: () => this.#schemaCache(),
      top: () => (this.#pooler === null ? '' : JSON.stringify(this.#activity.report(this.#pooler))),
    });
    this.#draining = new Draining(this.#server, 0);
    this.#server.on('request', (_, response) => this.#draining.track(response));
  }

  /** Opens it. Throws StartError. */
  listen(place: Place): Promise<Listening> {
    return listen(this.#server, place);
  }

  close(): Promise<void> {
    return this.#draining.close(CLOSE_TIMEOUT);
  }

  observe(observation: Observation): void {
    this.#metrics.observe(observation);
    if (observation.kind === 'pool') this.#activity.observe(observation.event);
    if (observation.kind !== 'schema cache' || observation.event.kind === 'queried') return;
    this.#loaded = observation.event.kind === 'loaded';
  }

  /** The pooler is there. */
  watch(pooler: Pooler): void {
    this.#pooler = pooler;
    this.#metrics.watch(pooler);
  }

  /** The program's own server is open. */
  opened(isReachable: () => boolean): void {
    this.#isReachable = isReachable;
  }

  /** PostgREST's rule: while it listens for notifications the database is there; where it does not, that is asked. */
  async #isLoaded(): Promise<boolean> {
    const pooler = this.#pooler;
    const loaded = pooler?.source.current() ?? null;
    if (pooler === null || loaded === null || !this.#loaded) return false;
    return loaded.config.dbChannelEnabled ? pooler.source.listening : await answers(pooler.pool);
  }

  #schemaCache(): string {
    const snapshot = this.#pooler?.source.current()?.snapshot ?? null;
    return snapshot === null ? '' : JSON.stringify(snapshot);
  }
}
