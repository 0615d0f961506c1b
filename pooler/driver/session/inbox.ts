import type { FrontendMessage, FrontendReader } from './frontend.ts';
import type { Peer } from './peer.ts';

/** Bytes that may wait before no more are read. */
const limit = 256 * 1024;

/** What a client has sent and what has not been dealt with. */
export class Inbox {
  readonly #reader: FrontendReader;
  readonly #peer: Peer;
  #first: FrontendMessage | null = null;
  #paused = false;

  constructor(reader: FrontendReader, peer: Peer) {
    this.#reader = reader;
    this.#peer = peer;
  }

  /** The message whose turn it is; null while there is none. Throws a ProtocolViolation or MessageTooLarge. */
  get first(): FrontendMessage | null {
    this.#first ??= this.#reader.next();
    return this.#first;
  }

  /** It is dealt with. */
  shift(): void {
    this.#first = null;
  }

  /** Stops reading when much waits, and goes on when it does not. `waits`: nothing of it can be dealt with just now. */
  throttle(waits: boolean): void {
    const full = (waits || this.#first !== null) && this.#reader.available >= limit;
    if (full === this.#paused) return;
    this.#paused = full;
    if (full) this.#peer.pause();
    else this.#peer.resume();
  }

  /** Drops everything, and reads what still comes. */
  clear(): void {
    this.#reader.clear();
    this.#first = null;
    this.throttle(false);
  }
}
