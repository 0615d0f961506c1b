/** A message on its way up, as a stream that fetch takes. */

export class UploadStream {
  readonly stream: ReadableStream<Uint8Array>;
  #failure: unknown = null;

  /** What iterating throws breaks the stream off, and is kept: fetch may not pass it on. */
  constructor(pieces: AsyncGenerator<Uint8Array, void, undefined>) {
    this.stream = new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        try {
          const next = await pieces.next();
          if (next.done === true) controller.close();
          else controller.enqueue(next.value);
        } catch (error) {
          this.#failure = error;
          controller.error(error);
        }
      },
      cancel: async () => {
        await pieces.return();
      },
    });
  }

  /** What broke it off; null when nothing did. */
  get failure(): unknown {
    return this.#failure;
  }
}
