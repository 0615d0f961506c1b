/** Clients that send large bodies and never end them hold a bounded part of the memory, and leave room for others. */
import { connect, type Socket } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import { token } from '../faults/http/questions.ts';
import { place, portOf } from './place.ts';

const MEGABYTE = 1024 * 1024;
const made = place('bodies', { EDGEREST_MAX_BUFFERED: String(10 * MEGABYTE), EDGEREST_BEHIND_PROXY: '1' });

const open: Socket[] = [];
afterEach(() => {
  for (const socket of open.splice(0)) socket.destroy();
});

interface Sender {
  readonly socket: Socket;
  /** The status, once it has come. */
  readonly status: Promise<number>;
}

/**
 * Resolves when the server has read what had been sent to it: an answer takes it a turn of its loop, and in a turn it reads 64 KB at least of
 * every connection that has something.
 */
async function haveRead(bytes: number): Promise<void> {
  for (let turns = Math.ceil((2 * bytes) / 65_536); turns > 0; turns--) {
    await (await fetch(`${made().serve.url}/ledger`, { method: 'OPTIONS' })).arrayBuffer();
  }
}

/** Begins a body of 3 MB and sends all of it but its last byte. Resolves when that has been read. */
async function begin(from: string): Promise<Sender> {
  const body = `[${' '.repeat(3 * MEGABYTE - 2)}]`;
  const socket = connect(portOf(made().serve), '127.0.0.1').setEncoding('latin1');
  open.push(socket);
  const authorization = `Authorization: Bearer ${token({ role: made().names.roles[0] })}`;
  socket.write(
    `POST /ledger HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: ${from}\r\n${authorization}\r\n` +
      `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`,
  );
  const status = new Promise<number>((resolve, reject) => {
    socket.once('data', (text: string) => resolve(Number(text.slice(9, 12)))).on('error', reject);
  });
  status.catch(() => undefined);
  await new Promise((resolve) => socket.write(body.slice(0, -1), resolve));
  await haveRead(body.length);
  return { socket, status };
}

async function finish({ socket, status }: Sender): Promise<number> {
  socket.write(']');
  return await status;
}

test('a large body waits for no other, and is refused where there is no room', async () => {
  const first = await begin('192.0.2.1');
  // Nobody may have more than is left: from the same network a second one is too much, from another it is not.
  expect(await finish(await begin('192.0.2.2'))).toBe(503);
  const other = await begin('198.51.100.1');
  expect(await finish(await begin('203.0.113.1'))).toBe(503);
  expect(await finish(first)).toBe(201);
  expect(await finish(other)).toBe(201);
});

test('the room of one that has gone is free again', async () => {
  for (let i = 0; i < 5; i++) {
    const gone = await begin('192.0.2.1');
    gone.socket.destroy();
    await new Promise((resolve) => gone.socket.once('close', resolve));
    // It is noticed a moment later.
    await vi.waitFor(async () => expect(await finish(await begin('192.0.2.1'))).toBe(201), 10_000);
  }
});
