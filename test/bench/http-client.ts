/** A client that asks the same question again and again over one connection, and reads no more of the answer than it has to. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Load } from './loads.ts';

const HEAD_END = '\r\n\r\n';

export class HttpClient {
  readonly #socket: Socket;
  readonly #question: Buffer;
  #answer = '';
  #answered: () => void = () => undefined;
  #failed: (error: Error) => void = () => undefined;

  private constructor(socket: Socket, question: Buffer) {
    this.#socket = socket;
    this.#question = question;
    socket.setNoDelay(true);
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => this.#data(text));
    socket.on('error', (error) => this.#failed(error));
    socket.on('close', () => this.#failed(new Error('the server closed the connection')));
  }

  /** Connects to a port of this machine. */
  static async open(port: number, { method, target, body }: Load, token: string): Promise<HttpClient> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    const head = [
      `${method} ${target} HTTP/1.1`,
      `Host: 127.0.0.1:${port}`,
      'User-Agent: bench',
      `Authorization: Bearer ${token}`,
      ...(body === '' ? [] : ['Content-Type: application/json', `Content-Length: ${Buffer.byteLength(body)}`]),
    ];
    return new HttpClient(socket, Buffer.from(`${head.join('\r\n')}${HEAD_END}${body}`));
  }

  /** Resolves when the answer is complete. Rejects where its status is no success, with the answer's beginning. */
  request(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#answered = resolve;
      this.#failed = reject;
      this.#socket.write(this.#question);
    });
  }

  #data(text: string): void {
    this.#answer += text;
    const head = this.#answer.indexOf(HEAD_END);
    if (head < 0 || !isWhole(this.#answer, head)) return;
    const answer = this.#answer;
    this.#answer = '';
    if (answer.startsWith('HTTP/1.1 2')) this.#answered();
    else this.#failed(new Error(`not answered: ${answer.slice(0, 500)}`));
  }
}

/** Whether the body is here; without a length it is chunked, or there is none. */
function isWhole(answer: string, head: number): boolean {
  const length = /\r\ncontent-length: *(\d+)/i.exec(answer);
  if (length !== null && length.index < head) return answer.length >= head + HEAD_END.length + Number(length[1]);
  const chunked = /\r\ntransfer-encoding: *chunked/i.exec(answer);
  return chunked === null || chunked.index > head || answer.endsWith('0\r\n\r\n');
}
