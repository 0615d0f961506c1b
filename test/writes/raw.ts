/** HTTP by hand, for requests that no client would send. */
import { connect } from 'node:net';

export interface RawRequest {
  readonly method?: string;
  readonly target: string;
  /** Lines; `Host` is there already. */
  readonly headers: readonly string[];
  readonly body: string | Uint8Array;
  /** What is done after the body: wait for the answer, say that nothing follows, or be gone. */
  readonly after?: 'wait' | 'end' | 'destroy';
}

/** The answer's status and body; null when the connection was closed without one. */
export function sendRaw(port: number, request: RawRequest): Promise<{ status: number; text: string } | null> {
  const { method = 'POST', target, headers, body, after = 'wait' } = request;
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let answer = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      answer += chunk;
      // workerd leaves the connection open whatever was asked.
      const [head = '', body] = answer.split('\r\n\r\n');
      const length = /^content-length: (\d+)/im.exec(head)?.[1];
      if (body !== undefined && length !== undefined && Buffer.byteLength(body) >= Number(length)) socket.end();
    });
    const done = (): void => {
      const status = /^HTTP\/1\.1 (\d+)/.exec(answer)?.[1];
      const [, text = ''] = answer.split('\r\n\r\n');
      resolve(status === undefined ? null : { status: Number(status), text });
    };
    socket.on('close', done).on('error', (error: Error & { code?: string }) => {
      if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') reject(error);
    });
    socket.write([`${method} ${target} HTTP/1.1`, 'Host: x', 'Connection: close', ...headers, '', ''].join('\r\n'));
    if (after === 'wait') socket.write(body);
    else if (after === 'end') socket.end(body);
    else socket.write(body, () => socket.destroy());
  });
}
