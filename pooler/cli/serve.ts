/** `edgerest serve`: both halves in one process, the hop a function call. A drop-in for the postgrest binary. */
import { createServer, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { nodeListener } from '../../worker/adapters/node.ts';
import { type Backend, handle } from '../../worker/handle.ts';
import { Draining } from '../drain.ts';
import type { Observe } from '../observation.ts';
import type { Pooler } from '../start.ts';
import { networkOf } from '../transaction/queue-key.ts';
import { VERSION } from '../version.ts';
import { observeAnswers } from './answers.ts';
import type { Configured } from './config.ts';
import { apiPlace, listen } from './listen.ts';
import { type Program, startProgram } from './program.ts';
import { DRAIN_TIMEOUT } from './shutdown.ts';
import { LocalStates } from './states.ts';

/** Bytes of a request's line and headers: PostgREST's server takes about as much. */
const HEADER_LIMIT = 64 * 1024;
const KEEP_ALIVE_TIMEOUT = 75_000;
/** Milliseconds for the headers of a request to arrive, and for the whole of it: a client that dawdles holds its connection no longer. */
const HEADERS_TIMEOUT = 15_000;
const REQUEST_TIMEOUT = 300_000;
const TIMEOUT_PRECISION = 5000;

/** Starts it and returns when it listens; it ends with the process. Throws StartError. */
export async function serve(configured: Configured): Promise<void> {
  const program = await startProgram({ name: '', configured, trust: () => () => ({ kind: 'process' }) });
  const { config, pooler, shutdown } = program;
  const { server, draining } = apiServer(program);
  // Where another serves the same port already, it does so alone until there is something to answer with.
  if (config.serverReuseport) await loaded(pooler);
  const { address, isReachable } = await listen(server, apiPlace(config));
  shutdown.add(() => draining.close(DRAIN_TIMEOUT));
  program.opened('API server', address, isReachable);
}

/** Resolves when there is a schema cache. */
async function loaded({ source }: Pooler): Promise<void> {
  if (source.current() !== null) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const end = source.subscribe(() => resolve());
  await promise;
  end();
}

function apiServer({ config, observe, pooler, memory }: Program): {
  readonly server: Server;
  readonly draining: Draining;
} {
  const backend: Backend = {
    states: new LocalStates(pooler.source, (event) => observe({ kind: 'token', event })),
    hop: pooler.hop,
    refusal: pooler.refusal,
    report: (error) => observe({ kind: 'fault', error }),
  };
  const listener = nodeListener((request, signal, exchange) => handle(request, backend, signal, exchange), {
    bodyLimit: config.maxBodySize,
    server: `edgerest/${VERSION}`,
    observe: observeAnswers(observe),
    behindProxy: config.behindProxy,
    roomFor: (address) => memory.claim(networkOf(address) ?? ''),
  });
  const server = createServer(
    {
      maxHeaderSize: HEADER_LIMIT,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT,
      headersTimeout: HEADERS_TIMEOUT,
      requestTimeout: REQUEST_TIMEOUT,
      connectionsCheckingInterval: TIMEOUT_PRECISION,
      requireHostHeader: false,
      optimizeEmptyRequests: true, // no stream for a body that is not there
    },
    (request, response) => {
      draining.track(response);
      listener(request, response);
    },
  );
  const draining = new Draining(server);
  server.on('clientError', (error, socket) => refuseUnparsed(error, socket, draining, observe));
  return { server, draining };
}

/** What node:http could not read as a request. */
function refuseUnparsed(
  error: Error & { readonly code?: string },
  socket: Duplex,
  draining: Draining,
  observe: Observe,
): void {
  observe({ kind: 'not a request', server: 'API server', error });
  draining.refuse(error, socket, `HTTP/1.1 ${statusOf(error.code)}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
}

function statusOf(code: string | undefined): string {
  if (code === 'HPE_HEADER_OVERFLOW') return '431 Request Header Fields Too Large';
  return code === 'ERR_HTTP_REQUEST_TIMEOUT' ? '408 Request Timeout' : '400 Bad Request';
}
