/** The arguments of `edgerest top`. */
import { StartError } from '../../start-error.ts';
import type { AdminTarget } from '../admin-target.ts';
import { UsageError } from '../arguments.ts';

export interface TopInvocation {
  readonly help: boolean;
  /** Null where the configuration says where the admin server is. */
  readonly admin: AdminTarget | null;
  /** Milliseconds between two looks. */
  readonly interval: number;
  readonly once: boolean;
  /** The configuration file. */
  readonly file: string | null;
}

/** What is written after the URL's origin would be lost: it is refused. */
function targetOf(text: string): AdminTarget {
  if (text.startsWith('unix:')) return { options: { socketPath: text.slice(5) }, name: text };
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.protocol !== 'http:' || url.pathname !== '/' || url.search !== '' || url.username !== '') {
    throw new UsageError('--admin is http://host:port or unix:/path/of/the/socket.');
  }
  return { options: { host: url.hostname.replace(/^\[(.*)\]$/, '$1'), port: url.port || 80 }, name: url.origin };
}

function intervalOf(text: string): number {
  const seconds = Number(text);
  if (text.trim() === '' || !(seconds >= 0.1 && seconds <= 3600)) {
    throw new UsageError('--interval is a number of seconds from 0.1 to 3600.');
  }
  return seconds * 1000;
}

/** Reads what follows `top`. Throws UsageError. */
export function parseTopArguments(args: readonly string[]): TopInvocation {
  let [help, once, interval] = [false, false, 2000];
  let admin: AdminTarget | null = null;
  let file: string | null = null;
  const rest = [...args];
  for (let argument = rest.shift(); argument !== undefined; argument = rest.shift()) {
    const [option = '', ...after] = argument.split('=');
    const value = (): string => {
      const given = after.length > 0 ? after.join('=') : rest.shift();
      if (given === undefined) throw new UsageError(`${option} wants a value.`);
      return given;
    };
    if (argument === '--help' || argument === '-h') help = true;
    else if (argument === '--once') once = true;
    else if (option === '--admin') admin = targetOf(value());
    else if (option === '--interval') interval = intervalOf(value());
    else if (/^-./.test(argument)) throw new UsageError(`top has no option ${argument}.`);
    else if (file === null) file = argument;
    else throw new UsageError(`there is one configuration file, ${argument} is too much.`);
  }
  return { help, admin, interval, once, file };
}

/** The one that was given, or the configuration's. Throws StartError where there is neither. */
export function wanted(given: AdminTarget | null, configured: AdminTarget | null): AdminTarget {
  const target = given ?? configured;
  if (target !== null) return target;
  throw new StartError(
    'There is no admin server to ask: set PGRST_ADMIN_SERVER_PORT for the program and for top, or give --admin http://host:port.',
  );
}
