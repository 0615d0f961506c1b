/** Bodies: small ones whole, large ones as they come, so that what only passes through is never whole in memory. */

import { joined } from '../../shared/bytes.ts';
import { ApiError } from '../error.ts';

/** Bytes; a body is large beyond it. */
export const WHOLE_LIMIT = 1024 * 1024;

/** Bytes of a body without use that are still read: a client that is sending when the connection closes may miss the answer. */
const DISCARD_LIMIT = 64 * 1024 * 1024;

/** The client went away, or its connection did, before it had sent all. */
export const brokenOff = (): ApiError =>
  new ApiError(400, { code: 'EDGE011', message: 'The request body broke off before its end' });

/** A large body: what has been read of it, and the rest as it comes. What goes wrong while reading is an ApiError. */
export class LargeBody {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #kept: Uint8Array[] = [];
  #hasEnded = false;
  #isTaken = false;

  constructor(source: AsyncIterator<Uint8Array>) {
    this.#source = source;
  }

  /** What has been read and is still here. */
  get beginning(): readonly Uint8Array[] {
    return this.#kept;
  }

  /** Whether it was handed out: then it is not here a second time. */
  get isTaken(): boolean {
    return this.#isTaken;
  }

  /** Reads one more piece and keeps it; null at the end. */
  async next(): Promise<Uint8Array | null> {
    const piece = await this.#read();
    if (piece !== null) this.#kept.push(piece);
    return piece;
  }

  /** All of it, in one piece. */
  async whole(): Promise<Uint8Array> {
    while ((await this.next()) !== null);
    return joined(this.#kept);
  }

  /** Hands it out piece by piece, once, and keeps nothing. */
  async *take(): AsyncGenerator<Uint8Array, void, undefined> {
    this.#isTaken = true;
    for (let piece = this.#kept.shift(); piece !== undefined; piece = this.#kept.shift()) yield piece;
    for (let piece = await this.#read(); piece !== null; piece = await this.#read()) yield piece;
  }

  /** Reads what is left and drops it. False when there is too much of it, or when it broke off. */
  async discard(): Promise<boolean> {
    this.#isTaken = true;
    this.#kept.length = 0;
    try {
      let length = 0;
      for (let piece = await this.#read(); piece !== null; piece = await this.#read()) {
        length += piece.length;
        if (length > DISCARD_LIMIT) return false;
      }
      return true;
    } catch {
      return false;
    }
  }

  async #read(): Promise<Uint8Array | null> {
    if (this.#hasEnded) return null;
    try {
      const next = await this.#source.next();
      if (next.done !== true) return next.value;
      this.#hasEnded = true;
      return null;
    } catch (error) {
      throw error instanceof ApiError ? error : brokenOff();
    }
  }
}

/** Reads a body as far as it needs to tell whether it is large. Throws ApiError. */
export async function readBody(source: AsyncIterator<Uint8Array>): Promise<Uint8Array | LargeBody> {
  const body = new LargeBody(source);
  let length = 0;
  while (length <= WHOLE_LIMIT) {
    const piece = await body.next();
    if (piece === null) return body.whole();
    length += piece.length;
  }
  return body;
}
