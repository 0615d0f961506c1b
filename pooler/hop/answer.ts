/** How the hop's answers are written to node:http. */
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import { encodeFailure, encodeResult, FAILURE_HEADER, RESULT_HEADER, type Refused } from '../../shared/hop/codec.ts';
import type { TransactionError, TransactionOutcome, TransactionResult } from '../../shared/hop/types.ts';
import { endUnread } from '../unread.ts';

const noBody = new Uint8Array(0);

/** Writes the outcome of a transaction that was accepted: always 200, whatever came of it. A promise where the body streams. */
export function sendOutcome(response: ServerResponse, outcome: TransactionOutcome): Promise<void> | null {
  if (outcome.ok) return sendResult(response, outcome);
  const status = outcome.failure.kind === 'refused' ? outcome.failure.status : 200;
  sendFailure(response, status, outcome);
  return null;
}

function sendFailure(response: ServerResponse, status: number, error: TransactionError): void {
  const { header, preamble } = encodeFailure(error);
  const body = preamble ?? noBody;
  response.writeHead(status, [FAILURE_HEADER, header, 'Content-Length', String(body.length)]);
  response.end(body);
}

/** Refuses a request, be its body read or not. */
export function sendRefusal(request: IncomingMessage, response: ServerResponse, failure: Refused): void {
  if (request.readableEnded) {
    sendFailure(response, failure.status, { ok: false, snapshot: null, failure });
    return;
  }
  const { header } = encodeFailure({ ok: false, snapshot: null, failure });
  response.writeHead(failure.status, [FAILURE_HEADER, header, 'Content-Length', '0', 'Connection', 'close']);
  endUnread(request, response);
}

/** The whole answer that refuses something of which node:http makes no request. */
export function refusalText(failure: Refused): string {
  const { header } = encodeFailure({ ok: false, snapshot: null, failure });
  const status = `${failure.status} ${STATUS_CODES[failure.status]}`;
  return `HTTP/1.1 ${status}\r\n${FAILURE_HEADER}: ${header}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`;
}

/** Bytes up to which a body is copied into the write of the head: one system call in place of a slower, gathering one. */
const ONE_WRITE_LIMIT = 16 * 1024;

function sendResult(response: ServerResponse, result: TransactionResult): Promise<void> | null {
  const { snapshot, statements, body, length } = result;
  const { header, preamble } = encodeResult({ snapshot, statements, body: body === null ? null : length });
  const total = length + (preamble?.length ?? 0);
  response.writeHead(200, [
    RESULT_HEADER,
    header,
    'Content-Type',
    'application/octet-stream',
    'Content-Length',
    String(total),
  ]);
  if (preamble) response.write(preamble);
  if (body === null) response.end();
  else if (!(body instanceof Uint8Array)) return sendStream(response, body);
  else if (body.length > ONE_WRITE_LIMIT) response.end(body);
  // node:http writes head and text together.
  else response.end(Buffer.from(body.buffer, body.byteOffset, body.length).toString('latin1'), 'latin1');
  return null;
}

async function sendStream(response: ServerResponse, body: ReadableStream<Uint8Array>): Promise<void> {
  // Leaving the loop cancels the stream, and with it the statement.
  for await (const chunk of body) {
    if (response.destroyed) return;
    if (!response.write(chunk)) await drained(response);
  }
  response.end();
}

const drained = (response: ServerResponse): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.once('drain', done).once('close', done);
  });
