/** A postgres.js client of one connection, made from our own reading of the connection string. */
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import postgres, { type Sql } from 'postgres';
import type { ConnectionConfig, Endpoint, TlsConfig } from '../wire/config.ts';

export interface ClientHooks {
  readonly onNotification?: (channel: string, payload: string) => void;
  /** The connection is gone, for whatever reason. */
  readonly onClose?: () => void;
}

/** What postgres.js takes without its types' saying so. */
interface Internals {
  readonly socket: () => Promise<Socket>;
  readonly onnotify?: (channel: string, payload: string) => void;
}

const DEFAULT_CONNECT_TIMEOUT = 30_000;

function open(endpoint: Endpoint, timeout: number): Promise<Socket> {
  const socket =
    endpoint.kind === 'unix'
      ? connect({ path: endpoint.path })
      : connect({ host: endpoint.address ?? endpoint.host, port: endpoint.port });
  return new Promise((resolve, reject) => {
    socket.setTimeout(timeout, () =>
      socket.destroy(new Error('the database server did not accept the connection in time')),
    );
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.setTimeout(0);
      socket.removeListener('error', reject);
      resolve(socket);
    });
  });
}

interface Sockets {
  readonly next: () => Promise<Socket>;
  /** The name of the server that the last socket leads to. */
  readonly host: () => string;
}

/**
 * Gives a socket to the next endpoint that can be reached, each endpoint once, then throws. postgres.js asks again at
 * once, and for ever, where a server accepts and closes without a word; a client of ours is for one connection.
 */
function sockets(endpoints: readonly Endpoint[], timeout: number): Sockets {
  const remaining = endpoints.values();
  let last: unknown = new Error('the database server closed the connection');
  let host = '';
  const next = async (): Promise<Socket> => {
    for (const endpoint of remaining) {
      try {
        const socket = await open(endpoint, timeout);
        if (endpoint.kind === 'unix') return socket;
        host = endpoint.host;
        // postgres.js names the server in TLS and in messages by these
        return Object.assign(socket, { host: endpoint.host, port: endpoint.port });
      } catch (error) {
        // of a name with several addresses: an error for each, and no message
        last = error instanceof AggregateError ? error.errors[0] : error;
      }
    }
    throw last;
  };
  return { next, host: () => host };
}

function tls(config: TlsConfig, host: () => string): 'prefer' | object | false {
  const file = (path: string): Buffer => readFileSync(path);
  const root = config.rootCertificate === 'system' ? null : config.rootCertificate;
  // postgres.js does not bind to the channel: a certificate that is checked wholly has to do instead
  const mode = config.channelBinding === 'require' ? 'verify-full' : config.mode;
  switch (mode) {
    case 'disable':
      return false;
    case 'allow':
    case 'prefer':
      return 'prefer';
    case 'require':
    case 'verify-ca':
    case 'verify-full':
      return {
        minVersion: config.minimumVersion,
        // as libpq: a root certificate that is given is used even where the mode does not ask for it
        rejectUnauthorized: mode !== 'require' || root !== null,
        ...(root === null ? {} : { ca: file(root) }),
        ...(config.certificate === null ? {} : { cert: file(config.certificate) }),
        ...(config.key === null ? {} : { key: file(config.key) }),
        // Node would check the certificate of a server known by its address for `localhost`: postgres.js gives it no name
        checkServerIdentity: (_: string, certificate: PeerCertificate) =>
          mode === 'verify-full' ? checkServerIdentity(host(), certificate) : undefined,
      };
  }
  return mode satisfies never;
}

const isSupportedTarget = (
  target: string,
): target is 'read-write' | 'read-only' | 'primary' | 'standby' | 'prefer-standby' => target !== 'any';

/**
 * Makes a client with at most one connection, opened with its first query and never again. `target` overrides the
 * configuration's target_session_attrs; it is a choice among several hosts only.
 */
export function singleConnection(
  config: ConnectionConfig,
  hooks: ClientHooks = {},
  target: ConnectionConfig['targetSession'] = config.targetSession,
): Sql {
  const timeout = config.connectTimeout || DEFAULT_CONNECT_TIMEOUT;
  const { onNotification, onClose } = hooks;
  const { next, host } = sockets(config.endpoints, timeout);
  const options: postgres.Options<Record<string, never>> & Internals = {
    // only the number of hosts and their names in error messages matter: the sockets are ours
    host: config.endpoints.map((e) => (e.kind === 'tcp' && !e.host.includes(':') ? e.host : 'localhost')).join(),
    user: config.user,
    password: () => config.password?.reveal() ?? '',
    database: config.database,
    ssl: config.endpoints.every((e) => e.kind === 'unix') ? false : tls(config.tls, host),
    socket: next,
    max: 1,
    connect_timeout: Math.ceil(timeout / 1000),
    max_lifetime: null,
    fetch_types: false,
    connection: {
      application_name: config.applicationName ?? 'edgerest',
      ...(config.options === null ? {} : { options: config.options }),
    },
    ...(config.endpoints.length > 1 && isSupportedTarget(target) ? { target_session_attrs: target } : {}),
    onnotice: () => undefined,
    ...(onNotification ? { onnotify: onNotification } : {}),
    ...(onClose ? { onclose: () => onClose() } : {}),
  };
  return postgres(options);
}
