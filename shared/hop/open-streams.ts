/** The streams of a socket that are open. */

/** What is kept: its number, and where it stands. */
export interface Numbered {
  readonly id: number;
  /** The list's own. */
  place: number;
}

/**
 * In no order. Not a Map: one that is added to and deleted from with every request is dear (docs/performance.md). Looking a
 * number up is looking through the list, which is short or little used.
 */
export class OpenStreams<T extends Numbered> {
  readonly #open: T[] = [];

  get size(): number {
    return this.#open.length;
  }

  add(stream: T): void {
    stream.place = this.#open.length;
    this.#open.push(stream);
  }

  /** Takes it out; one that is not there is left alone. The last one takes its place. */
  remove(stream: T): void {
    if (this.#open[stream.place] !== stream) return;
    const last = this.#open.pop();
    if (last === undefined || last === stream) return;
    this.#open[stream.place] = last;
    last.place = stream.place;
  }

  find(id: number): T | undefined {
    return this.#open.find((stream) => stream.id === id);
  }

  /** All that are open now; what is done to them may take them out. */
  all(): readonly T[] {
    return [...this.#open];
  }
}
