/**
 * The worker as a library: a fetch handler for any runtime with Web APIs.
 *
 *     import { createEdgerest } from 'edgerest/worker';
 *     const edgerest = createEdgerest({ url: 'https://pooler.example.com', secret: process.env.EDGEREST_POOLER_SECRET });
 *     export default { fetch: (request) => edgerest(request) };
 */
import { formatTime } from '../shared/log.ts';
import { toRawRequest, toResponse } from './adapters/web.ts';
import { ApiError } from './error.ts';
import { handle } from './handle.ts';
import { isOfSocket, poolerAddresses } from './hop/address.ts';
import { BalancedHop } from './hop/balanced.ts';
import { HttpHop } from './hop/http.ts';
import type { PoolerClient } from './hop/pooler-client.ts';
import { Pooler } from './hop/poolers.ts';
import { Isolate, RemoteStates } from './hop/remote-states.ts';
import { SocketHop } from './hop/socket.ts';
import { accessLine, type Client, diagnostics, Exchange, isLogged } from './observe.ts';
import { LargeBody } from './request/body.ts';
import { headerValue } from './request/headers.ts';
import type { RawRequest } from './request/types.ts';
import { respondError } from './response/errors.ts';
import type { RawResponse } from './response/types.ts';

export { HopConfigError } from './hop/address.ts';

export interface EdgerestOptions {
  /**
   * Where the pooler is (`EDGEREST_POOLER_URL`): https, or wss where sockets may outlive requests, and http or ws on loopback;
   * several with commas between.
   */
  readonly url: string;
  /** The secret shared with the pooler, at least 32 bytes (`EDGEREST_POOLER_SECRET`). */
  readonly secret: string;
  /** The path that the API is mounted under, such as `/rest/v1`; the pooler's `EDGEREST_BASE_PATH` by default. */
  readonly basePath?: string;
  /** Told of errors that are a fault of ours; `console.error` by default. */
  readonly report?: (error: unknown) => void;
  /** Where the log goes, as the pooler's `log-level` asks for it; `consoleLog` by default. */
  readonly log?: WorkerLog;
  /** The address and the protocol that a request came by, for the access log and the pooler's queue. They are unknown by default. */
  readonly client?: (request: Request) => { readonly address: string | null; readonly protocol: string };
}

export interface WorkerLog {
  /** A line of the access log. */
  access(line: string): void;
  /** Anything else. */
  diagnostic(line: string): void;
}

/** To where the runtime collects what is written to the console. */
const consoleLog: WorkerLog = {
  access: (line) => console.log(line),
  diagnostic: (line) => console.error(line),
};

/** The part of a runtime's execution context that is used: work that outlives the response. */
export interface ExecutionContext {
  waitUntil(work: Promise<unknown>): void;
}

export type EdgerestFetch = (request: Request, context?: ExecutionContext) => Promise<Response>;

/** Makes the handler; may be called once and used for all requests. Throws HopConfigError. */
export function createEdgerest(options: EdgerestOptions): EdgerestFetch {
  const { url, secret, report, log = consoleLog } = options;
  const basePath = options.basePath?.replace(/\/+$/, '');
  const poolers = poolerAddresses(url).map((address) => new Pooler(poolerClient(address, secret)));
  const isolate = new Isolate();
  const tell = report ?? ((error: unknown) => console.error(error));
  return async (request, context) => {
    const waitUntil = (work: Promise<unknown>): void => context?.waitUntil(work);
    const transport = options.client?.(request);
    const hop = new BalancedHop(poolers, waitUntil);
    const states = new RemoteStates(hop, isolate, waitUntil);
    const backend = { states, hop, report: tell, ...(basePath === undefined ? {} : { basePath }) };
    let raw: RawRequest;
    try {
      raw = { ...(await toRawRequest(request)), address: transport?.address ?? null };
    } catch (error) {
      // Usually the client has gone while it was sending.
      if (error instanceof ApiError) return toResponse(respondError(error), request.method);
      throw error;
    }
    const exchange = new Exchange();
    const answer = await handle(raw, backend, request.signal ?? null, exchange);
    writeLog(log, exchange, answer, () => clientOf(raw, transport));
    // A client that is still sending may not be reading yet.
    if (raw.body instanceof LargeBody) await raw.body.discard();
    return toResponse(answer, request.method);
  };
}

const poolerClient = (url: string, secret: string): PoolerClient =>
  isOfSocket(url) ? new SocketHop({ url, secret }) : new HttpHop({ url, secret });

function clientOf(
  raw: RawRequest,
  transport: { readonly address: string | null; readonly protocol: string } | undefined,
): Client {
  return {
    address: transport?.address ?? null,
    method: raw.method,
    target: raw.target,
    protocol: transport?.protocol ?? 'HTTP/1.1',
    referer: headerValue(raw.headers, 'referer') ?? undefined,
    userAgent: headerValue(raw.headers, 'user-agent') ?? undefined,
  };
}

function writeLog(log: WorkerLog, exchange: Exchange, answer: RawResponse, clientOf: () => Client): void {
  if (exchange.legacyNames.length === 0 && exchange.failure === null && !isLogged(answer, exchange)) return;
  const client = clientOf();
  const time = new Date();
  for (const line of diagnostics(client, answer, exchange)) log.diagnostic(`${formatTime(time)}: ${line}`);
  if (isLogged(answer, exchange)) log.access(accessLine(client, answer, exchange, time));
}
