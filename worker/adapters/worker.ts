/** Cloudflare Workers' entry: the API as a Hono app, so that others may be mounted beside it. */
import { Hono } from 'hono';
import { createEdgerest, type EdgerestFetch, HopConfigError } from '../edgerest.ts';
import { ApiError } from '../error.ts';
import { respondError } from '../response/errors.ts';
import { toResponse } from './web.ts';

interface Bindings {
  /** Where the pooler is. */
  readonly EDGEREST_POOLER_URL?: string;
  /** The secret shared with it (`wrangler secret put`). */
  readonly EDGEREST_POOLER_SECRET?: string;
}

// Bindings come with the first request and stay the isolate's. The handler holds finished values only.
let handler: EdgerestFetch | null = null;

const app = new Hono<{ Bindings: Bindings }>();

app.all('*', (c) => {
  handler ??= createEdgerest({ url: c.env.EDGEREST_POOLER_URL ?? '', secret: c.env.EDGEREST_POOLER_SECRET ?? '' });
  return handler(c.req.raw, c.executionCtx);
});

app.onError((error) => {
  console.error(error);
  const message = error instanceof HopConfigError ? error.message : 'An internal error occurred';
  return toResponse(respondError(new ApiError(500, { code: 'EDGE000', message })));
});

export default app;
