/** A fetch handler around the core, whatever it is answered from. */
import { formatTime } from '../shared/log.ts';
import { connectionAddress } from './adapters/connection.ts';
import { toRawRequest, toResponse } from './adapters/web.ts';
import { ApiError } from './error.ts';
import { type Backend, handle } from './handle.ts';
import { accessLine, type Client, diagnostics, Exchange, isLogged } from './observe.ts';
import { LargeBody } from './request/body.ts';
import { headerValue } from './request/headers.ts';
import type { RawRequest } from './request/types.ts';
import { respondError } from './response/errors.ts';
import type { RawResponse } from './response/types.ts';

export interface HandlerOptions {
  /** The path that the API is mounted under, such as `/rest/v1`; the pooler's `EDGEREST_BASE_PATH` by default. */
  readonly basePath?: string;
  /** Told of errors that are a fault of ours; `console.error` by default. */
  readonly report?: (error: unknown) => void;
  /** Where the log goes, as the pooler's `log-level` asks for it; `consoleLog` by default. */
  readonly log?: WorkerLog;
  /**
   * The address and the protocol that a request came by, for the access log and the pooler's queue. By default the address is that
   * of the connection where the context says it, as in Deno and Bun, and otherwise unknown.
   */
  readonly client?: (
    request: Request,
    context?: object,
  ) => { readonly address: string | null; readonly protocol: string };
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

/**
 * Answers a request. The context is what the runtime hands to a handler beside it: Workers' execution context, Deno's `info`, Bun's
 * server; one that says nothing of use is none.
 */
export type EdgerestFetch = (request: Request, context?: object) => Promise<Response>;

const isExecutionContext = (context: object | undefined): context is ExecutionContext =>
  context !== undefined && 'waitUntil' in context && typeof context.waitUntil === 'function';

const connectionClient: NonNullable<HandlerOptions['client']> = (request, context) => ({
  address: connectionAddress(request, context),
  protocol: 'HTTP/1.1',
});

/** `backendOf` gives what a request is answered from; background work goes through `waitUntil`. */
export function fetchHandler(
  options: HandlerOptions,
  backendOf: (waitUntil: (work: Promise<unknown>) => void) => Pick<Backend, 'hop' | 'states' | 'judge'>,
): EdgerestFetch {
  const { report = (error: unknown) => console.error(error), log = consoleLog, client = connectionClient } = options;
  const basePath = options.basePath?.replace(/\/+$/, '');
  return async (request, context) => {
    const transport = client(request, context);
    const parts = backendOf((work) => {
      if (isExecutionContext(context)) context.waitUntil(work);
    });
    const backend = { ...parts, report, ...(basePath === undefined ? {} : { basePath }) };
    let raw: RawRequest;
    try {
      raw = { ...(await toRawRequest(request)), address: transport.address };
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

function clientOf(
  raw: RawRequest,
  { address, protocol }: { readonly address: string | null; readonly protocol: string },
): Client {
  return {
    address,
    method: raw.method,
    target: raw.target,
    protocol,
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
