/** Cloudflare Workers' entry: the API as a Hono app, so that others may be mounted beside it. */
import { Hono } from 'hono';
import { createEdgerest, type EdgerestFetch, HopConfigError } from '../edgerest.ts';
import { ApiError } from '../error.ts';
import { isOfSocket, poolerAddresses } from '../hop/address.ts';
import { misconfigured, respondError } from '../response/errors.ts';
import { toResponse } from './web.ts';

interface Bindings {
  /** Where the pooler is. */
  readonly EDGEREST_POOLER_URL?: string;
  /** The secret shared with it (`wrangler secret put`). */
  readonly EDGEREST_POOLER_SECRET?: string;
}

// Bindings come with the first request and stay the isolate's. The handler holds finished values only.
let handler: EdgerestFetch | null = null;

/** What Cloudflare says of the client. Elsewhere `cf` is missing, and anybody could have sent the header. */
function clientOf(request: Request): { readonly address: string | null; readonly protocol: string } {
  const cf: unknown = 'cf' in request ? request.cf : null;
  if (typeof cf !== 'object' || cf === null) return { address: null, protocol: 'HTTP/1.1' };
  const protocol = 'httpProtocol' in cf && typeof cf.httpProtocol === 'string' ? cf.httpProtocol : 'HTTP/1.1';
  return { address: request.headers.get('cf-connecting-ip'), protocol };
}

const app = new Hono<{ Bindings: Bindings }>();

/** A socket belongs to its request here: a second request could not use it. Throws HopConfigError. */
function overHttp(url: string): string {
  if (!poolerAddresses(url).some(isOfSocket)) return url;
  throw new HopConfigError('EDGEREST_POOLER_URL must begin with https:// in Workers: a socket belongs to its request.');
}

app.all('*', (c) => {
  handler ??= createEdgerest({
    url: overHttp(c.env.EDGEREST_POOLER_URL ?? ''),
    secret: c.env.EDGEREST_POOLER_SECRET ?? '',
    client: clientOf,
  });
  return handler(c.req.raw, c.executionCtx);
});

app.onError((error) => {
  console.error(error instanceof HopConfigError ? error.message : error);
  const known =
    error instanceof HopConfigError
      ? misconfigured(error.message)
      : new ApiError(500, { code: 'EDGE000', message: 'An internal error occurred' });
  return toResponse(respondError(known));
});

export default app;
