/** Where the admin server of a program is that runs with a configuration, for those who ask it something. */
import { type IncomingMessage, type RequestOptions, request } from 'node:http';
import type { Config } from '../../shared/config/resolve.ts';

export interface AdminTarget {
  readonly options: RequestOptions;
  /** As people read it, without a path. */
  readonly name: string;
}

/** The address of this machine that is certain to lead to a server that listens on these. */
function loopback(host: string): string {
  switch (host) {
    case '*':
    case '*4':
    case '!4':
    case '*6':
      return '127.0.0.1';
    case '!6':
      return '::1';
    default:
      return host.replace(/^\[(.*)\]$/, '$1');
  }
}

/** Null where the configuration has none. */
export function adminTarget(config: Config): AdminTarget | null {
  const { adminServerUnixSocket: socketPath, adminServerPort: port } = config;
  if (socketPath !== null) return { options: { socketPath }, name: `${socketPath}:` };
  if (port === null) return null;
  const host = loopback(config.adminServerHost ?? config.serverHost);
  return { options: { host, port }, name: `http://${host.includes(':') ? `[${host}]` : host}:${port}` };
}

/** Asks for a path. Resolves with the answer when its head is there, with null when there is none in time (milliseconds). */
export function askAdmin(target: AdminTarget, path: string, timeout: number): Promise<IncomingMessage | null> {
  return new Promise((resolve) => {
    const asked = request({ ...target.options, path, timeout, agent: false }, resolve);
    asked.on('timeout', () => asked.destroy());
    asked.on('error', () => resolve(null));
    asked.end();
  });
}
