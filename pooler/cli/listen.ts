/** Opening the place where a server is reached, with refusals in plain words. */
import type { Server } from 'node:net';
import type { Config } from '../../shared/config/resolve.ts';
import { StartError } from '../start-error.ts';
import { placeSocket, type SocketFile, stagedSocket } from './socket-file.ts';

/** A port or a socket file. `variable`: what sets it, for refusals. */
export type Place =
  | {
      readonly kind: 'tcp';
      readonly host: string;
      readonly port: number;
      readonly variable: string;
      /** Whether others may listen there as well. */
      readonly shared?: boolean;
    }
  | { readonly kind: 'unix'; readonly path: string; readonly mode: number; readonly variable: string };

export interface Listening {
  /** `127.0.0.1:3000`, or a path. */
  readonly address: string;
  /** Whether clients can get here: until it is closed, and while its file is there. */
  isReachable(): boolean;
}

/** Where the API is: the socket file, where there is one, else the port. */
export function apiPlace(config: Config): Place {
  const { serverUnixSocket: path, serverUnixSocketMode: mode } = config;
  if (path !== null) return { kind: 'unix', path, mode, variable: 'PGRST_SERVER_UNIX_SOCKET' };
  const { serverHost: host, serverPort: port, serverReuseport: shared } = config;
  return { kind: 'tcp', host, port, shared, variable: 'PGRST_SERVER_PORT' };
}

/** Where the admin server is; null without one. */
export function adminPlace(config: Config): Place | null {
  const { adminServerUnixSocket: path, adminServerUnixSocketMode: mode, adminServerPort: port } = config;
  if (path !== null) return { kind: 'unix', path, mode, variable: 'PGRST_ADMIN_SERVER_UNIX_SOCKET' };
  if (port === null) return null;
  const host = config.adminServerHost ?? config.serverHost;
  return { kind: 'tcp', host, port, variable: 'PGRST_ADMIN_SERVER_PORT' };
}

interface Address {
  readonly host: string;
  readonly ipv6Only?: boolean;
}

/** `server-host`: an address or a name, or one of PostgREST's words for all addresses of a kind. */
export function addressOf(host: string): Address {
  switch (host) {
    case '!4':
    case '*4':
      return { host: '0.0.0.0' };
    case '*':
    case '*6':
      return { host: '::' };
    case '!6':
      return { host: '::', ipv6Only: true };
    default:
      return { host: host.replace(/^\[(.*)\]$/, '$1') };
  }
}

function explained(error: NodeJS.ErrnoException, place: Place): StartError {
  if (place.kind === 'unix') {
    return new StartError(`${place.variable} is ${place.path}: cannot listen there (${error.code ?? error.message}).`);
  }
  const { host, port, variable } = place;
  switch (error.code) {
    case 'EADDRINUSE':
      return new StartError(`port ${port} is in use: stop what uses it, or set ${variable} to another one.`);
    case 'EACCES':
      return new StartError(`port ${port} may not be opened by this user: set ${variable} to one above 1023.`);
    case 'EADDRNOTAVAIL':
    case 'EAFNOSUPPORT':
    case 'ENOTFOUND':
      return new StartError(`${host} is not an address of this machine.`);
    case 'ENOTSUP':
      return new StartError('PGRST_SERVER_REUSEPORT is set: this system has no ports that are shared (SO_REUSEPORT).');
    default:
      return new StartError(`cannot listen on ${host} port ${port}: ${error.code ?? error.message}.`);
  }
}

/** As many connections as PostgREST lets wait to be accepted. */
const BACKLOG = 2048;

function optionsOf(place: Place & { readonly kind: 'tcp' }): object {
  const address = addressOf(place.host);
  // Without a host Node takes IPv4 alone where the machine has no IPv6.
  const every = address.host === '::' && address.ipv6Only !== true;
  return { ...(every ? {} : address), port: place.port, backlog: BACKLOG, reusePort: place.shared === true };
}

async function open(server: Server, options: object, place: Place): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => reject(explained(error, place));
    server.once('error', failed);
    server.listen(options, () => {
      server.off('error', failed);
      resolve();
    });
  });
}

/** Listens. Throws StartError naming the variable that sets the place. */
export async function listen(server: Server, place: Place): Promise<Listening> {
  if (place.kind === 'unix') return await listenOnFile(server, place);
  await open(server, optionsOf(place), place);
  const bound = server.address();
  const address =
    bound === null || typeof bound === 'string'
      ? place.host
      : `${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`;
  return { address, isReachable: () => server.listening };
}

async function listenOnFile(server: Server, place: Place & { readonly kind: 'unix' }): Promise<Listening> {
  const staged = stagedSocket(place);
  await open(server, { path: staged, backlog: BACKLOG }, place);
  const file: SocketFile = placeSocket(staged, place);
  server.once('close', () => file.remove());
  return { address: place.path, isReachable: () => server.listening && file.isThere() };
}
