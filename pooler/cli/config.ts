/** The configuration of this process: its environment, checked. */
import { readFileSync } from 'node:fs';
import { type Config, resolveConfig } from '../../shared/config/resolve.ts';
import { parseRolePath } from '../../worker/auth/role-path.ts';
import { createLog, type Log } from '../log.ts';
import { StartError } from '../start.ts';

export interface Configured {
  readonly config: Config;
  readonly log: Log;
}

/** Resolves the configuration and logs its warnings. Throws StartError with a line for everything that is wrong. */
export function configure(env: Readonly<Record<string, string | undefined>> = process.env): Configured {
  const { config, warnings, errors } = resolveConfig({ env, readFile: (path) => readFileSync(path, 'utf8') });
  if (config === null) throw new StartError(errors.join('\n'));
  if (parseRolePath(config.jwtRoleClaimKey) === null) {
    throw new StartError(
      `jwt-role-claim-key is ${JSON.stringify(config.jwtRoleClaimKey)}: it must be a path like $.role.`,
    );
  }
  const log = createLog(config.logLevel);
  for (const warning of warnings) log('notice', `Warning: ${warning}`);
  return { config, log };
}
