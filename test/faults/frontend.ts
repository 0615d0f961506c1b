const startupCodes = { cancel: 80877102, ssl: 80877103 } as const;

/** Reads what a client sends to PostgreSQL, in whatever pieces, and counts the messages by type. */
export class FrontendCounter {
  /** Messages by their type's letter. */
  readonly messages = new Map<string, number>();
  /** Null until the first message has told. */
  kind: 'session' | 'cancel' | 'ssl' | 'encrypted' | null = null;
  #pending: Buffer = Buffer.alloc(0);
  #skip = 0;

  take(chunk: Buffer): void {
    // A TLS handshake begins with its record's type (22), a startup message with the first byte of its length.
    if (this.kind === 'ssl' && this.#pending.length === 0 && chunk[0] !== 0) this.kind = 'encrypted';
    if (this.kind === 'encrypted') return;
    let at = Math.min(this.#skip, chunk.length);
    this.#skip -= at;
    let bytes = Buffer.concat([this.#pending, chunk.subarray(at)]);
    this.#pending = Buffer.alloc(0);
    at = 0;
    while (at < bytes.length) {
      const header = this.kind === 'session' ? 5 : 8;
      if (bytes.length - at < header) break;
      if (this.kind === 'session') {
        const type = String.fromCharCode(bytes[at] ?? 0);
        this.messages.set(type, (this.messages.get(type) ?? 0) + 1);
        at += 1 + bytes.readInt32BE(at + 1);
      } else {
        const code = bytes.readInt32BE(at + 4);
        this.kind = code === startupCodes.cancel ? 'cancel' : code === startupCodes.ssl ? 'ssl' : 'session';
        at += bytes.readInt32BE(at);
      }
    }
    if (at > bytes.length) {
      this.#skip = at - bytes.length;
      bytes = Buffer.alloc(0);
    } else this.#pending = Buffer.from(bytes.subarray(at));
  }
}
