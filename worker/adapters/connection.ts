/** Where a request came from, as Deno and Bun say it: in what they hand to a handler beside the request. */
import { isObject } from '../../shared/json.ts';

const MAPPED_IPV4 = /^::ffff:(?=\d+\.)/;

/** An IPv4 address as such, also where a socket for both kinds has it. */
export const plainAddress = (address: string): string => address.replace(MAPPED_IPV4, '');

/** `Deno.ServeHandlerInfo` has the address. A connection by a socket file has none. */
const denoAddress = (context: object): unknown =>
  'remoteAddr' in context && isObject(context.remoteAddr) ? context.remoteAddr.hostname : null;

/** Bun's server is asked. */
function bunAddress(request: Request, context: object): unknown {
  if (!('requestIP' in context) || typeof context.requestIP !== 'function') return null;
  const found: unknown = context.requestIP(request);
  return isObject(found) ? found.address : null;
}

/** The address of the client's connection; null where the runtime does not say it. */
export function connectionAddress(request: Request, context: object | undefined): string | null {
  if (context === undefined) return null;
  const address = denoAddress(context) ?? bunAddress(request, context);
  return typeof address === 'string' ? plainAddress(address) : null;
}
