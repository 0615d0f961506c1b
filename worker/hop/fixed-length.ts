/** workerd's stream that knows its length. */
const FixedLengthStream: unknown = Reflect.get(globalThis, 'FixedLengthStream');

/**
 * A stream of so many bytes as one whose failure the client sees. workerd gives a stream that is made in JavaScript no length, whatever the
 * response's headers say, but sends it in chunks, and ends them where it fails as if it had come to its end: the part would pass for
 * the whole. Elsewhere the headers count.
 */
export function ofLength(stream: ReadableStream<Uint8Array>, length: number): ReadableStream<Uint8Array> {
  if (typeof FixedLengthStream !== 'function') return stream;
  const fixed: unknown = Reflect.construct(FixedLengthStream, [length]);
  if (!(fixed instanceof TransformStream)) return stream;
  // What fails on one side is the other's to tell.
  stream.pipeTo(fixed.writable).catch(() => undefined);
  return fixed.readable;
}
