import { frontend, ProtocolViolation, stringEnd } from '../../wire/index.ts';

/** A message of the client's: its type, and all of its bytes, from the type on. They are the reader's to keep. */
export interface FrontendMessage {
  readonly type: number;
  readonly bytes: Buffer;
}

/** PostgreSQL's own limit for a startup packet (MAX_STARTUP_PACKET_LENGTH). */
const startupLimit = 10_000;
/** A password may be as long in PostgreSQL. Before it is verified nobody may send more. */
const passwordLimit = 65_535;

/** How a Terminate begins: its type and three bytes of its length. No startup packet has that length. */
const terminateStart = frontend.terminate << 24;

/** The client sent what is too large. */
export class MessageTooLarge extends Error {
  override readonly name = 'MessageTooLarge';
}

/**
 * Cuts what a client sends into messages, one when it is asked for. Frames say nothing about where a message begins or ends: one
 * may hold many, or a part of one.
 */
export class FrontendReader {
  readonly #limit: number;
  #chunks: Buffer[] = [];
  /** What has been read of the first chunk. */
  #position = 0;
  #available = 0;

  /** `limit`: bytes of the largest message that is taken once the client is known. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Bytes that wait to be asked for. */
  get available(): number {
    return this.#available;
  }

  /** The bytes are the reader's from now on. */
  push(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#available += chunk.length;
  }

  /** The payload of the next packet of a startup, from its code on, or null while it is not complete. Throws a ProtocolViolation. */
  startup(): Buffer | null {
    if (this.#available < 4) return null;
    const length = this.#peek(4).readInt32BE(0);
    if (length < 8 || length > startupLimit)
      throw new ProtocolViolation(`a startup packet cannot have the length ${length}`);
    return this.#available < length ? null : this.#take(length).subarray(4);
  }

  /** Whether a Terminate comes where a startup packet belongs: the client has changed its mind. */
  get isTerminated(): boolean {
    return this.#available >= 4 && this.#peek(4).readInt32BE(0) === terminateStart;
  }

  /** The password message, or null while it is not complete. Throws a ProtocolViolation. */
  password(): FrontendMessage | null {
    return this.#message(passwordLimit);
  }

  /** The next message, or null while it is not complete. Throws a ProtocolViolation or MessageTooLarge. */
  next(): FrontendMessage | null {
    return this.#message(this.#limit);
  }

  /** Drops everything. */
  clear(): void {
    this.#chunks = [];
    this.#position = 0;
    this.#available = 0;
  }

  #message(limit: number): FrontendMessage | null {
    if (this.#available < 5) return null;
    const first = this.#chunks[0];
    // It is nearly always in one piece.
    const whole = first !== undefined && first.length - this.#position >= 5;
    const header = whole ? first : this.#peek(5);
    const at = whole ? this.#position : 0;
    const type = header[at] ?? 0;
    const length = header.readInt32BE(at + 1);
    if (length < 4) throw new ProtocolViolation(`a message cannot have the length ${length}`);
    if (length > limit) throw new MessageTooLarge(`a message is longer than ${limit} bytes`);
    return this.#available < length + 1 ? null : { type, bytes: this.#take(length + 1) };
  }

  #peek(count: number): Buffer {
    const first = this.#chunks[0];
    if (first !== undefined && first.length - this.#position >= count) {
      return first.subarray(this.#position, this.#position + count);
    }
    const bytes = Buffer.allocUnsafe(count);
    let filled = 0;
    let from = this.#position;
    for (const chunk of this.#chunks) {
      filled += chunk.copy(bytes, filled, from, from + count - filled);
      from = 0;
      if (filled === count) break;
    }
    return bytes;
  }

  #take(count: number): Buffer {
    const bytes = this.#peek(count);
    this.#available -= count;
    this.#position += count;
    let passed = 0;
    for (let first = this.#chunks[0]; first !== undefined && this.#position >= first.length; ) {
      this.#position -= first.length;
      first = this.#chunks[++passed];
    }
    if (passed > 0) this.#chunks.splice(0, passed);
    return bytes;
  }
}

/** The zero-terminated string at a position of a message, and where the next thing begins. Throws a ProtocolViolation. */
export function stringAt(bytes: Buffer, start: number): { readonly text: string; readonly next: number } {
  if (bytes[start] === 0) return { text: '', next: start + 1 };
  const end = stringEnd(bytes, start, bytes.length);
  return { text: bytes.toString('utf8', start, end), next: end + 1 };
}
