import { backend, ProtocolViolation } from './messages.ts';

/** Who looks at messages that pass by. */
export interface Onlooker {
  /**
   * A whole message, bytes[start, end) from its type on; they are overwritten by the next read. False keeps it from being passed on.
   * Throws a ProtocolViolation for what must not come here.
   */
  inspect(type: number, bytes: Buffer, start: number, end: number): boolean;
  /** A row description has passed by, which nobody needs to see. */
  described(): void;
  /** What is to be put in behind the message that was told last; null for nothing. */
  insertion(): readonly Buffer[] | null;
}

const maximum = 0x3fffffff;
const headerLength = 5;

/** Messages with data: they pass in pieces, as they arrive. */
function isData(type: number): boolean {
  switch (type) {
    case backend.dataRow:
    case backend.copyData:
    case backend.functionCallResponse:
    case backend.parameterDescription:
    case backend.rowDescription:
      return true;
    default:
      return false;
  }
}

/**
 * Passes a server's messages on without taking them apart. Runs of them stay one piece; only the small ones that say where an
 * exchange stands are looked at, and held back until they are whole.
 */
export class MessageScanner {
  readonly #onlooker: Onlooker;
  /** The data message that is passing, and how much of it is still to come. */
  #passing = 0;
  #remaining = 0;
  /** The beginning of a message that is not whole, and how much is needed to go on. */
  #held: Buffer[] = [];
  #heldLength = 0;
  #needed = 0;

  constructor(onlooker: Onlooker) {
    this.#onlooker = onlooker;
  }

  /** Whether the last message that began has arrived to its end. */
  get between(): boolean {
    return this.#remaining === 0 && this.#heldLength === 0;
  }

  /**
   * Takes the first `length` bytes of a chunk, and returns what is to be passed on; null for nothing. Both may be overwritten afterwards. Throws
   * a ProtocolViolation.
   */
  push(chunk: Buffer, length: number): Buffer | null {
    if (this.#heldLength === 0) return this.#scan(chunk, length);
    this.#hold(chunk, 0, length);
    if (this.#heldLength < this.#needed) return null;
    const whole = Buffer.concat(this.#held);
    this.#held = [];
    this.#heldLength = 0;
    return this.#scan(whole, whole.length);
  }

  #scan(chunk: Buffer, length: number): Buffer | null {
    const parts: Buffer[] = [];
    let position = 0;
    // From here to the position everything is passed on.
    let run = 0;
    const cut = (end: number, next: number): void => {
      if (end > run) parts.push(chunk.subarray(run, end));
      run = next;
    };
    const insert = (): void => {
      const inserted = this.#onlooker.insertion();
      if (inserted === null) return;
      cut(position, position);
      parts.push(...inserted);
    };
    while (position < length) {
      const left = length - position;
      if (this.#remaining > 0) {
        const taken = Math.min(this.#remaining, left);
        this.#remaining -= taken;
        position += taken;
        if (this.#remaining > 0 || this.#passing !== backend.rowDescription) continue;
        this.#onlooker.described();
        insert();
        continue;
      }
      const total = left < headerLength ? headerLength : totalLength(chunk, position);
      const type = chunk[position] ?? 0;
      if (left >= headerLength && isData(type)) {
        this.#passing = type;
        this.#remaining = total;
        continue;
      }
      if (left < total) {
        this.#needed = total;
        this.#hold(chunk, position, length);
        cut(position, length);
        break;
      }
      if (!this.#onlooker.inspect(type, chunk, position, position + total)) cut(position, position + total);
      position += total;
      insert();
    }
    cut(length, length);
    const [only] = parts;
    if (only === undefined) return null;
    return parts.length === 1 ? only : Buffer.concat(parts);
  }

  #hold(chunk: Buffer, start: number, end: number): void {
    this.#held.push(Buffer.from(chunk.subarray(start, end)));
    this.#heldLength += end - start;
  }
}

/** Of the message whose header is at the position. */
function totalLength(bytes: Buffer, position: number): number {
  const length = bytes.readInt32BE(position + 1);
  if (length < 4 || length > maximum) {
    throw new ProtocolViolation(`a message of type ${bytes[position]} cannot have the length ${length}`);
  }
  return length + 1;
}
