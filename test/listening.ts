import { once } from 'node:events';
import type { Server } from 'node:net';

/** Starts to listen on 127.0.0.1, on any port unless one is given, and resolves with it. */
export async function listening(server: Server, port = 0): Promise<number> {
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return typeof address === 'object' ? (address?.port ?? 0) : 0;
}
