/** The worker without a pooler over a socket: Hyperdrive, or PostgreSQL itself. It wants Node's `buffer` and `events` (`nodejs_compat`). */
import { parameters } from '../shared/config/parameters.ts';
import type { EdgerestFetch } from './fetch-handler.ts';
import { HopConfigError } from './hop/address.ts';
import { HyperdriveDriver } from './hop/database/hyperdrive.ts';
import { createStandalone, type StandaloneOptions } from './standalone.ts';

export type { EdgerestFetch, ExecutionContext, WorkerLog } from './fetch-handler.ts';
export { HopConfigError } from './hop/address.ts';
export type { StandaloneOptions } from './standalone.ts';

export interface HyperdriveOptions extends StandaloneOptions {
  /** Hyperdrive's connection string; `db-uri` by default. */
  readonly connectionString?: string;
}

/** Makes the handler; may be called once and used for all requests. Throws HopConfigError. */
export const createHyperdrive = (options: HyperdriveOptions): EdgerestFetch =>
  createStandalone(options, ({ dbUri }) => {
    const uri = options.connectionString ?? dbUri;
    if (uri !== parameters.dbUri.default) return new HyperdriveDriver(uri);
    throw new HopConfigError('There is neither PGRST_DB_URI nor the binding HYPERDRIVE.');
  });
