/** Chunks of this size and more are sent from where they are instead of being copied. */
const copyLimit = 32 * 1024;
const initialSize = 8 * 1024;
/** A buffer that has grown past this is given back after the write. */
const keepLimit = 256 * 1024;

/** What the writer needs of a socket. */
export interface Sink {
  cork(): void;
  uncork(): void;
  write(bytes: Uint8Array, written?: (error?: Error | null) => void): boolean;
  readonly writableLength: number;
}

/** Builds a run of frontend messages in one reusable buffer. */
export class Writer {
  #buffer = Buffer.allocUnsafeSlow(initialSize);
  #position = 0;
  /** Where the part begins that is not yet in #segments. */
  #start = 0;
  #segments: Buffer[] = [];
  // The message being written: its length field, which may be in a buffer that has been replaced since, and what it has outside of buffers.
  #lengthBuffer = this.#buffer;
  #lengthPosition = 0;
  #messageStart = 0;
  #outside = 0;

  byte(value: number): void {
    if (this.#position === this.#buffer.length) this.#grow(1);
    this.#buffer[this.#position++] = value;
  }

  int16(value: number): void {
    if (this.#position + 2 > this.#buffer.length) this.#grow(2);
    const buffer = this.#buffer;
    buffer[this.#position++] = value >>> 8;
    buffer[this.#position++] = value;
  }

  int32(value: number): void {
    if (this.#position + 4 > this.#buffer.length) this.#grow(4);
    const buffer = this.#buffer;
    buffer[this.#position++] = value >>> 24;
    buffer[this.#position++] = value >>> 16;
    buffer[this.#position++] = value >>> 8;
    buffer[this.#position++] = value;
  }

  /** Copies short constant bytes. */
  raw(bytes: Uint8Array): void {
    const length = bytes.length;
    if (this.#position + length > this.#buffer.length) this.#grow(length);
    if (length < 24) {
      const buffer = this.#buffer;
      let position = this.#position;
      for (let i = 0; i < length; i++) buffer[position++] = bytes[i] ?? 0;
    } else this.#buffer.set(bytes, this.#position);
    this.#position += length;
  }

  /** Copies bytes, or refers to them when they are many: they must not change before the write has ended. */
  bytes(bytes: Uint8Array): void {
    if (bytes.length < copyLimit) {
      this.raw(bytes);
      return;
    }
    if (this.#position > this.#start) this.#segments.push(this.#buffer.subarray(this.#start, this.#position));
    this.#start = this.#position;
    this.#segments.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    this.#outside += bytes.length;
  }

  /** A string that ends with a zero byte. Throws a RangeError when it holds one itself: the rest would be read as something else. */
  cstring(text: string): void {
    if (text.includes('\0')) throw new RangeError('a zero byte in a string for the server');
    this.#utf8(text);
    this.byte(0);
  }

  /** A string after its length in bytes, as Bind wants values. */
  sized(text: string): void {
    if (text.length >= copyLimit) {
      const bytes = Buffer.from(text);
      this.int32(bytes.length);
      this.bytes(bytes);
      return;
    }
    // Room for all of it first: the place of the length must not move.
    if (this.#position + 4 + text.length * 3 > this.#buffer.length) this.#grow(4 + text.length * 3);
    this.int32(0);
    const at = this.#position;
    this.#utf8(text);
    const length = this.#position - at;
    this.#buffer[at - 3] = length >>> 16;
    this.#buffer[at - 2] = length >>> 8;
    this.#buffer[at - 1] = length;
  }

  /** Begins a message; end() fills in its length. */
  begin(type: number): void {
    this.byte(type);
    this.int32(0);
    this.#lengthBuffer = this.#buffer;
    this.#lengthPosition = this.#position - 4;
    this.#messageStart = this.#position - 4;
    this.#outside = 0;
  }

  end(): void {
    this.#lengthBuffer.writeInt32BE(this.#position - this.#messageStart + this.#outside, this.#lengthPosition);
  }

  /** Drops what has been written since the last flush. */
  discard(): void {
    this.#position = 0;
    this.#start = 0;
    this.#segments = [];
    if (this.#buffer.length > keepLimit) this.#buffer = Buffer.allocUnsafeSlow(initialSize);
  }

  /** Hands everything to the socket. False when the kernel has not taken all of it yet. */
  flush(sink: Sink): boolean {
    if (this.#position === 0 && this.#segments.length === 0) return true;
    const last = this.#buffer.subarray(this.#start, this.#position);
    if (this.#segments.length === 0) sink.write(last);
    else {
      sink.cork();
      for (const segment of this.#segments) sink.write(segment);
      sink.write(last);
      sink.uncork();
    }
    const taken = sink.writableLength === 0;
    // Otherwise the socket still refers to the bytes.
    if (!taken) this.#buffer = Buffer.allocUnsafeSlow(initialSize);
    this.discard();
    return taken;
  }

  #utf8(text: string): void {
    const length = text.length;
    if (this.#position + length * 3 > this.#buffer.length) this.#grow(length * 3);
    const buffer = this.#buffer;
    let position = this.#position;
    if (length < 24) {
      // A call into the runtime costs more than a short loop.
      let i = 0;
      for (; i < length; i++) {
        const code = text.charCodeAt(i);
        if (code >= 0x80) break;
        buffer[position++] = code;
      }
      if (i === length) {
        this.#position = position;
        return;
      }
    }
    this.#position += buffer.write(text, this.#position, 'utf8');
  }

  #grow(wanted: number): void {
    const pending = this.#position - this.#start;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, pending + wanted + initialSize));
    this.#buffer.copy(grown, 0, this.#start, this.#position);
    if (this.#lengthBuffer === this.#buffer && this.#lengthPosition >= this.#start) {
      this.#lengthBuffer = grown;
      this.#lengthPosition -= this.#start;
    }
    this.#messageStart -= this.#start;
    this.#start = 0;
    this.#position = pending;
    this.#buffer = grown;
  }
}
