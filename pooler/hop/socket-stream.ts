/** One message of a socket and its answer. */
import { Cancellation } from '../../shared/hop/cancellation.ts';
import {
  type DecodeLimits,
  failureText,
  type Refused,
  RequestDecoder,
  refuse,
  resultText,
} from '../../shared/hop/codec.ts';
import { encodeAnswer, encodeCredit, encodeFrame, FRAME_SIZE, WINDOW } from '../../shared/hop/frames.ts';
import type {
  Hop,
  ResultBody,
  TransactionError,
  TransactionOutcome,
  TransactionPayload,
  TransactionRequest,
  TransactionResult,
} from '../../shared/hop/types.ts';
import type { Claim, Memory } from '../memory.ts';

/** The socket, as its streams use it. */
export interface Outlet {
  readonly hop: Hop;
  readonly limits: DecodeLimits;
  readonly memory: Memory;
  send(frame: Uint8Array): void;
  /** Sends, and waits while more than enough is on its way already. */
  sendInTurn(frame: Uint8Array): Promise<void>;
  onRefused(failure: Refused): void;
  onError(error: unknown): void;
  /** The stream is over. */
  ended(stream: SocketStream): void;
}

export class SocketStream {
  readonly id: number;
  place = 0;
  /** What its payload takes. */
  readonly room: Claim;
  readonly #outlet: Outlet;
  readonly #decoder: RequestDecoder;
  readonly #gone = new Cancellation();
  readonly #began = performance.now();
  /** Whether its message is still arriving. */
  #isReading = true;
  /** Bytes of the message that have come, and that may. */
  #received = 0;
  #granted = WINDOW;
  /** Bytes of the body that may be sent. */
  #credit = WINDOW;
  #wake: (() => void) | null = null;

  constructor(id: number, outlet: Outlet) {
    this.id = id;
    this.#outlet = outlet;
    this.room = outlet.memory.claim();
    this.#decoder = new RequestDecoder(outlet.limits, (bytes) => this.room.take(bytes));
  }

  /** Takes a piece of the message. False for one that was not granted, or that comes after the last. */
  take(data: Uint8Array, last: boolean): boolean {
    this.#received += data.length;
    if (!this.#isReading || this.#received > this.#granted) return false;
    if (!this.#decoder.push(data) || last) this.#messageEnds();
    else this.#grant();
    return true;
  }

  /** The worker may be sent more. False for more than could be meant. */
  credit(bytes: number): boolean {
    this.#credit += bytes;
    this.#wake?.();
    return this.#credit <= WINDOW;
  }

  /** Nobody waits for the answer any more. */
  cancel(): void {
    this.#gone.abort();
    this.#wake?.();
    this.#outlet.ended(this);
  }

  /** Refuses a message that has taken longer than this many milliseconds to arrive. */
  expire(patience: number): void {
    if (!this.#isReading || performance.now() - this.#began < patience) return;
    this.refuse(refuse(408, 'slow', 'The message did not arrive in time.'));
  }

  refuse(failure: Refused): void {
    this.#isReading = false;
    this.#outlet.onRefused(failure);
    this.#fail({ ok: false, snapshot: null, failure });
  }

  #grant(): void {
    const left = this.#granted - this.#received;
    if (left > WINDOW / 2) return;
    this.#granted += WINDOW - left;
    this.#outlet.send(encodeCredit(this.id, WINDOW - left));
  }

  #messageEnds(): void {
    this.#isReading = false;
    const decoded = this.#decoder.end();
    if (decoded.ok) this.#run(decoded.request, decoded.payload);
    else this.refuse(decoded.failure);
  }

  #run(request: TransactionRequest, payload: TransactionPayload | null): void {
    this.#outlet.hop
      .transaction(request, payload, this.#gone)
      .then((outcome) => this.#answer(outcome))
      .catch((error: unknown) => {
        // The body broke off, or it is a mistake of ours: nothing of it goes out.
        if (this.#gone.aborted) return;
        this.#outlet.onError(error);
        this.#outlet.send(encodeFrame('reset', this.id, undefined, true));
        this.#outlet.ended(this);
      });
  }

  async #answer(outcome: TransactionOutcome): Promise<void> {
    if (this.#gone.aborted) {
      if (outcome.ok && outcome.body !== null && !(outcome.body instanceof Uint8Array)) await outcome.body.cancel();
      return;
    }
    if (!outcome.ok) this.#fail(outcome);
    else if (!this.#answeredAtOnce(outcome) && outcome.body !== null) await this.#stream(outcome, outcome.body);
  }

  #fail(error: TransactionError): void {
    this.#outlet.send(encodeAnswer(this.id, false, failureText(error)));
    this.#outlet.ended(this);
  }

  /** Answers in one frame where the body is not there or small. */
  #answeredAtOnce({ snapshot, statements, body, length }: TransactionResult): boolean {
    if (body !== null && !(body instanceof Uint8Array && body.length <= FRAME_SIZE)) return false;
    const facts = resultText({ snapshot, statements, body: body === null ? null : length });
    this.#outlet.send(encodeAnswer(this.id, true, facts, body ?? undefined));
    this.#outlet.ended(this);
    return true;
  }

  async #stream({ snapshot, statements, length }: TransactionResult, body: ResultBody): Promise<void> {
    const facts = resultText({ snapshot, statements, body: length });
    this.#outlet.send(encodeAnswer(this.id, true, facts, undefined, false));
    // Leaving the loop cancels the stream, and with it the statement.
    for await (const chunk of body instanceof Uint8Array ? [body] : body) {
      if (!(await this.#sendBody(chunk))) return;
    }
    if (this.#gone.aborted) return;
    this.#outlet.send(encodeFrame('body', this.id, undefined, true));
    this.#outlet.ended(this);
  }

  /** False when nobody waits for it any more. */
  async #sendBody(chunk: Uint8Array): Promise<boolean> {
    for (let at = 0; at < chunk.length; ) {
      while (this.#credit === 0 && !this.#gone.aborted) await this.#moreCredit();
      if (this.#gone.aborted) return false;
      const part = chunk.subarray(at, at + Math.min(FRAME_SIZE, this.#credit));
      this.#credit -= part.length;
      at += part.length;
      await this.#outlet.sendInTurn(encodeFrame('body', this.id, part));
    }
    return !this.#gone.aborted;
  }

  #moreCredit(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = null;
        resolve();
      };
    });
  }
}
