/**
 * The worker as a library: a fetch handler for any runtime with Web APIs.
 *
 *     import { createEdgerest } from 'edgerest/worker';
 *     const edgerest = createEdgerest({ url: 'https://pooler.example.com', secret: process.env.EDGEREST_POOLER_SECRET });
 *     export default { fetch: (request) => edgerest(request) };
 */
import { toRawRequest, toResponse } from './adapters/web.ts';
import { ApiError } from './error.ts';
import { handle } from './handle.ts';
import { HttpHop } from './hop/http.ts';
import { Isolate, RemoteStates } from './hop/remote-states.ts';
import { LargeBody } from './request/body.ts';
import type { RawRequest } from './request/types.ts';
import { respondError } from './response/errors.ts';

export { HopConfigError } from './hop/http.ts';

export interface EdgerestOptions {
  /** Where the pooler is: https, or http on loopback (`EDGEREST_POOLER_URL`). */
  readonly url: string;
  /** The secret shared with the pooler, at least 32 bytes (`EDGEREST_POOLER_SECRET`). */
  readonly secret: string;
  /** The path that the API is mounted under, such as `/rest/v1`; none by default. */
  readonly basePath?: string;
  /** Told of errors that are a fault of ours; `console.error` by default. */
  readonly report?: (error: unknown) => void;
}

/** The part of a runtime's execution context that is used: work that outlives the response. */
export interface ExecutionContext {
  waitUntil(work: Promise<unknown>): void;
}

export type EdgerestFetch = (request: Request, context?: ExecutionContext) => Promise<Response>;

/** Makes the handler; may be called once and used for all requests. Throws HopConfigError. */
export function createEdgerest({ url, secret, basePath = '', report }: EdgerestOptions): EdgerestFetch {
  const hop = new HttpHop({ url, secret });
  const isolate = new Isolate();
  const tell = report ?? ((error: unknown) => console.error(error));
  return async (request, context) => {
    const waitUntil = (work: Promise<unknown>): void => context?.waitUntil(work);
    const backend = { states: new RemoteStates(hop, isolate, waitUntil), hop, report: tell };
    let raw: RawRequest;
    try {
      raw = await toRawRequest(request, basePath);
    } catch (error) {
      // Usually the client has gone while it was sending.
      if (error instanceof ApiError) return toResponse(respondError(error), request.method);
      throw error;
    }
    const answer = await handle(raw, backend, request.signal ?? null);
    // A client that is still sending may not be reading yet.
    if (raw.body instanceof LargeBody) await raw.body.discard();
    return toResponse(answer, request.method);
  };
}
