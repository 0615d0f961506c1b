/** A large body on its way through: from the connection to whoever reads the answer, never whole in memory. */
import type { CancelSignal, Row, RowSink } from '../wire/index.ts';

/** Bytes that may wait for the reader before the connection pauses. */
const HIGH_WATER_MARK = 256 * 1024;

export type BodyStarted = (row: Row, length: number, body: ReadableStream<Uint8Array>) => void;

/**
 * Receives the last column of a row and gives it out as a stream. It is the flight's cancel signal too: a reader that
 * goes away cancels the statement, as the caller's own signal does.
 */
export class BodyStream implements RowSink, CancelSignal {
  readonly #outer: CancelSignal | null;
  readonly #started: BodyStarted;
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  #resume: () => void = () => undefined;
  #listener: (() => void) | null = null;
  #abandoned = false;
  /** Bytes still to come, and the last piece, which waits for the flight's end. */
  #left = 0;
  #last: Buffer | null = null;

  /** `started` is called once, when the body begins to arrive; never for a body that arrived whole. */
  constructor(outer: CancelSignal | null, started: BodyStarted) {
    this.#outer = outer;
    this.#started = started;
  }

  get aborted(): boolean {
    return this.#abandoned || this.#outer?.aborted === true;
  }

  addEventListener(type: 'abort', listener: () => void): void {
    this.#listener = listener;
    this.#outer?.addEventListener(type, listener);
  }

  removeEventListener(type: 'abort', listener: () => void): void {
    this.#listener = null;
    this.#outer?.removeEventListener(type, listener);
  }

  start(row: Row, length: number, resume: () => void): void {
    this.#resume = resume;
    this.#left = length;
    const body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => this.#resume(),
        cancel: () => this.#abandon(),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: HIGH_WATER_MARK }),
    );
    this.#started(row, length, body);
  }

  chunk(bytes: Buffer): boolean {
    if (this.#abandoned || this.#controller === null) return true;
    this.#left -= bytes.length;
    if (this.#left <= 0) this.#last = bytes;
    else this.#controller.enqueue(bytes);
    return (this.#controller.desiredSize ?? 0) > 0;
  }

  end(): void {
    // Closed by finish(): only the flight's end says that nothing failed. A reader who knows the length takes the last byte for it.
  }

  /** The flight has ended well (null) or not. */
  finish(failure: string | null): void {
    if (this.#abandoned || this.#controller === null) return;
    if (failure !== null) {
      this.#controller.error(new Error(failure));
      return;
    }
    if (this.#last !== null) this.#controller.enqueue(this.#last);
    this.#controller.close();
  }

  #abandon(): void {
    this.#abandoned = true;
    this.#listener?.();
    // What is still to come is dropped, so that the connection gets on.
    this.#resume();
  }
}
