/** One transaction on a socket: its message goes up in frames, its answer comes down in frames. */
import type { CancelSignal } from '../../shared/hop/cancellation.ts';
import { decodeFailure, decodeResult } from '../../shared/hop/codec.ts';
import { encodeCredit, encodeFrame, FRAME_SIZE, readAnswerFrame, WINDOW } from '../../shared/hop/frames.ts';
import type { TransactionOutcome, TransactionRequest } from '../../shared/hop/types.ts';
import { ofLength } from './fixed-length.ts';
import { cancelled, transportFailure } from './pooler-client.ts';

/** The socket, as its streams use it. */
export interface StreamOutlet {
  send(frame: Uint8Array<ArrayBuffer>): void;
  /** Waits while more than enough is on its way already. */
  room(): Promise<void>;
  /** The next number of a stream. */
  number(): number;
  /** The stream is over. */
  ended(stream: ClientStream): void;
}

/** Milliseconds after its deadline at which a transaction is no longer waited for. */
const LATE = 1000;

const LOST = 'The connection to the pooler was lost.';

export class ClientStream {
  /** The pooler knows a stream by its first frame, and takes numbers only upwards: it is 0 until that is sent. */
  id = 0;
  place = 0;
  readonly outcome: Promise<TransactionOutcome>;
  readonly #outlet: StreamOutlet;
  readonly #request: TransactionRequest;
  readonly #signal: CancelSignal | null;
  readonly #settle: (outcome: TransactionOutcome) => void;
  readonly #fail: (error: unknown) => void;
  readonly #cancel = (): void => this.#giveUp(cancelled());
  #timer: ReturnType<typeof setTimeout> | null = null;
  #isAnswered = false;
  #isOver = false;
  /** Whether all of the body has come. */
  #isWhole = false;
  /** Whether the message's last frame has gone: then it may have run. */
  #isSent = false;
  /** Bytes of the message that may be sent. */
  #credit = WINDOW;
  #wake: (() => void) | null = null;
  #body: ReadableStreamDefaultController<Uint8Array> | null = null;
  /** Bytes of the body that are still to come, that have come, and that the client has read and were granted anew. */
  #missing = 0;
  #received = 0;
  #granted = 0;

  constructor(outlet: StreamOutlet, request: TransactionRequest, signal: CancelSignal | null) {
    this.#outlet = outlet;
    this.#request = request;
    this.#signal = signal;
    const { promise, resolve, reject } = Promise.withResolvers<TransactionOutcome>();
    this.outcome = promise;
    this.#settle = resolve;
    this.#fail = reject;
    signal?.addEventListener('abort', this.#cancel);
    if (request.deadline !== null) {
      const late = (): void => this.#giveUp(this.#unanswered('The pooler did not answer in time.'));
      this.#timer = setTimeout(late, request.deadline + LATE);
    }
  }

  /** Sends a message that fits in one frame. */
  sendWhole(message: Uint8Array): void {
    this.#sendFrame(message, true);
  }

  /** Sends a message as it comes. What iterating throws ends it, before its end, and is what comes of it. Never rejects. */
  async sendPieces(pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void> {
    const frame = new Uint8Array(FRAME_SIZE);
    let filled = 0;
    try {
      for await (const piece of pieces) {
        for (let at = 0; at < piece.length; ) {
          const part = piece.subarray(at, at + FRAME_SIZE - filled);
          frame.set(part, filled);
          filled += part.length;
          at += part.length;
          if (filled < FRAME_SIZE) continue;
          if (!(await this.#send(frame, false))) return;
          filled = 0;
        }
      }
      await this.#send(frame.subarray(0, filled), true);
    } catch (error) {
      if (this.#isOver) return;
      this.#sendCancel();
      this.#fail(error);
      this.#end();
    }
  }

  /** False when the answer is there already, or nobody waits for one. */
  async #send(data: Uint8Array, last: boolean): Promise<boolean> {
    while (this.#credit < data.length && !this.#isOver) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    await this.#outlet.room();
    if (this.#isOver) return false;
    this.#credit -= data.length;
    this.#sendFrame(data, last);
    return true;
  }

  #sendFrame(data: Uint8Array, last: boolean): void {
    if (this.id === 0) this.id = this.#outlet.number();
    this.#isSent = last;
    this.#outlet.send(encodeFrame('message', this.id, data, last));
  }

  #sendCancel(): void {
    if (this.id !== 0) this.#outlet.send(encodeFrame('cancel', this.id));
  }

  /** The pooler takes more of the message. */
  credit(bytes: number): void {
    this.#credit += bytes;
    this.#wake?.();
  }

  /** The answer's first frame. False when it is none. */
  answer(data: Uint8Array, last: boolean): boolean {
    const answer = readAnswerFrame(data);
    if (answer === null || this.#isAnswered) return false;
    const { ok, facts, body } = answer;
    if (ok) return this.#result(facts, body, last);
    const failure = decodeFailure(facts);
    if (failure === null || !last) return false;
    this.#answered(failure);
    this.#end();
    return true;
  }

  #result(text: string, body: Uint8Array, last: boolean): boolean {
    const facts = decodeResult(text);
    if (facts === null) return false;
    const { snapshot, statements, body: length } = facts;
    if (last) {
      if (body.length !== (length ?? 0)) return false;
      this.#answered({ ok: true, snapshot, statements, body: length === null ? null : body, length: length ?? 0 });
      this.#end();
      return true;
    }
    if (length === null) return false;
    this.#missing = length;
    this.#answered({ ok: true, snapshot, statements, body: ofLength(this.#bodyStream(), length), length });
    return body.length === 0 || this.body(body, false);
  }

  /** More of the body. False where that is not what can come. */
  body(data: Uint8Array, last: boolean): boolean {
    if (this.#body === null || data.length > this.#missing) return false;
    this.#missing -= data.length;
    this.#received += data.length;
    if (data.length > 0) this.#body.enqueue(data);
    // Whole without the last frame, too: the client has its answer, and would otherwise lose a connection on which it may have sent more.
    if (this.#missing === 0 && !this.#isWhole) {
      this.#isWhole = true;
      this.#body.close();
    }
    if (!last) return true;
    if (!this.#isWhole) return false;
    this.#end();
    return true;
  }

  /** The body breaks off; without one, whatever it was that broke. */
  reset(): void {
    this.#breakOff('The answer of the pooler broke off.');
  }

  /** The socket is lost. `unheard`: the pooler has run nothing that it has not answered. */
  lose(unheard: boolean): void {
    if (unheard) this.#isSent = false;
    this.#breakOff(LOST);
  }

  #breakOff(message: string): void {
    if (this.#isOver) return;
    if (!this.#isWhole) this.#body?.error(new Error(message));
    if (!this.#isAnswered) this.#answered(this.#unanswered(message));
    this.#end();
  }

  /** Nothing executes before the last frame. */
  #unanswered(message: string): TransactionOutcome {
    return transportFailure(this.#request, this.#isSent, message);
  }

  /** Nobody waits for it any more. */
  #giveUp(outcome: TransactionOutcome): void {
    if (this.#isOver) return;
    this.#sendCancel();
    this.#body?.error(new Error('The caller went away.'));
    if (!this.#isAnswered) this.#answered(outcome);
    this.#end();
  }

  #answered(outcome: TransactionOutcome): void {
    this.#isAnswered = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#settle(outcome);
  }

  #end(): void {
    this.#isOver = true;
    this.#wake?.();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#signal?.removeEventListener('abort', this.#cancel);
    this.#outlet.ended(this);
  }

  #bodyStream(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#body = controller;
        },
        pull: () => this.#grant(),
        cancel: () => {
          this.#body = null;
          this.#giveUp(cancelled());
        },
      },
      new ByteLengthQueuingStrategy({ highWaterMark: WINDOW }),
    );
  }

  /** What the client has read may be sent anew, a good part at a time. */
  #grant(): void {
    const waiting = WINDOW - (this.#body?.desiredSize ?? 0);
    const read = this.#received - waiting - this.#granted;
    if (this.#isOver || read < WINDOW / 4) return;
    this.#granted += read;
    this.#outlet.send(encodeCredit(this.id, read));
  }
}
