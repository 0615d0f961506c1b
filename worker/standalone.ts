/**
 * The worker without a pooler: it asks the database itself, and reads PostgREST's parameters from its bindings.
 *
 *     import { createNeon } from 'edgerest/neon';
 *     const edgerest = createNeon({ bindings: process.env });
 *     export default { fetch: (request) => edgerest(request) };
 */
import type { Config } from '../shared/config/resolve.ts';
import { type EdgerestFetch, fetchHandler, type HandlerOptions } from './fetch-handler.ts';
import { HopConfigError } from './hop/address.ts';
import type { DatabaseDriver } from './hop/database/batch.ts';
import { withDatabaseDocuments } from './hop/database/documents.ts';
import { DatabaseHop } from './hop/database/hop.ts';
import { type Bindings, BindingsError, configOf } from './hop/database/load.ts';
import { DatabaseStates } from './hop/database/states.ts';
import { Isolate, RemoteStates } from './hop/remote-states.ts';

/**
 * Nobody tells an isolate that the database has changed. It loads the schema cache anew after so many milliseconds, and before
 * an error that the schema cache decided, at most so often.
 */
const AGE = 60_000;
const INTERVAL = 1000;

export interface StandaloneOptions extends HandlerOptions {
  /** PGRST_* and EDGEREST_* names; others, and what is no text, are left alone. */
  readonly bindings: object;
}

/** The texts among the bindings. */
function textsOf(bindings: object): Bindings {
  return Object.fromEntries(Object.entries(bindings).filter(([, value]) => typeof value === 'string'));
}

/** For the log; the client is told that there is something wrong, and nothing of the values. */
function checkedConfig(env: Bindings, report: (error: unknown) => void): Config {
  try {
    const config = configOf(env);
    if (config.poolerUrl === null) return config;
    throw new BindingsError([
      'EDGEREST_POOLER_URL is set: this worker asks the database itself, the other one a pooler.',
    ]);
  } catch (error) {
    if (!(error instanceof BindingsError)) throw error;
    report(error.message);
    throw new HopConfigError('The bindings of the worker are wrong: its log says which.');
  }
}

/** Makes the handler; `driverOf` makes what reaches the database that the configuration names. Throws HopConfigError. */
export function createStandalone(
  options: StandaloneOptions,
  driverOf: (config: Config) => DatabaseDriver,
): EdgerestFetch {
  const { report = (error: unknown) => console.error(error) } = options;
  const env = textsOf(options.bindings);
  const driver = driverOf(checkedConfig(env, report));
  const isolate = new Isolate();
  const database = new DatabaseStates(driver, env, report);
  const hop = withDatabaseDocuments(new DatabaseHop(driver, () => database.facts), database);
  return fetchHandler(options, (waitUntil) => ({
    hop,
    states: new RemoteStates(database, isolate, waitUntil, { age: AGE, interval: INTERVAL }),
  }));
}
