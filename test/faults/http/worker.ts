/** The worker in this process, behind node:http, as somebody mounts it in a server of their own. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createEdgerest, type EdgerestFetch } from '../../../worker/edgerest.ts';
import { listening } from '../../listening.ts';

async function bodyOf(request: IncomingMessage): Promise<Uint8Array<ArrayBuffer> | null> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return chunks.length === 0 ? null : new Uint8Array(Buffer.concat(chunks));
}

async function answer(edgerest: EdgerestFetch, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const gone = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) gone.abort();
  });
  const { method = 'GET', url = '/', headers, rawHeaders } = request;
  const pairs: [string, string][] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) pairs.push([rawHeaders[i] ?? '', rawHeaders[i + 1] ?? '']);
  const asked = new Request(`http://${headers.host}${url}`, {
    method,
    headers: pairs.filter(([name]) => !/^(connection|host)$/i.test(name)),
    body: await bodyOf(request),
    signal: gone.signal,
  });
  const answered = await edgerest(asked);
  response.writeHead(answered.status, [...answered.headers].flat());
  for await (const chunk of answered.body ?? []) response.write(chunk);
  response.end();
}

/** Starts it on a port of its own, for a pooler at this address. */
export async function startNodeWorker(
  url: string,
  secret: string,
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const quiet = { access: () => undefined, diagnostic: () => undefined };
  const edgerest = createEdgerest({ url, secret, log: quiet, report: () => undefined });
  const server = createServer((request, response) => {
    answer(edgerest, request, response).catch(() => response.destroy());
  });
  const port = await listening(server);
  return {
    port,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}
