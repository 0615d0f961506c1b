/** For tests: a port in front of a server, where the sockets can be counted. */
import { createServer, connect as dial, type Socket } from 'node:net';
import { listening } from '../../test/listening.ts';

export interface Forward {
  readonly port: number;
  /** How many connections there are now. */
  open(): number;
  /** How many there were at once, at most. */
  most(): number;
  /** Nothing passes any more on the connections that there are, and nobody is told. */
  freeze(): void;
  /** Resets the oldest connection that there is. */
  reset(): void;
  /** Cuts the connections and listens no more. */
  close(): Promise<void>;
}

/** Passes connections on to another port of 127.0.0.1. */
export async function forward(to: number, from = 0): Promise<Forward> {
  const open = new Set<Socket>();
  let most = 0;
  const server = createServer((near) => {
    const far = dial(to, '127.0.0.1');
    open.add(near);
    most = Math.max(most, open.size);
    near.pipe(far).pipe(near);
    for (const socket of [near, far]) {
      socket.on('error', () => undefined);
      socket.on('close', () => {
        near.destroy();
        far.destroy();
        open.delete(near);
      });
    }
  });
  const port = await listening(server, from);
  return {
    port,
    open: () => open.size,
    most: () => most,
    freeze: () => {
      for (const near of open) near.unpipe().pause();
    },
    reset: () => {
      const [first] = open;
      first?.resetAndDestroy();
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  };
}
