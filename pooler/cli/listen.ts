/** Opening a server's port, with refusals in plain words. */
import type { Server } from 'node:net';
import { StartError } from '../start-error.ts';

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

function explained(error: NodeJS.ErrnoException, host: string, port: number, variable: string): StartError {
  switch (error.code) {
    case 'EADDRINUSE':
      return new StartError(`port ${port} is in use: stop what uses it, or set ${variable} to another one.`);
    case 'EACCES':
      return new StartError(`port ${port} may not be opened by this user: set ${variable} to one above 1023.`);
    case 'EADDRNOTAVAIL':
    case 'EAFNOSUPPORT':
    case 'ENOTFOUND':
      return new StartError(`${host} is not an address of this machine.`);
    default:
      return new StartError(`cannot listen on ${host} port ${port}: ${error.code ?? error.message}.`);
  }
}

/** Listens, and returns where: `127.0.0.1:3000`. Throws StartError naming the variable that sets the port. */
export async function listen(server: Server, host: string, port: number, variable: string): Promise<string> {
  const address = addressOf(host);
  // Without a host Node takes IPv4 alone where the machine has no IPv6.
  const every = address.host === '::' && address.ipv6Only !== true;
  await new Promise<void>((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => reject(explained(error, host, port, variable));
    server.once('error', failed);
    server.listen({ ...(every ? {} : address), port, backlog: 1024 }, () => {
      server.off('error', failed);
      resolve();
    });
  });
  const bound = server.address();
  if (bound === null || typeof bound === 'string') return bound ?? host;
  return `${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`;
}
