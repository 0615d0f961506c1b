/** The configuration of this process: its file and its environment, checked. */

import type { Config } from '../../shared/config/resolve.ts';
import { Configuration } from '../config/configuration.ts';
import { createLog, type Log } from '../log.ts';
import { rolePathWarnings } from './role-path.ts';

export interface Configured {
  readonly configuration: Configuration;
  readonly log: Log;
}

/** Judges what a parameter cannot know by itself. */
function check(config: Config): { readonly errors: readonly string[]; readonly warnings: readonly string[] } {
  const { poolMin, dbPool } = config;
  const error = `EDGEREST_POOL_MIN is ${poolMin}: it must not be more than db-pool, which is ${dbPool}.`;
  return { errors: poolMin > dbPool ? [error] : [], warnings: rolePathWarnings(config) };
}

/** Reads the configuration and logs its warnings. Throws ConfigurationError with a line for everything that is wrong. */
export function configure(
  file: string | null,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Configured {
  const log = createLog(() => configuration.current.logLevel);
  const report = (message: string): void => log('notice', message);
  const configuration = new Configuration({ env, file, check, report });
  for (const warning of configuration.warnings) report(`Warning: ${warning}`);
  return { configuration, log };
}
