/** A handler as a Hono app for Cloudflare Workers, so that others may be mounted beside it. */
import { Hono } from 'hono';
import { ApiError } from '../error.ts';
import type { EdgerestFetch, HandlerOptions } from '../fetch-handler.ts';
import { HopConfigError } from '../hop/address.ts';
import { misconfigured, respondError } from '../response/errors.ts';
import { toResponse } from './web.ts';

/** What Cloudflare says of the client. Elsewhere `cf` is missing, and anybody could have sent the header. */
export const clientOf: NonNullable<HandlerOptions['client']> = (request) => {
  const cf: unknown = 'cf' in request ? request.cf : null;
  if (typeof cf !== 'object' || cf === null) return { address: null, protocol: 'HTTP/1.1' };
  const protocol = 'httpProtocol' in cf && typeof cf.httpProtocol === 'string' ? cf.httpProtocol : 'HTTP/1.1';
  return { address: request.headers.get('cf-connecting-ip'), protocol };
};

/** `create` makes the handler of the bindings, which come with the first request and stay the isolate's. */
export function cloudflareApp<Bindings extends object>(
  create: (bindings: Bindings) => EdgerestFetch,
): Hono<{ Bindings: Bindings }> {
  // It holds finished values only.
  let handler: EdgerestFetch | null = null;
  const app = new Hono<{ Bindings: Bindings }>();
  app.all('*', (c) => {
    handler ??= create(c.env);
    return handler(c.req.raw, c.executionCtx);
  });
  app.onError((error) => {
    console.error(error instanceof HopConfigError ? error.message : error);
    return toResponse(respondError(answerOf(error)));
  });
  return app;
}

const answerOf = (error: Error): ApiError =>
  error instanceof HopConfigError
    ? misconfigured(error.message)
    : new ApiError(500, { code: 'EDGE000', message: 'An internal error occurred' });
