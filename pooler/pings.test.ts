import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { listening } from '../test/listening.ts';
import { answerPings } from './pings.ts';

async function opening(opened: (socket: WebSocket) => void) {
  const server = createServer();
  const sockets = new WebSocketServer({ server, autoPong: false });
  sockets.on('connection', (socket) => {
    answerPings(socket);
    opened(socket);
  });
  return { server, port: await listening(server) };
}

test('a ping is answered with what came with it', async () => {
  const { server, port } = await opening(() => undefined);
  const client = new WebSocket(`ws://127.0.0.1:${port}`);
  await once(client, 'open');
  for (let i = 0; i < 300; i++) {
    client.ping(String(i));
    const [data] = await once(client, 'pong');
    expect(String(data)).toBe(String(i));
  }
  client.terminate();
  server.close();
});

test('who asks and does not listen has few answers waiting', async () => {
  const pings = 100_000;
  const { promise, resolve } = Promise.withResolvers<number>();
  const { server, port } = await opening((socket) => {
    let heard = 0;
    socket.on('ping', () => {
      if (++heard === pings) resolve(socket.bufferedAmount);
    });
  });
  const client = connect(port, '127.0.0.1');
  client.pause();
  client.on('error', () => undefined);
  client.write(
    'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
      'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
  );
  // FIN and ping; masked with zeros.
  const ping = Buffer.concat([Buffer.of(0x89, 0x80 | 125, 0, 0, 0, 0), Buffer.alloc(125)]);
  client.write(Buffer.concat(Array.from({ length: pings }, () => ping)));
  expect(await promise).toBeLessThan(100_000);
  client.destroy();
  server.close();
});
