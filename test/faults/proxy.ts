/** A TCP proxy in front of a server that does to connections what networks do. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { FrontendCounter } from './frontend.ts';
import type { Random } from './random.ts';

/**
 * - `delay`: everything takes a few milliseconds longer, for a while.
 * - `bytes`: the next bytes arrive one by one.
 * - `reset`: both sides get a RST.
 * - `cut`: a part of what is being sent arrives, then the connection is closed.
 * - `half-close`: the receiver sees the end of the stream, while the other direction still works.
 * - `freeze`: nothing arrives any more and nobody is told.
 * - `garbage`: bytes that nobody sent.
 * - `change`: a byte arrives as another one.
 * - `repeat`: the same bytes arrive twice.
 * - `omit`: bytes do not arrive, those behind them do.
 *
 * The last three are nothing that TCP does by itself: somebody on the way does, and without TLS nobody can tell.
 */
export type Fault =
  | 'delay'
  | 'bytes'
  | 'reset'
  | 'cut'
  | 'half-close'
  | 'freeze'
  | 'garbage'
  | 'change'
  | 'repeat'
  | 'omit';

export type FaultOptions = {
  /** Taken in turn. */
  readonly faults: readonly [Fault, ...Fault[]];
  /** How many chunks pass between two faults of a connection, on average. */
  readonly interval: number;
  readonly random: Random;
};

/** One proxied connection. */
export type Link = {
  readonly near: Socket;
  readonly far: Socket;
  readonly sent: FrontendCounter;
  /** How often bytes came from the client, as they left it. */
  bursts: number;
  frozen: boolean;
};

export class FaultProxy {
  readonly #server: Server;
  readonly #links = new Set<Link>();
  #faults: FaultOptions | null = null;
  #turn = 0;
  /** Connections since the start, and the faults that were done. */
  readonly counts = { links: 0, faults: new Map<Fault, number>() };

  /** `to` is the server's port on 127.0.0.1. */
  constructor(to: number) {
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => this.#accept(near, to));
  }

  async listen(port = 0): Promise<number> {
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** From now on these faults happen; none with null. */
  inject(faults: FaultOptions | null): void {
    this.#faults = faults;
  }

  get links(): readonly Link[] {
    return [...this.#links];
  }

  /** Ends everything that hangs. */
  thaw(): void {
    for (const link of this.#links) if (link.frozen) end(link);
  }

  async close(): Promise<void> {
    this.#server.close();
    for (const link of this.#links) end(link);
    await once(this.#server, 'close');
  }

  #accept(near: Socket, to: number): void {
    const far = connect({ port: to, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    const link: Link = { near, far, sent: new FrontendCounter(), bursts: 0, frozen: false };
    this.#links.add(link);
    this.counts.links++;
    near.on('data', (chunk: Buffer) => {
      link.bursts++;
      if (!link.frozen) link.sent.take(chunk);
    });
    this.#forward(link, near, far);
    this.#forward(link, far, near);
    near.on('close', () => {
      this.#links.delete(link);
      far.destroy();
    });
    far.on('close', () => {
      if (!link.frozen) near.destroySoon();
    });
  }

  /** Passes on what one side sends, in order, with what the schedule does to it. */
  #forward(link: Link, from: Socket, to: Socket): void {
    let last = Promise.resolve();
    let until = this.#next();
    from.on('error', () => undefined);
    from.on('end', () => {
      last = last.then(() => {
        if (!link.frozen && !to.destroyed) to.end();
      });
    });
    from.on('data', (chunk: Buffer) => {
      const faults = this.#faults;
      const due = faults !== null && --until <= 0;
      if (due) until = this.#next();
      const fault = due ? (faults.faults[this.#turn++ % faults.faults.length] ?? null) : null;
      if (fault !== null) this.counts.faults.set(fault, (this.counts.faults.get(fault) ?? 0) + 1);
      last = last.then(() => deliver(link, from, to, chunk, fault, faults?.random ?? null));
    });
  }

  #next(): number {
    const faults = this.#faults;
    return faults === null ? 1 : 1 + faults.random.below(faults.interval * 2);
  }
}

function end(link: Link): void {
  link.near.destroy();
  link.far.destroy();
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const pause = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds));

async function deliver(
  link: Link,
  from: Socket,
  to: Socket,
  chunk: Buffer,
  fault: Fault | null,
  random: Random | null,
): Promise<void> {
  if (link.frozen || to.destroyed || to.writableEnded) return;
  switch (fault) {
    case null:
      to.write(chunk);
      return;
    case 'delay':
      await pause(1 + (random?.below(10) ?? 0));
      to.write(chunk);
      return;
    case 'bytes':
      for (const byte of chunk.subarray(0, 300)) {
        to.write(Buffer.of(byte));
        await turn();
      }
      to.write(chunk.subarray(300));
      return;
    case 'reset':
      from.resetAndDestroy();
      to.resetAndDestroy();
      return;
    case 'cut':
      // What comes behind it does not pass: bytes that are missing in the middle are no fault that TCP has.
      link.frozen = true;
      to.write(chunk.subarray(0, random?.below(chunk.length) ?? 0), () => end(link));
      return;
    case 'half-close':
      if (random?.chance(0.5) === true) to.write(chunk);
      to.end();
      return;
    case 'freeze':
      link.frozen = true;
      from.pause();
      to.pause();
      return;
    case 'garbage':
      to.write(Buffer.from(Array.from({ length: 9 }, () => random?.below(256) ?? 0)));
      to.write(chunk);
      return;
    case 'change': {
      const at = random?.below(chunk.length) ?? 0;
      to.write(chunk.with(at, (chunk[at] ?? 0) ^ (1 + (random?.below(255) ?? 0))));
      return;
    }
    case 'repeat':
      to.write(chunk);
      to.write(chunk);
      return;
    case 'omit':
      return;
    default:
      fault satisfies never;
  }
}
