/** A WebSocket to a pooler, from its opening to its loss, with the streams that share it: docs/hop.md, Over a WebSocket. */
import type { CancelSignal } from '../../shared/hop/cancellation.ts';
import { encodePieces, encodeRequest } from '../../shared/hop/codec.ts';
import {
  CLOSE,
  decodeFrame,
  encodeFrame,
  encodeHello,
  FRAME_SIZE,
  type Frame,
  readCredit,
  readWelcome,
  SILENCE,
  SOCKET_PROTOCOL,
} from '../../shared/hop/frames.ts';
import { OpenStreams } from '../../shared/hop/open-streams.ts';
import type { TransactionOutcome, TransactionPayload, TransactionRequest } from '../../shared/hop/types.ts';
import { ClientStream, type StreamOutlet } from './socket-stream.ts';

/** How long things may take, in milliseconds. */
export interface SocketTimes {
  /** Until the pooler has said that we are welcome. */
  readonly open: number;
  /** Without a word from the pooler, until it is asked, and again until it is given up. */
  readonly silence: number;
  /** For the pooler to say that it is there, before anything is sent to it. */
  readonly pong: number;
  /** Without a stream, until the socket is closed. */
  readonly idle: number;
}

export const SOCKET_TIMES: SocketTimes = { open: 10_000, silence: SILENCE, pong: 3000, idle: 60_000 };

/** Bytes on their way beyond which messages in many frames wait, and how long until they look again, in milliseconds. */
const ENOUGH_ON_ITS_WAY = 1024 * 1024;
const LOOK_AGAIN = 5;
/** A number of a stream has 32 bits. */
const LAST_STREAM = 0xffff_ffff;

/** Why there is no connection. `refusal`: the reason where the pooler does not accept us. */
export interface NoConnection {
  readonly refusal: 'secret' | 'version' | null;
}

const refusalOf = (code: number): NoConnection['refusal'] => {
  if (code === CLOSE.secret) return 'secret';
  return code === CLOSE.version ? 'version' : null;
};

export interface ConnectionOptions {
  readonly url: string;
  readonly secret: string;
  readonly times: SocketTimes;
  /** Whether the worker knows other poolers: then it leaves one that is about to end. */
  readonly alternatives: boolean;
  /** Called once, when it can carry nothing any more. */
  readonly onLost: () => void;
}

export class SocketConnection implements StreamOutlet {
  readonly #socket: WebSocket;
  readonly #options: ConnectionOptions;
  readonly #streams = new OpenStreams<ClientStream>();
  readonly #most: number;
  readonly #checking: ReturnType<typeof setInterval>;
  #waiting: readonly (() => void)[] = [];
  #stream = 0;
  #heard = Date.now();
  #used = Date.now();
  #isLeaving = false;
  #isLost = false;

  /** Opens a connection, or says why there is none. Never rejects. */
  static open(options: ConnectionOptions): Promise<SocketConnection | NoConnection> {
    const { url, secret, times } = options;
    return new Promise((resolve) => {
      let socket: WebSocket;
      try {
        socket = new WebSocket(url, SOCKET_PROTOCOL);
      } catch {
        resolve({ refusal: null });
        return;
      }
      socket.binaryType = 'arraybuffer';
      const timer = setTimeout(() => failed(1000), times.open);
      const failed = (code: number): void => {
        clearTimeout(timer);
        socket.onmessage = socket.onclose = socket.onopen = null;
        socket.close();
        resolve({ refusal: refusalOf(code) });
      };
      socket.onopen = () => socket.send(encodeHello(secret));
      socket.onerror = () => undefined; // it closes: that is what counts
      socket.onclose = ({ code }) => failed(code);
      socket.onmessage = ({ data }) => {
        const frame = data instanceof ArrayBuffer ? decodeFrame(new Uint8Array(data)) : null;
        const most = frame?.kind === 'welcome' ? readWelcome(frame.data) : null;
        if (most === null) {
          failed(CLOSE.malformed);
          return;
        }
        clearTimeout(timer);
        resolve(new SocketConnection(socket, most, options));
      };
    });
  }

  private constructor(socket: WebSocket, most: number, options: ConnectionOptions) {
    this.#socket = socket;
    this.#most = most;
    this.#options = options;
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = ({ code }) => this.#lose(code === CLOSE.ended);
    this.#checking = setInterval(() => this.#check(), options.times.silence / 2);
  }

  /** Whether another stream may be opened. */
  get hasRoom(): boolean {
    return !this.#isLost && !this.#isLeaving && this.#streams.size < this.#most && this.#stream < LAST_STREAM;
  }

  /** Whether nothing was heard for so long that it may not be there any more. */
  get isSilent(): boolean {
    return Date.now() - this.#heard >= this.#options.times.silence;
  }

  /** Asks whether the pooler is there; where it says nothing, the connection is lost. */
  async isThere(): Promise<boolean> {
    this.send(encodeFrame('ping', 0));
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => this.#lose(), this.#options.times.pong);
      const done = (): void => {
        clearTimeout(timer);
        resolve();
      };
      this.#waiting = [...this.#waiting, done];
    });
    return !this.#isLost;
  }

  /** Runs a transaction. Rejects only with what iterating over its payload throws. */
  transaction(
    request: TransactionRequest,
    payload: TransactionPayload | null,
    signal: CancelSignal | null,
  ): Promise<TransactionOutcome> {
    const stream = new ClientStream(this, request, signal);
    this.#streams.add(stream);
    if (payload === null || payload instanceof Uint8Array) {
      const message = encodeRequest(request, payload);
      if (message.length <= FRAME_SIZE) stream.sendWhole(message);
      else void stream.sendPieces([message]);
    } else void stream.sendPieces(encodePieces(request, payload));
    return stream.outcome;
  }

  send(frame: Uint8Array<ArrayBuffer>): void {
    if (!this.#isLost) this.#socket.send(frame);
  }

  async room(): Promise<void> {
    // Browsers' sockets do not say when there is room again.
    while (this.#socket.bufferedAmount > ENOUGH_ON_ITS_WAY && !this.#isLost) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN));
    }
  }

  number(): number {
    this.#stream += 1;
    return this.#stream;
  }

  ended(stream: ClientStream): void {
    this.#streams.remove(stream);
    this.#used = Date.now();
    if (this.#isLeaving) this.#leave();
  }

  /** No more streams; closed when none is open. */
  #leave(): void {
    this.#isLeaving = true;
    if (this.#streams.size > 0) return;
    this.#lose();
  }

  /** It can carry nothing any more, or shall not. `hasEnded`: the pooler says that it has, having answered all that it has run. */
  #lose(hasEnded = false): void {
    if (this.#isLost) return;
    this.#isLost = true;
    clearInterval(this.#checking);
    this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close(CLOSE.done);
    this.#options.onLost();
    for (const stream of this.#streams.all()) stream.lose(hasEnded);
    this.#hear();
  }

  #hear(): void {
    this.#heard = Date.now();
    const waiting = this.#waiting;
    if (waiting.length === 0) return;
    this.#waiting = [];
    for (const done of waiting) done();
  }

  #check(): void {
    const now = Date.now();
    if (this.#streams.size === 0) {
      if (now - this.#used >= this.#options.times.idle) this.#lose();
      return;
    }
    if (now - this.#heard >= 2 * this.#options.times.silence) this.#lose();
    else if (this.isSilent) this.send(encodeFrame('ping', 0));
  }

  #receive(data: unknown): void {
    this.#hear();
    const frame = data instanceof ArrayBuffer ? decodeFrame(new Uint8Array(data)) : null;
    if (frame === null || !this.#dispatch(frame)) this.#lose();
  }

  /** False for what a pooler does not send. */
  #dispatch({ kind, stream: id, data, last }: Frame): boolean {
    switch (kind) {
      case 'going away':
        if (this.#options.alternatives) this.#leave();
        return true;
      case 'ping':
        this.send(encodeFrame('pong', 0));
        return true;
      case 'pong':
        return true;
      case 'answer':
        return this.#streams.find(id)?.answer(data, last) ?? true;
      case 'body':
        return this.#streams.find(id)?.body(data, last) ?? true;
      case 'reset':
        this.#streams.find(id)?.reset();
        return true;
      case 'credit': {
        const bytes = readCredit(data);
        if (bytes !== null) this.#streams.find(id)?.credit(bytes);
        return bytes !== null;
      }
      case 'hello':
      case 'welcome':
      case 'message':
      case 'cancel':
        return false;
      default:
        return kind satisfies never;
    }
  }
}
