/** Reads an answer of the pooler: facts from a header or a preamble, the body as the stream that it is. */
import { joined } from '../../shared/bytes.ts';
import {
  decodeFailure,
  decodeResult,
  FAILURE_HEADER,
  HEAD_LIMIT,
  PREAMBLE,
  RESULT_HEADER,
} from '../../shared/hop/codec.ts';
import type { TransactionOutcome } from '../../shared/hop/types.ts';
import { ofLength } from './fixed-length.ts';

/** Where the facts are, and what of the body is left. */
interface Parts {
  readonly facts: string;
  readonly body: ReadableStream<Uint8Array> | null;
}

/** Takes the preamble off a body; null when it is cut or too long. */
async function splitPreamble(body: ReadableStream<Uint8Array>): Promise<Parts | null> {
  const reader = body.getReader();
  let bytes: Uint8Array = new Uint8Array(0);
  let end = 4;
  for (;;) {
    if (bytes.length >= 4) {
      const length = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0);
      if (length > HEAD_LIMIT) return null;
      end = 4 + length;
    }
    if (bytes.length >= end && end > 4) break;
    const next = await reader.read();
    if (next.done) return null;
    bytes = joined([bytes, next.value]);
  }
  const rest = bytes.subarray(end);
  const left = new ReadableStream<Uint8Array>({
    start(controller) {
      if (rest.length > 0) controller.enqueue(rest);
    },
    async pull(controller) {
      const next = await reader.read();
      if (next.done) controller.close();
      else controller.enqueue(next.value);
    },
    cancel: (reason) => reader.cancel(reason),
  });
  return { facts: new TextDecoder().decode(bytes.subarray(4, end)), body: left };
}

async function partsOf(header: string, body: ReadableStream<Uint8Array> | null): Promise<Parts | null> {
  if (header !== PREAMBLE) return { facts: header, body };
  return body === null ? null : await splitPreamble(body);
}

/** The outcome in an answer; null when the answer is not the pooler's. Rejects when it breaks off. */
export async function readAnswer(response: Response): Promise<TransactionOutcome | null> {
  const result = response.headers.get(RESULT_HEADER);
  const failure = response.headers.get(FAILURE_HEADER);
  const parts = await partsOf(result ?? failure ?? '', response.body);
  if (parts !== null && response.status === 200 && result !== null) {
    const facts = decodeResult(parts.facts);
    if (facts !== null) {
      const { snapshot, statements, body: length } = facts;
      if (length === null || length === 0 || parts.body === null) {
        await parts.body?.cancel();
        const body = length === 0 ? new Uint8Array(0) : null;
        return length === null || length === 0 ? { ok: true, snapshot, statements, body, length: 0 } : null;
      }
      // The stream goes on to the client untouched: no chunk of it is looked at here, but for a preamble in front.
      const body = result === PREAMBLE ? ofLength(parts.body, length) : parts.body;
      return { ok: true, snapshot, statements, body, length };
    }
  }
  await parts?.body?.cancel();
  return parts !== null && failure !== null ? decodeFailure(parts.facts) : null;
}
