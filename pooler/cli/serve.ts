/** `edgerest serve`: both halves in one process, the hop a function call. A drop-in for the postgrest binary. */
import { createServer, type Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Config } from '../../shared/config/resolve.ts';
import { nodeListener } from '../../worker/adapters/node.ts';
import { type Backend, handle } from '../../worker/handle.ts';
import { Draining } from '../drain.ts';
import type { Log } from '../log.ts';
import { type Pooler, startPooler } from '../start.ts';
import { VERSION } from '../version.ts';
import type { Configured } from './config.ts';
import { listen } from './listen.ts';
import { onReload } from './reload.ts';
import { DRAIN_TIMEOUT, onShutdown } from './shutdown.ts';
import { LocalStates } from './states.ts';

/** Bytes of a request's line and headers: PostgREST's server takes about as much. */
const HEADER_LIMIT = 64 * 1024;
const KEEP_ALIVE_TIMEOUT = 75_000;

/** Starts it and returns when it listens; it ends with the process. Throws StartError. */
export async function serve({ configuration, log }: Configured): Promise<void> {
  const config = configuration.current;
  log('notice', `Starting edgerest ${VERSION}`);
  const shutdown = onShutdown(log);
  const pooler = await startPooler({
    configuration,
    log,
    trust: () => ({ kind: 'process' }),
    onFatal: () => shutdown.end(1),
  });
  shutdown.add(() => pooler.close(DRAIN_TIMEOUT));
  onReload(pooler.source);
  const { server, draining } = apiServer(config, pooler, log);
  const address = await listen(server, config.serverHost, config.serverPort, 'PGRST_SERVER_PORT');
  shutdown.add(() => draining.close(DRAIN_TIMEOUT));
  log('notice', `API server listening on ${address}`);
}

function apiServer(config: Config, pooler: Pooler, log: Log): { readonly server: Server; readonly draining: Draining } {
  const backend: Backend = {
    states: new LocalStates(pooler.source),
    hop: pooler.hop,
    report: (error) =>
      log('error', `Internal error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`),
  };
  const listener = nodeListener((request, signal) => handle(request, backend, signal), {
    bodyLimit: config.maxBodySize,
    server: `edgerest/${VERSION}`,
  });
  const server = createServer(
    {
      maxHeaderSize: HEADER_LIMIT,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT,
      requireHostHeader: false,
      optimizeEmptyRequests: true, // no stream for a body that is not there
    },
    (request, response) => {
      draining.track(response);
      listener(request, response);
    },
  );
  const draining = new Draining(server);
  server.on('clientError', refuseUnparsed);
  return { server, draining };
}

/** What node:http could not read as a request. */
function refuseUnparsed(error: Error & { readonly code?: string }, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  socket.end(`HTTP/1.1 ${statusOf(error.code)}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
}

function statusOf(code: string | undefined): string {
  if (code === 'HPE_HEADER_OVERFLOW') return '431 Request Header Fields Too Large';
  return code === 'ERR_HTTP_REQUEST_TIMEOUT' ? '408 Request Timeout' : '400 Bad Request';
}
