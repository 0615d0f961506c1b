import { backend, ProtocolViolation } from './messages.ts';

/** Takes messages as they are cut out of the stream. */
export interface MessageHandler {
  /**
   * A whole message; its payload is bytes[start, end). With `owned` the bytes are the handler's to keep, otherwise they are overwritten by
   * the next read. Throws a ProtocolViolation for what must not come here.
   */
  message(type: number, bytes: Buffer, start: number, end: number, owned: boolean): void;
  /** Asked when a large DataRow arrives: whoever takes it in pieces, or null to have it whole. */
  rowStream(length: number): MessageStream | null;
}

/** Takes the payload of one message in pieces. The bytes are overwritten by the next read. */
export interface MessageStream {
  /** Returns false when no more shall be read for now. */
  piece(bytes: Buffer, start: number, end: number): boolean;
  end(): void;
}

/** Rows from this size on may be streamed: what one read delivers. */
const streamLimit = 64 * 1024;
/** PostgreSQL makes no longer message (MaxAllocSize). */
const maximum = 0x3fffffff;
/** Only these types may be long; for any other a large length means that we are not reading messages (as in libpq). */
const shortLimit = 30_000;

function mayBeLong(type: number): boolean {
  switch (type) {
    case backend.dataRow:
    case backend.copyData:
    case backend.errorResponse:
    case backend.noticeResponse:
    case backend.notificationResponse:
    case backend.rowDescription:
      return true;
    default:
      return false;
  }
}

/** Cuts a stream of chunks into messages. A message within one chunk is handed over where it lies; only split ones are copied. */
export class Reader {
  #handler: MessageHandler;
  readonly #header = Buffer.alloc(5);
  #headerLength = 0;
  // A message that began in an earlier chunk is either collected or streamed.
  #type = 0;
  #collected: Buffer | null = null;
  #filled = 0;
  #stream: MessageStream | null = null;
  #remaining = 0;
  #stopped = false;

  constructor(handler: MessageHandler) {
    this.#handler = handler;
  }

  /** From the next message on, somebody else takes them. */
  handOver(handler: MessageHandler): void {
    this.#handler = handler;
  }

  /** Whether the last message that began has arrived to its end. */
  get between(): boolean {
    return this.#headerLength === 0 && this.#collected === null && this.#stream === null;
  }

  /** Ignores everything that still comes. */
  stop(): void {
    this.#stopped = true;
  }

  /**
   * Takes the first `length` bytes of a chunk, which may be reused afterwards. Returns false when reading should pause. Throws a
   * ProtocolViolation.
   */
  push(chunk: Buffer, length: number): boolean {
    let position = 0;
    let goOn = true;
    while (position < length && !this.#stopped) {
      if (this.#stream !== null) {
        const end = Math.min(length, position + this.#remaining);
        this.#remaining -= end - position;
        if (!this.#stream.piece(chunk, position, end)) goOn = false;
        position = end;
        if (this.#remaining === 0) {
          const stream = this.#stream;
          this.#stream = null;
          stream.end();
        }
      } else if (this.#collected !== null) {
        const copied = chunk.copy(this.#collected, this.#filled, position, length);
        this.#filled += copied;
        position += copied;
        if (this.#filled === this.#collected.length) {
          const message = this.#collected;
          this.#collected = null;
          this.#handler.message(this.#type, message, 0, message.length, true);
        }
      } else if (this.#headerLength > 0 || length - position < 5) {
        const copied = chunk.copy(
          this.#header,
          this.#headerLength,
          position,
          Math.min(length, position + 5 - this.#headerLength),
        );
        this.#headerLength += copied;
        position += copied;
        if (this.#headerLength === 5) {
          this.#headerLength = 0;
          this.#open(this.#header[0] ?? 0, this.#checked(this.#header, 0));
        }
      } else {
        const payload = this.#checked(chunk, position);
        const type = chunk[position] ?? 0;
        position += 5;
        const end = position + payload;
        if (end <= length) {
          this.#handler.message(type, chunk, position, end, false);
          position = end;
        } else this.#open(type, payload);
      }
    }
    return goOn;
  }

  /** The length of the payload of the message whose header is at the position. */
  #checked(bytes: Buffer, position: number): number {
    const length = bytes.readInt32BE(position + 1);
    const type = bytes[position] ?? 0;
    if (length < 4 || length > maximum || (length > shortLimit && !mayBeLong(type))) {
      throw new ProtocolViolation(`a message of type ${type} cannot have the length ${length}`);
    }
    return length - 4;
  }

  #open(type: number, payload: number): void {
    if (payload === 0) {
      this.#handler.message(type, this.#header, 0, 0, false);
      return;
    }
    if (type === backend.dataRow && payload >= streamLimit) {
      this.#stream = this.#handler.rowStream(payload);
      this.#remaining = payload;
      if (this.#stream !== null) return;
    }
    this.#type = type;
    this.#filled = 0;
    this.#collected = Buffer.allocUnsafe(payload);
  }
}
