/** The configuration of this process: its file and its environment, checked. */
import { Configuration } from '../config/configuration.ts';
import { createLog, type Log } from '../log.ts';
import { checkRolePath } from './role-path.ts';

export interface Configured {
  readonly configuration: Configuration;
  readonly log: Log;
}

/** Reads the configuration and logs its warnings. Throws ConfigurationError with a line for everything that is wrong. */
export function configure(
  file: string | null,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Configured {
  const log = createLog(() => configuration.current.logLevel);
  const report = (message: string): void => log('notice', message);
  const configuration = new Configuration({ env, file, check: checkRolePath, report });
  for (const warning of configuration.warnings) report(`Warning: ${warning}`);
  return { configuration, log };
}
