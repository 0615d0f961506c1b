import type { ConnectionConfig, Endpoint } from '../wire/index.ts';
import { driverError } from './errors.ts';

/** A server that clients may reach. */
export interface Target {
  readonly name: string;
  readonly endpoints: readonly Endpoint[];
}

/** `name=host:port`, its name and its port optional, as the configuration has checked it. */
const TARGET = /^(?:([^=]+)=)?(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/;
const DEFAULT_PORT = 5432;

function readTarget(text: string): readonly [key: string, target: Target] {
  const [, name, v6, plain = '', digits] = TARGET.exec(text) ?? [];
  const host = (v6 ?? plain).toLowerCase();
  const port = Number(digits ?? DEFAULT_PORT);
  const key = name?.toLowerCase() ?? `${host}:${port}`;
  return [key, { name: key, endpoints: [{ kind: 'tcp', host, address: null, port }] }];
}

/** Which servers and databases may be reached: one server, or those on a list; never what the client says. */
export class Targets {
  readonly #only: Target | null;
  readonly #listed: ReadonlyMap<string, Target>;
  readonly #databases: ReadonlySet<string> | null;

  /** `own`: the server of db-uri, where no list is given. Without `databases` the server says who may connect to which. */
  constructor(own: ConnectionConfig, list: readonly string[], databases: readonly string[]) {
    this.#only = list.length === 0 ? { name: '', endpoints: own.endpoints } : null;
    this.#listed = new Map(list.map(readTarget));
    this.#databases = databases.length === 0 ? null : new Set(databases);
  }

  /**
   * The server that a client means. Where there is one it is meant whatever the client calls it: the host in its connection string is
   * then the door's own name. Throws a DriverError.
   */
  find(host: string, port: number): Target {
    const bare = host.replace(/^\[(.*)\]$/, '$1');
    const found = this.#only ?? this.#listed.get(`${bare}:${port}`) ?? this.#listed.get(bare);
    if (found !== undefined) return found;
    throw driverError('08004', `no way leads from here to the host "${bare}", port ${port}`, {
      severity: 'FATAL',
      hint: 'Use a host that EDGEREST_DRIVER_TARGETS of the pooler names.',
    });
  }

  /** Throws a DriverError for a database that is not on the list, where there is one. */
  check(database: string): void {
    if (this.#databases === null || this.#databases.has(database)) return;
    throw driverError('3D000', `no way leads from here to the database "${database}"`, {
      severity: 'FATAL',
      hint: 'Use a database that EDGEREST_DRIVER_DATABASES of the pooler names.',
    });
  }
}
