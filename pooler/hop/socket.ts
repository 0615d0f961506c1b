/** One WebSocket of a worker, with the streams that share it: docs/hop.md, Over a WebSocket. */
import type { RawData, WebSocket } from 'ws';
import { type DecodeLimits, type Refused, refuse } from '../../shared/hop/codec.ts';
import {
  CLOSE,
  decodeFrame,
  encodeFrame,
  encodeWelcome,
  type Frame,
  readCredit,
  readHello,
  SILENCE,
} from '../../shared/hop/frames.ts';
import { OpenStreams } from '../../shared/hop/open-streams.ts';
import { HOP_VERSION, type Hop } from '../../shared/hop/types.ts';
import type { Memory } from '../memory.ts';
import { answerPings } from '../pings.ts';
import type { Secrets } from './secret.ts';
import { type Outlet, SocketStream } from './socket-stream.ts';

/** How many streams a socket may have open at a time. */
const MOST_STREAMS = 4096;
/** Bytes on their way to the worker beyond which bodies wait. */
const ENOUGH_ON_ITS_WAY = 1024 * 1024;
/** Milliseconds for the secret to come, and for a message. */
const HELLO_TIMEOUT = 5000;
const MESSAGE_TIMEOUT = 300_000;
/** Milliseconds for the worker to say that it has closed as well. */
const CLOSE_TIMEOUT = 1000;

export interface SocketOptions {
  readonly hop: Hop;
  readonly limits: DecodeLimits;
  /** For payloads. */
  readonly memory: Memory;
  readonly secrets: Secrets;
  /** Whether the pooler is about to end. */
  readonly isStopping: () => boolean;
  /** A stream has been opened. */
  readonly onStream: () => void;
  readonly onRefused: (failure: Refused) => void;
  readonly onError: (error: unknown) => void;
}

export class HopSocket implements Outlet {
  readonly hop: Hop;
  readonly limits: DecodeLimits;
  readonly memory: Memory;
  readonly #socket: WebSocket;
  readonly #options: SocketOptions;
  readonly #streams = new OpenStreams<SocketStream>();
  readonly #began = performance.now();
  #heard = performance.now();
  #isWelcome = false;
  /** Whether it is closed as soon as nothing is open. */
  #isLeaving = false;
  /** Whether it was told so: what still comes is dropped, and nothing of it runs. */
  #isClosed = false;
  /** The highest number that a stream has had. */
  #highest = 0;

  constructor(socket: WebSocket, options: SocketOptions) {
    this.#socket = socket;
    this.#options = options;
    this.hop = options.hop;
    this.limits = options.limits;
    this.memory = options.memory;
    answerPings(socket);
    socket
      .on('message', (data, isBinary) => this.#receive(data, isBinary))
      .on('pong', () => this.#hear())
      .on('error', () => undefined) // it closes: said below
      .on('close', () => {
        for (const stream of this.#streams.all()) stream.cancel();
      });
  }

  send(frame: Uint8Array): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(frame);
  }

  sendInTurn(frame: Uint8Array): Promise<void> {
    if (this.#socket.bufferedAmount < ENOUGH_ON_ITS_WAY) {
      this.send(frame);
      return Promise.resolve();
    }
    // Called with an error too: then the streams hear that the socket is closed.
    return new Promise((resolve) => this.#socket.send(frame, () => resolve()));
  }

  onRefused(failure: Refused): void {
    this.#options.onRefused(failure);
  }

  onError(error: unknown): void {
    this.#options.onError(error);
  }

  ended(stream: SocketStream): void {
    stream.room.end();
    this.#streams.remove(stream);
    if (this.#isLeaving) this.#leave();
  }

  /** Tells the worker that the pooler is about to end: one that knows another goes there, the others are served as long as it lasts. */
  announceEnd(): void {
    if (this.#isWelcome) this.send(encodeFrame('going away', 0));
  }

  /** Takes no more streams, and closes when all that is open has been answered. */
  end(): void {
    this.#isLeaving = true;
    this.#leave();
  }

  /** Cuts it. */
  terminate(): void {
    this.#socket.terminate();
  }

  /** To be called now and then: gives up on what does not come, and on a worker that is not there any more. */
  check(): void {
    if (this.#isClosed) return;
    const now = performance.now();
    const silence = now - this.#heard;
    if (silence > 2 * SILENCE) this.terminate();
    else if (!this.#isWelcome && now - this.#began > HELLO_TIMEOUT) this.#refuseHello(null);
    else if (silence > SILENCE) this.#socket.ping();
    for (const stream of this.#streams.all()) stream.expire(MESSAGE_TIMEOUT);
  }

  #leave(): void {
    if (this.#streams.size === 0) this.#close(CLOSE.ended, 'the pooler has ended');
  }

  #close(code: number, reason: string): void {
    this.#isClosed = true;
    this.#socket.close(code, reason);
    setTimeout(() => this.#socket.terminate(), CLOSE_TIMEOUT).unref();
  }

  #hear(): void {
    this.#heard = performance.now();
  }

  #receive(data: RawData, isBinary: boolean): void {
    if (this.#isClosed) return;
    this.#hear();
    const frame = isBinary && data instanceof Uint8Array ? decodeFrame(data) : null;
    if (frame === null) this.#malformed('what is no frame');
    else if (!this.#isWelcome) this.#hello(frame);
    else if (!this.#dispatch(frame)) this.#malformed('a frame that is out of place');
  }

  #hello({ kind, data }: Frame): void {
    const hello = kind === 'hello' ? readHello(data) : null;
    if (hello?.version !== HOP_VERSION) this.#refuseHello(hello?.version ?? null);
    else if (!this.#options.secrets.accepts(`Bearer ${hello.secret}`)) this.#refuseHello(null);
    else {
      this.#isWelcome = true;
      this.send(encodeWelcome(MOST_STREAMS));
      if (this.#options.isStopping()) this.announceEnd();
    }
  }

  /** `version`: another one than ours; null where the secret is at fault. */
  #refuseHello(version: number | null): void {
    if (version === null) {
      this.onRefused(refuse(401, 'secret', 'The secret is missing or wrong.'));
      this.#close(CLOSE.secret, 'secret');
      return;
    }
    this.onRefused(refuse(400, 'version', `A socket of version ${version} of the hop.`));
    this.#close(CLOSE.version, `version ${HOP_VERSION}`);
  }

  #malformed(what: string): void {
    this.onRefused(refuse(400, 'malformed', `A socket with ${what}.`));
    this.#close(CLOSE.malformed, what);
  }

  /** False for what a worker does not send, or not now. */
  #dispatch({ kind, stream: id, data, last }: Frame): boolean {
    switch (kind) {
      case 'ping':
        this.send(encodeFrame('pong', 0));
        return true;
      case 'pong':
        return true;
      case 'message': {
        const stream = id > this.#highest ? this.#open(id) : this.#streams.find(id);
        // Of one that is over, what was on its way.
        return stream?.take(data, last) ?? true;
      }
      case 'credit': {
        const bytes = readCredit(data);
        return bytes !== null && (this.#streams.find(id)?.credit(bytes) ?? true);
      }
      case 'cancel':
        this.#streams.find(id)?.cancel();
        return true;
      case 'hello':
      case 'welcome':
      case 'going away':
      case 'answer':
      case 'body':
      case 'reset':
        return false;
      default:
        return kind satisfies never;
    }
  }

  /** Undefined where it is refused. */
  #open(id: number): SocketStream | undefined {
    this.#highest = id;
    this.#options.onStream();
    const stream = new SocketStream(id, this);
    if (this.#isLeaving) stream.refuse(refuse(503, 'stopping', 'The pooler is about to end.'));
    else if (this.#streams.size >= MOST_STREAMS) {
      stream.refuse(refuse(503, 'streams', `A socket has at most ${MOST_STREAMS} streams at a time.`));
    } else {
      this.#streams.add(stream);
      return stream;
    }
    return undefined;
  }
}
