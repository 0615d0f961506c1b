import type { IncomingMessage, ServerResponse } from 'node:http';

/** Milliseconds for which the rest of a request that has been answered is still taken and dropped. */
const LINGER = 2000;

/**
 * Sends an answer, without a body unless one is given, to a request that has not been read to its end; its head says `Connection: close`,
 * since the connection cannot carry another one. What is still being sent is dropped for a moment: closing at once would reset the
 * connection before the client reads the answer (RFC 9112, 9.6).
 */
export function endUnread(request: IncomingMessage, response: ServerResponse, body = ''): void {
  if (body === '') response.flushHeaders();
  else response.write(body);
  const end = (): void => {
    clearTimeout(timer);
    response.end();
  };
  const timer = setTimeout(end, LINGER);
  request.once('end', end).once('error', end).resume();
}
