/** Cloudflare Workers' entry for a worker that has a pooler. */
import { createEdgerest, HopConfigError } from '../edgerest.ts';
import { isOfSocket, poolerAddresses } from '../hop/address.ts';
import { clientOf, cloudflareApp } from './cloudflare.ts';

interface Bindings {
  /** Where the pooler is. */
  readonly EDGEREST_POOLER_URL?: string;
  /** The secret shared with it (`wrangler secret put`). */
  readonly EDGEREST_POOLER_SECRET?: string;
}

/** A socket belongs to its request here: a second request could not use it. Throws HopConfigError. */
function overHttp(url: string): string {
  if (!poolerAddresses(url).some(isOfSocket)) return url;
  throw new HopConfigError('EDGEREST_POOLER_URL must begin with https:// in Workers: a socket belongs to its request.');
}

export default cloudflareApp<Bindings>(({ EDGEREST_POOLER_URL, EDGEREST_POOLER_SECRET }) =>
  createEdgerest({
    url: overHttp(EDGEREST_POOLER_URL ?? ''),
    secret: EDGEREST_POOLER_SECRET ?? '',
    client: clientOf,
  }),
);
