/** A Durable Object that answers with the API: there a socket outlives the request that opened it. */
import { createEdgerest, type EdgerestFetch } from '../../worker/edgerest.ts';

interface Bindings {
  readonly EDGEREST_POOLER_URL: string;
  readonly EDGEREST_POOLER_SECRET: string;
}

export class Api {
  readonly #edgerest: EdgerestFetch;

  constructor(_state: unknown, env: Bindings) {
    this.#edgerest = createEdgerest({ url: env.EDGEREST_POOLER_URL, secret: env.EDGEREST_POOLER_SECRET });
  }

  fetch(request: Request): Promise<Response> {
    return this.#edgerest(request);
  }
}

interface Namespace {
  idFromName(name: string): unknown;
  get(id: unknown): { fetch(request: Request): Promise<Response> };
}

export default {
  fetch: (request: Request, { API }: { readonly API: Namespace }): Promise<Response> =>
    API.get(API.idFromName('the only one')).fetch(request),
};
