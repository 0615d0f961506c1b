/** A plain TCP balancer, as much as any cloud has: a connection goes to the next node, and to another one if that refuses it. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { listening } from '../listening.ts';

export interface Balancer {
  readonly port: number;
  /** How many connections each node has been given, in the nodes' order. */
  readonly given: readonly number[];
  close(): void;
}

/** Both ways until both have ended; a connection that breaks breaks the other. */
function join(client: Socket, node: Socket): void {
  client.pipe(node);
  node.pipe(client);
  client.on('close', () => node.destroy());
  node.on('close', () => client.destroy());
}

/** A connection to one of the nodes, the ones behind `first` in turn. Null when all refuse. */
async function reach(ports: readonly number[], first: number): Promise<{ socket: Socket; node: number } | null> {
  for (let tried = 0; tried < ports.length; tried++) {
    const node = (first + tried) % ports.length;
    const socket = connect({ host: '127.0.0.1', port: ports[node] ?? 0, allowHalfOpen: true });
    const reached = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
    socket.on('error', () => undefined);
    if (reached) return { socket, node };
  }
  return null;
}

/** Starts one in front of nodes on these ports. */
export async function balance(ports: readonly number[]): Promise<Balancer> {
  const given = ports.map(() => 0);
  const sockets = new Set<Socket>();
  let turn = 0;
  const server: Server = createServer({ allowHalfOpen: true }, (client) => {
    sockets.add(client);
    client.on('error', () => undefined).on('close', () => sockets.delete(client));
    void reach(ports, turn++).then((reached) => {
      if (reached === null) {
        client.resetAndDestroy();
        return;
      }
      given[reached.node] = (given[reached.node] ?? 0) + 1;
      join(client, reached.socket);
    });
  });
  return {
    port: await listening(server),
    given,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
