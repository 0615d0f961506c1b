/** Clients with manners and without. */
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../faults/random.ts';

export interface Question {
  readonly method: string;
  readonly target: string;
  /** JSON text. */
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** Asks and reads the whole answer. */
export async function ask(url: string, { method, target, body, headers: more }: Question): Promise<Answer> {
  const headers = { 'Content-Type': 'application/json', ...more };
  const response = await fetch(url + target, { method, headers, body: body ?? null });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

/** How a client goes: it closes its connection, or the connection is reset. */
export type Departure = 'close' | 'reset';

export interface Visitor {
  /** Sends the request, or only its first part (0 to 1). */
  send(share?: number): void;
  /** Resolves with the first bytes of the answer, or when there will be none. */
  readonly answered: Promise<void>;
  leave(departure: Departure): void;
}

function bytesOf({ method, target, body = '' }: Question): Buffer {
  const head = `${method} ${target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n`;
  return Buffer.from(`${head}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}

async function connected(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve).once('error', reject);
  });
  return socket.on('error', () => undefined);
}

/** A client that is connected and may leave at any time. */
export async function visit(url: string, question: Question): Promise<Visitor> {
  const socket = await connected(url);
  const bytes = bytesOf(question);
  return {
    send: (share = 1) => socket.write(bytes.subarray(0, Math.floor(bytes.length * share))),
    answered: new Promise((resolve) => {
      socket.once('data', () => resolve()).once('close', () => resolve());
    }),
    leave: (departure) => {
      if (departure === 'reset') socket.resetAndDestroy();
      else socket.destroy();
    },
  };
}

/** Asks and leaves at some point: while it sends, while it waits, or with the first bytes of the answer. */
export async function askAndLeave(url: string, question: Question, random: Random): Promise<void> {
  const departure = random.pick<Departure>(['close', 'reset']);
  const moment = random.pick(['sending', 'waiting', 'reading']);
  const share = random.next();
  const wait = random.below(100);
  const visitor = await visit(url, question);
  visitor.send(moment === 'sending' ? share : 1);
  if (moment === 'waiting') await sleep(wait);
  if (moment === 'reading') await visitor.answered;
  visitor.leave(departure);
}
