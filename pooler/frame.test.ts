import { once } from 'node:events';
import { createServer } from 'node:http';
import { expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { listening } from '../test/listening.ts';
import { binaryFrame } from './frame.ts';

test('a client reads frames of any length, and others before and behind them', async () => {
  const lengths = [0, 1, 125, 126, 127, 65_535, 65_536, 200_000];
  const server = createServer();
  const sockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request, stream, head) => {
    sockets.handleUpgrade(request, stream, head, (socket) => {
      for (const length of lengths) {
        socket.send(String(length));
        stream.write(binaryFrame(Buffer.alloc(length, length)));
      }
      socket.close();
    });
  });
  const client = new WebSocket(`ws://127.0.0.1:${await listening(server)}`);
  const seen: unknown[] = [];
  client.on('message', (data, isBinary) => seen.push(isBinary ? data : String(data)));
  await once(client, 'close');
  expect(seen).toEqual(lengths.flatMap((length) => [String(length), Buffer.alloc(length, length)]));
  server.close();
});
