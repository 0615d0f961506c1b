/** A client that tells an answer from a connection that was lost, and can go away. */
import { Agent, request } from 'node:http';
import type { Departure } from '../../edge/client.ts';
import type { Question } from './questions.ts';

/** `lost`: there is no whole answer, but perhaps its beginning. `impatient`: the client has waited long enough and gone away. */
export type Answer =
  | { readonly kind: 'answered'; readonly status: number; readonly text: string }
  | { readonly kind: 'lost'; readonly status: number | null; readonly reason: string; readonly text: string }
  | { readonly kind: 'impatient' };

export class HttpClient {
  readonly #agent = new Agent({ keepAlive: true });
  readonly #port: number;
  readonly #patience: number;
  readonly #departure: Departure;

  /** A server on a port of this machine; `patience` in milliseconds. */
  constructor(port: number, patience: number, departure: Departure = 'close') {
    this.#port = port;
    this.#patience = patience;
    this.#departure = departure;
  }

  ask({ method, target, headers, body, leavesAfter }: Question): Promise<Answer> {
    return new Promise((resolve) => {
      const length = method === 'POST' ? { 'content-length': Buffer.byteLength(body) } : {};
      const asked = request({
        agent: this.#agent,
        host: '127.0.0.1',
        port: this.#port,
        method,
        path: target,
        headers: { ...headers, ...length },
      });
      const leaving = setTimeout(() => {
        if (leavesAfter === null) resolve({ kind: 'impatient' });
        if (this.#departure === 'reset' && asked.socket !== null) asked.socket.resetAndDestroy();
        else asked.destroy(new Error('left'));
      }, leavesAfter ?? this.#patience);
      let status: number | null = null;
      let text = '';
      const lost = (error: Error) => resolve({ kind: 'lost', status, reason: error.message, text });
      asked.on('error', lost).on('close', () => {
        clearTimeout(leaving);
        lost(new Error('closed'));
      });
      asked.on('response', (response) => {
        status = response.statusCode ?? 0;
        const answered = status;
        response
          .setEncoding('utf8')
          .on('data', (chunk: string) => {
            text += chunk;
          })
          .on('error', lost)
          .on('end', () => resolve({ kind: 'answered', status: answered, text }));
      });
      asked.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}
