/** `--ready`: asks the admin server of a program that runs with this configuration whether it can serve. */
import { type RequestOptions, request } from 'node:http';
import type { Config } from '../../shared/config/resolve.ts';

/** Milliseconds for an answer. */
const PATIENCE = 10_000;

export interface Readiness {
  readonly ready: boolean;
  /** PostgREST's words. */
  readonly message: string;
}

interface Target {
  readonly options: RequestOptions;
  readonly url: string;
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

function targetOf(config: Config): Target | null {
  const { adminServerUnixSocket: socketPath, adminServerPort: port } = config;
  if (socketPath !== null) return { options: { socketPath, path: '/ready' }, url: `${socketPath}:/ready` };
  if (port === null) return null;
  const host = loopback(config.adminServerHost ?? config.serverHost);
  return {
    options: { host, port, path: '/ready' },
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}/ready`,
  };
}

/** The status of the answer; null when there is none. */
function statusOf(options: RequestOptions): Promise<number | null> {
  return new Promise((resolve) => {
    const asked = request({ ...options, timeout: PATIENCE }, (response) => {
      response.resume();
      resolve(response.statusCode ?? null);
    });
    asked.on('timeout', () => asked.destroy());
    asked.on('error', () => resolve(null));
    asked.end();
  });
}

/** Asks once. Never rejects. */
export async function checkReady(config: Config): Promise<Readiness> {
  const target = targetOf(config);
  if (target === null) {
    return { ready: false, message: 'ERROR: Admin server is not running. Please check admin-server-port config.' };
  }
  const status = await statusOf(target.options);
  if (status === null) return { ready: false, message: `ERROR: connection refused to ${target.url}` };
  const ready = status >= 200 && status < 300;
  return { ready, message: `${ready ? 'OK' : 'ERROR'}: ${target.url}` };
}
