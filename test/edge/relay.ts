/** Between the worker and the pooler: passes everything on and counts it. */
import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import { listening } from '../listening.ts';

export interface Relay {
  readonly url: string;
  /** How often each was asked for, as `GET /v1/snapshot`. */
  readonly counts: ReadonlyMap<string, number>;
  close(): Promise<void>;
}

export async function startRelay(target: string): Promise<Relay> {
  const counts = new Map<string, number>();
  const server = createServer((incoming, outgoing) => {
    const what = `${incoming.method} ${incoming.url}`;
    counts.set(what, (counts.get(what) ?? 0) + 1);
    const { method = 'GET', headers } = incoming;
    const onward = request(new URL(incoming.url ?? '/', target), { method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      answer.pipe(outgoing);
    });
    onward.on('error', () => outgoing.destroy());
    outgoing.on('close', () => onward.destroy());
    incoming.pipe(onward);
  });
  return { url: `http://127.0.0.1:${await listening(server)}`, counts, close: () => closed(server) };
}

async function closed(server: Server): Promise<void> {
  server.close();
  server.closeAllConnections();
  await once(server, 'close');
}
