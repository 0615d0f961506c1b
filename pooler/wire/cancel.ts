import type { Endpoint, TlsConfig } from './config.ts';
import { ConnectionError } from './errors.ts';
import { cancelRequestCode } from './messages.ts';
import { openTransport } from './transport.ts';

/**
 * Asks the server to cancel what a backend is doing, and resolves when the server has closed the socket: from then on the request
 * has had its effect and cannot hit anything that begins later. Rejects with a ConnectionError, after `timeout` milliseconds at the latest.
 */
export async function cancelBackend(
  endpoint: Endpoint,
  tls: TlsConfig,
  encrypted: boolean,
  processId: number,
  key: Buffer,
  timeout: number,
): Promise<void> {
  const signal = AbortSignal.timeout(timeout);
  const transport = await openTransport(endpoint, tls, encrypted ? 'required' : 'no', signal);
  const late = () => transport.destroy();
  signal.addEventListener('abort', late);
  try {
    await new Promise<void>((resolve, reject) => {
      transport.listen({
        data: () => true,
        closed: (error) => {
          // A reset by the peer may have come before the request was read.
          if (error === null && !signal.aborted) resolve();
          else reject(new ConnectionError('refused', 'the request to cancel was not taken', error ?? undefined));
        },
      });
      const request = Buffer.alloc(12 + key.length);
      request.writeInt32BE(request.length, 0);
      request.writeInt32BE(cancelRequestCode, 4);
      request.writeInt32BE(processId, 8);
      key.copy(request, 12);
      transport.socket.write(request);
    });
  } finally {
    signal.removeEventListener('abort', late);
    transport.destroy();
  }
}
