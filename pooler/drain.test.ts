/** Raw sockets in front of a real server: what a client sees of a server that is closing. */
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { listening } from '../test/listening.ts';
import { Draining } from './drain.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.closeAllConnections();
});

interface Place {
  readonly port: number;
  readonly draining: Draining;
  /** The next request that is not answered at once: one for `/held`. */
  held(): Promise<ServerResponse>;
}

async function place(idleTime?: number): Promise<Place> {
  let next = Promise.withResolvers<ServerResponse>();
  const server = createServer((request, response) => {
    draining.track(response);
    if (request.url === '/held') next.resolve(response);
    else response.writeHead(200, { 'Content-Length': '2' }).end('ok');
  });
  const draining = new Draining(server, idleTime);
  servers.push(server);
  const port = await listening(server);
  const held = async (): Promise<ServerResponse> => {
    const response = await next.promise;
    next = Promise.withResolvers();
    return response;
  };
  return { port, draining, held };
}

interface Client {
  readonly socket: Socket;
  /** Sends a GET, or a part of one. */
  send(text: string): void;
  /** All that came until it ends with this. */
  until(end: string): Promise<string>;
  readonly closed: Promise<unknown>;
}

async function client(port: number): Promise<Client> {
  const socket = connect(port, '127.0.0.1').setEncoding('latin1');
  let text = '';
  socket.on('data', (chunk: string) => {
    text += chunk;
  });
  const closed = once(socket, 'close');
  await once(socket, 'connect');
  return {
    socket,
    closed,
    send: (part) => socket.write(part),
    until: async (end) => {
      while (!text.endsWith(end)) await once(socket, 'data');
      const all = text;
      text = '';
      return all;
    },
  };
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;

test('a request on a kept connection is answered although the server is closing, as the last one on it', async () => {
  const { port, draining } = await place();
  const kept = await client(port);
  kept.send(get('/'));
  expect(await kept.until('ok')).toContain('Connection: keep-alive\r\n');
  const closing = draining.close(20_000);
  await refused(port);
  kept.send(get('/'));
  expect(await kept.until('ok')).toContain('Connection: close\r\n');
  await kept.closed;
  await closing;
});

test('a request that was arriving is answered, one under way too, and the connections close then', async () => {
  const { port, draining, held } = await place(0);
  const [slow, arriving] = [await client(port), await client(port)];
  slow.send(get('/held'));
  const response = await held();
  // The beginning is read before the next connection's answer.
  arriving.send('GET / HTTP/1.1\r\n');
  const other = await client(port);
  other.send(get('/'));
  await other.until('ok');
  const closing = draining.close(20_000);
  await other.closed;
  arriving.send('Host: x\r\n\r\n');
  expect(await arriving.until('ok')).toContain('Connection: close\r\n');
  response.writeHead(200, { 'Content-Length': '2' }).end('ok');
  expect(await slow.until('ok')).toContain('Connection: close\r\n');
  await Promise.all([slow.closed, arriving.closed, closing]);
});

test('a connection that was promised to be kept before the end is kept for a request that follows at once', async () => {
  const { port, draining, held } = await place();
  const kept = await client(port);
  kept.send(get('/held'));
  const response = await held();
  response.writeHead(200, { 'Content-Length': '2' }).write('o');
  expect(await kept.until('o')).toContain('Connection: keep-alive\r\n');
  const closing = draining.close(20_000);
  await refused(port);
  response.end('k');
  await kept.until('k');
  kept.send(get('/'));
  expect(await kept.until('ok')).toContain('Connection: close\r\n');
  await Promise.all([kept.closed, closing]);
});

test('connections on which nothing comes are closed, used ones and new ones', async () => {
  const { port, draining } = await place(10);
  const [used, unused] = [await client(port), await client(port)];
  used.send(get('/'));
  await used.until('ok');
  await Promise.all([draining.close(20_000), used.closed, unused.closed]);
});

test('connections that wait to be accepted are served', async () => {
  const { port, draining } = await place(100);
  const clients = Array.from({ length: 20 }, () => connect(port, '127.0.0.1').setEncoding('latin1'));
  // By then the system has made all of them, and the server is told of one a turn.
  await Promise.race(clients.map((socket) => once(socket, 'connect')));
  const answers = clients.map(async (socket) => {
    socket.write(get('/'));
    const [text] = await once(socket, 'data');
    return text;
  });
  const closing = draining.close(20_000);
  for (const text of await Promise.all(answers)) expect(text).toMatch(/^HTTP\/1\.1 200 /);
  await closing;
});

test('what is not answered in time is cut off', async () => {
  const { port, draining, held } = await place();
  const slow = await client(port);
  slow.send(get('/held'));
  await held();
  await Promise.all([draining.close(10), slow.closed]);
});

/** Waits until nobody accepts connections there. */
async function refused(port: number): Promise<void> {
  for (let accepted = true; accepted; ) {
    const socket = connect(port, '127.0.0.1');
    accepted = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
  }
}
