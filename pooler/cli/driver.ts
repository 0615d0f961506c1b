/** Opening the driver's door, in whichever program it is asked for. */
import type { IncomingMessage } from 'node:http';
import type { Config } from '../../shared/config/resolve.ts';
import { clientAddress } from '../../worker/adapters/node.ts';
import { Changes } from '../driver/changes.ts';
import { Logins } from '../driver/logins.ts';
import { DriverServer } from '../driver/server.ts';
import { DriverSockets } from '../driver/sockets.ts';
import { SqlEndpoint } from '../driver/sql.ts';
import { Targets } from '../driver/targets.ts';
import type { Observe } from '../observation.ts';
import { connectionConfig, type Pooler, reserveOf } from '../start.ts';
import { networkOf } from '../transaction/queue-key.ts';
import { certificate, checkReach, type KeyPair, usable } from './door.ts';
import { listen } from './listen.ts';
import { DRAIN_TIMEOUT, type Shutdown } from './shutdown.ts';

/** What the driver's door is made of, checked before anything starts. */
export interface DriverDoor {
  readonly host: string;
  readonly port: number;
  readonly tls: KeyPair | null;
}

/** Null where the door stays closed. Throws StartError: no TLS beyond loopback, an unreadable certificate. */
export function checkDriverDoor(config: Config): DriverDoor | null {
  const { driverHost: host, driverPort: port } = config;
  if (port === null) return null;
  const tls = certificate(config);
  checkReach('EDGEREST_DRIVER_HOST', host, tls, config);
  return { host, port, tls };
}

/** Opens it; it closes with the program. Throws StartError when the port cannot be had. */
export async function openDriverDoor(
  { host, port, tls }: DriverDoor,
  config: Config,
  { pool, source }: Pooler,
  observe: Observe,
  shutdown: Shutdown,
): Promise<void> {
  const connection = connectionConfig(config);
  const logins = new Logins({
    pool,
    size: config.dbPool,
    targets: new Targets(connection, config.driverTargets, config.driverDatabases),
    connection,
    onRefused: ({ user, database }, reason) =>
      observe({ kind: 'driver', event: { type: 'login refused', user, database, reason } }),
  });
  const from = (request: IncomingMessage): string => networkOf(clientAddress(request, config.behindProxy)) ?? '';
  const changes = new Changes();
  const sql = new SqlEndpoint({
    logins,
    changes,
    networkOf: from,
    maxRequest: config.maxBodySize,
    maxResponse: config.driverMaxResponseSize,
    maxBuffered: config.driverMaxBuffered,
    alwaysResets: () => (source.current()?.config ?? config).sessionReset === 'full',
    onAnswer: (status, error) => {
      observe({ kind: 'driver', event: { type: 'answered', status } });
      if (error !== null) observe({ kind: 'fault', error });
    },
  });
  const sockets = new DriverSockets({
    pool,
    logins,
    changes,
    networkOf: from,
    addressed: config.driverTargets.length > 0,
    maxSockets: config.driverMaxSockets,
    maxPinned: config.driverMaxPinned ?? Math.floor((config.dbPool - reserveOf(config)) / 2),
    maxBuffered: config.driverMaxBuffered,
    idleTransaction: config.driverIdleTransaction * 1000,
    checkReads: () => (source.current()?.config ?? config).sessionReset === 'full',
    maxMessage: config.maxBodySize,
    onFault: (error) => observe({ kind: 'fault', error }),
  });
  const server = usable(() => new DriverServer({ sql, sockets, tls }));
  const { address } = await listen(server.server, { kind: 'tcp', host, port, variable: 'EDGEREST_DRIVER_PORT' });
  shutdown.add(() => server.close(DRAIN_TIMEOUT));
  observe({ kind: 'listening', server: 'Driver endpoint', address });
}
