/** A payload that comes in pieces, gathered without being joined: what is large in memory is there once. */

/** Bytes. Small pieces by the thousand cost more than their bytes, and a piece may keep a larger buffer alive. */
const BLOCK = 256 * 1024;

export class Pieces {
  readonly #blocks: Uint8Array[] = [];
  /** How much of the last block is in use. */
  #used = 0;

  /** Adds a piece. The first one is referred to and must not change afterwards, the others are copied into blocks. */
  push(piece: Uint8Array): void {
    if (this.#blocks.length === 0) {
      this.#blocks.push(piece);
      this.#used = piece.length;
      return;
    }
    for (let at = 0; at < piece.length; ) {
      let block = this.#blocks.at(-1);
      if (block === undefined || this.#used === block.length) {
        block = new Uint8Array(BLOCK);
        this.#blocks.push(block);
        this.#used = 0;
      }
      const part = piece.subarray(at, at + block.length - this.#used);
      block.set(part, this.#used);
      this.#used += part.length;
      at += part.length;
    }
  }

  /** All that was added, in order. Nothing is added afterwards. */
  end(): readonly Uint8Array[] {
    const last = this.#blocks.pop();
    if (last !== undefined) this.#blocks.push(last.subarray(0, this.#used));
    return this.#blocks;
  }
}
