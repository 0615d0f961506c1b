import { type ConnectionConfig, type ConnectionOptions, connect } from '../wire/index.ts';
import { Pool } from './pool.ts';
import type { PoolOptions } from './types.ts';

/** libpq waits for ever unless told otherwise; a pool has others waiting for the outcome. */
const defaultConnectTimeout = 10_000;

/** A pool of connections to the database that the configuration names. */
export function createPool(
  config: ConnectionConfig,
  options: Omit<PoolOptions, 'connect'>,
  connectionOptions: ConnectionOptions = {},
): Pool {
  const limited = { ...config, connectTimeout: config.connectTimeout || defaultConnectTimeout };
  return new Pool({ ...options, connect: () => connect(limited, connectionOptions) });
}
