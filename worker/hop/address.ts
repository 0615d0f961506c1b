/** Where the poolers are, and the secret that is shared with them, as the worker is told. */
import { isLoopback } from '../../shared/loopback.ts';

/** A pooler's address or the secret cannot be used. The message names neither. */
export class HopConfigError extends Error {
  override readonly name = 'HopConfigError';
}

/** How many poolers a worker may be given: more is a mistake. */
const MOST = 32;

/** By whether TLS is spoken. */
const SCHEMES: ReadonlyMap<string, boolean> = new Map([
  ['https:', true],
  ['http:', false],
  ['wss:', true],
  ['ws:', false],
]);

/** The address without a trailing slash. Without TLS the secret and the tokens could be read by anyone on the way. */
function checkedBase(url: string): string {
  if (!URL.canParse(url)) throw new HopConfigError('EDGEREST_POOLER_URL is not a URL.');
  const { protocol, hostname, host, pathname, username, search } = new URL(url);
  const isSafe = SCHEMES.get(protocol);
  if (isSafe === undefined) {
    throw new HopConfigError(
      'EDGEREST_POOLER_URL must begin with https:// or wss://, on loopback with http:// or ws://.',
    );
  }
  if (!isSafe && !isLoopback(hostname)) {
    throw new HopConfigError('EDGEREST_POOLER_URL must be https or wss, except on loopback.');
  }
  if (username !== '' || search !== '') throw new HopConfigError('EDGEREST_POOLER_URL has no place for credentials.');
  return `${protocol}//${host}${pathname.replace(/\/$/, '')}`;
}

/** The addresses in `EDGEREST_POOLER_URL`: one, or several with commas between. Throws HopConfigError. */
export function poolerAddresses(urls: string): readonly string[] {
  const addresses = urls.split(',').map((url) => checkedBase(url.trim()));
  if (addresses.length > MOST) throw new HopConfigError(`EDGEREST_POOLER_URL has more than ${MOST} addresses.`);
  return [...new Set(addresses)];
}

/** Whether an address is one of a WebSocket. */
export const isOfSocket = (address: string): boolean => address.startsWith('ws');

/** The secret as it is. Throws HopConfigError where it is too short. */
export function checkedSecret(secret: string): string {
  if (new TextEncoder().encode(secret).length >= 32) return secret;
  throw new HopConfigError('EDGEREST_POOLER_SECRET must be at least 32 bytes long.');
}
