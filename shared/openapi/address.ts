/** Where clients find the API: what the document says of host, base path and scheme. */
import type { Config } from '../config/resolve.ts';

export interface Address {
  readonly scheme: 'http' | 'https';
  /** `host:port` */
  readonly host: string;
  readonly basePath: string;
}

/** The names for all addresses are none that a client could use. */
const ALL_ADDRESSES: ReadonlySet<string> = new Set(['*', '*4', '!4', '*6', '!6']);

/**
 * `openapi-server-proxy-uri`, where it is set: its parts as they are written. Otherwise what the server listens on, which
 * behind a proxy, and for a worker that is elsewhere, is not where its clients find it.
 */
export function addressOf(config: Pick<Config, 'openapiServerProxyUri' | 'serverHost' | 'serverPort'>): Address {
  const proxy = /^(https?):\/\/([^/]*?)(?::(\d*))?(\/.*)?$/is.exec(config.openapiServerProxyUri ?? '');
  if (proxy === null) {
    const host = ALL_ADDRESSES.has(config.serverHost) ? '0.0.0.0' : config.serverHost;
    return { scheme: 'http', host: `${host}:${config.serverPort}`, basePath: '/' };
  }
  const [, schemeText = '', host = '', portText, path] = proxy;
  const scheme = schemeText.toLowerCase() === 'https' ? 'https' : 'http';
  const port = portText === undefined ? (scheme === 'https' ? 443 : 80) : Number(portText) || 80;
  return { scheme, host: `${host}:${port}`, basePath: path ?? '/' };
}
