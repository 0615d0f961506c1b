/**
 * The worker as a library: a fetch handler for any runtime with Web APIs.
 *
 *     import { createEdgerest } from 'edgerest/worker';
 *     const edgerest = createEdgerest({ url: 'https://pooler.example.com', secret: process.env.EDGEREST_POOLER_SECRET });
 *     export default { fetch: (request) => edgerest(request) };
 */
import { type EdgerestFetch, fetchHandler, type HandlerOptions } from './fetch-handler.ts';
import { isOfSocket, poolerAddresses } from './hop/address.ts';
import { BalancedHop } from './hop/balanced.ts';
import { HttpHop } from './hop/http.ts';
import type { PoolerClient } from './hop/pooler-client.ts';
import { Pooler } from './hop/poolers.ts';
import { Isolate, RemoteStates } from './hop/remote-states.ts';
import { SocketHop } from './hop/socket.ts';

export type { EdgerestFetch, ExecutionContext, WorkerLog } from './fetch-handler.ts';
export { HopConfigError } from './hop/address.ts';

export interface EdgerestOptions extends HandlerOptions {
  /**
   * Where the pooler is (`EDGEREST_POOLER_URL`): https, or wss where sockets may outlive requests, and http or ws on loopback;
   * several with commas between.
   */
  readonly url: string;
  /** The secret shared with the pooler, at least 32 bytes (`EDGEREST_POOLER_SECRET`). */
  readonly secret: string;
}

/** Makes the handler; may be called once and used for all requests. Throws HopConfigError. */
export function createEdgerest(options: EdgerestOptions): EdgerestFetch {
  const { url, secret } = options;
  const poolers = poolerAddresses(url).map(
    (address, _, all) => new Pooler(poolerClient(address, secret, all.length > 1)),
  );
  const isolate = new Isolate();
  return fetchHandler(options, (waitUntil) => {
    const hop = new BalancedHop(poolers, waitUntil);
    return { hop, states: new RemoteStates(hop, isolate, waitUntil), judge: (token) => hop.judge(token) };
  });
}

const poolerClient = (url: string, secret: string, alternatives: boolean): PoolerClient =>
  isOfSocket(url) ? new SocketHop({ url, secret, alternatives }) : new HttpHop({ url, secret, alternatives });
