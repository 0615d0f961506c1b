import { channel } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';

/**
 * Bytes that a request to cancel writes at the most, with TLS and without. Who is closed before even that has been no session either.
 * With TLS they are nearly all of the handshake: 1,736 in Node 24, of 2,096 for the shortest login.
 */
const CANCEL_LENGTH = { plain: 16, encrypted: 1900 } as const;

/**
 * Counts this process's own sockets to a port, from the attempt to connect until they are closed. Looking from the other side would lag
 * behind: there a new connection is seen before the end of the one that it replaces.
 */
export class SocketCount {
  readonly #port: number;
  readonly #cancelLength: number;
  readonly #events: { readonly socket: Socket; readonly opened: boolean }[] = [];

  constructor(port: number, over: keyof typeof CANCEL_LENGTH = 'plain') {
    this.#port = port;
    this.#cancelLength = CANCEL_LENGTH[over];
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
      if (socket.bytesWritten <= this.#cancelLength) continue;
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
