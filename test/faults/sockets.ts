import { channel } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';

/** All that a request to cancel ever writes. Who is closed before even that has been no session either. */
const cancelRequestLength = 16;

/**
 * Counts this process's own sockets to a port, from the attempt to connect until they are closed. Looking from the other side would lag
 * behind: there a new connection is seen before the end of the one that it replaces.
 */
export class SocketCount {
  readonly #port: number;
  readonly #events: { readonly socket: Socket; readonly opened: boolean }[] = [];

  constructor(port: number) {
    this.#port = port;
    channel('net.client.socket').subscribe(this.#created);
  }

  stop(): void {
    channel('net.client.socket').unsubscribe(this.#created);
  }

  /** The most that were open at once, requests to cancel left out. */
  get most(): number {
    let open = 0;
    let most = 0;
    for (const { socket, opened } of this.#events) {
      if (socket.bytesWritten <= cancelRequestLength) continue;
      open += opened ? 1 : -1;
      most = Math.max(most, open);
    }
    return most;
  }

  readonly #created = (message: unknown): void => {
    const socket: Socket = Reflect.get(Object(message), 'socket');
    socket.on('connectionAttempt', (_address: string, port: number) => {
      if (port !== this.#port) return;
      this.#events.push({ socket, opened: true });
      socket.on('close', () => this.#events.push({ socket, opened: false }));
    });
  };
}
