/** The worker without a pooler over an endpoint that takes SQL over HTTP: Neon's, or a pooler's own. Web APIs only. */
import type { EdgerestFetch } from './fetch-handler.ts';
import { NeonDriver } from './hop/database/neon.ts';
import { createStandalone, type StandaloneOptions } from './standalone.ts';

export type { EdgerestFetch, ExecutionContext, WorkerLog } from './fetch-handler.ts';
export { HopConfigError } from './hop/address.ts';
export type { StandaloneOptions } from './standalone.ts';

/** Makes the handler; may be called once and used for all requests. Throws HopConfigError. */
export const createNeon = (options: StandaloneOptions): EdgerestFetch =>
  createStandalone(options, ({ dbUri, sqlUrl }) => new NeonDriver({ dbUri, endpoint: sqlUrl }));
