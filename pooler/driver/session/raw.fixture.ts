/** A client that speaks the protocol message by message. */
import { once } from 'node:events';
import WebSocket from 'ws';

export interface Message {
  readonly type: string;
  readonly payload: Buffer;
}

export const cstring = (text: string): Buffer => Buffer.from(`${text}\0`);

export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

const int16 = (value: number): Buffer => int32(value).subarray(2);

export const message = (type: string, ...parts: readonly Buffer[]): Buffer => {
  const payload = Buffer.concat(parts);
  return Buffer.concat([Buffer.from(type), int32(payload.length + 4), payload]);
};

export const packet = (code: number, ...parts: readonly Buffer[]): Buffer => {
  const payload = Buffer.concat([int32(code), ...parts]);
  return Buffer.concat([int32(payload.length + 4), payload]);
};

export const startup = (parameters: Readonly<Record<string, string>>): Buffer =>
  packet(
    196_608,
    ...Object.entries(parameters).flatMap(([name, value]) => [cstring(name), cstring(value)]),
    int32(0).subarray(3),
  );

export const password = (text: string): Buffer => message('p', cstring(text));
export const query = (text: string): Buffer => message('Q', cstring(text));
export const parse = (name: string, text: string): Buffer => message('P', cstring(name), cstring(text), int16(0));
export const bind = (name: string, ...values: readonly string[]): Buffer =>
  message(
    'B',
    cstring(''),
    cstring(name),
    int16(0),
    int16(values.length),
    ...values.flatMap((value) => [int32(Buffer.byteLength(value)), Buffer.from(value)]),
    int16(0),
  );
export const describeStatement = (name: string): Buffer => message('D', Buffer.from('S'), cstring(name));
export const closeStatement = (name: string): Buffer => message('C', Buffer.from('S'), cstring(name));
export const execute = message('E', cstring(''), int32(0));
export const sync = message('S');
export const terminate = message('X');

/** The fields of an ErrorResponse by their letters. */
export function fieldsOf({ payload }: Message): Readonly<Record<string, string>> {
  const texts = payload.toString().split('\0');
  return Object.fromEntries(texts.filter((text) => text !== '').map((text) => [text.charAt(0), text.slice(1)]));
}

/** A row's values. */
export function valuesOf({ payload }: Message): readonly (string | null)[] {
  const values: (string | null)[] = [];
  for (let at = 2; at < payload.length; ) {
    const length = payload.readInt32BE(at);
    values.push(length < 0 ? null : payload.toString('utf8', at + 4, at + 4 + length));
    at += 4 + Math.max(0, length);
  }
  return values;
}

/** All whole messages of some bytes. */
export function messagesOf(bytes: Buffer): readonly Message[] {
  const messages: Message[] = [];
  for (let at = 0; at + 5 <= bytes.length; ) {
    const end = at + 1 + bytes.readInt32BE(at + 1);
    if (end > bytes.length) break;
    messages.push({ type: bytes.toString('latin1', at, at + 1), payload: bytes.subarray(at + 5, end) });
    at = end;
  }
  return messages;
}

export class RawClient {
  readonly socket: WebSocket;
  #bytes = Buffer.alloc(0);
  readonly #messages: Message[] = [];
  #wake = (): void => undefined;

  constructor(port: number, path = '/v2') {
    this.socket = new WebSocket(`ws://127.0.0.1:${port}${path}`);
    this.socket.on('error', () => undefined);
    this.socket.on('close', () => this.#wake());
    this.socket.on('message', (data) => {
      if (Buffer.isBuffer(data)) this.#bytes = Buffer.concat([this.#bytes, data]);
      this.#cut();
      this.#wake();
    });
  }

  /** Connects and logs in, in one frame with whatever else is given; resolves when it is ready. */
  static async login(port: number, parameters: Readonly<Record<string, string>>, secret: string): Promise<RawClient> {
    const client = new RawClient(port);
    await client.opened();
    client.send(startup(parameters), password(secret));
    await client.until('Z');
    return client;
  }

  async opened(): Promise<void> {
    await once(this.socket, 'open');
  }

  /** In one frame. */
  send(...messages: readonly Buffer[]): void {
    this.socket.send(Buffer.concat(messages));
  }

  /** Everything up to the next message of this type, which has to come. */
  async until(type: string): Promise<readonly Message[]> {
    for (;;) {
      const at = this.#messages.findIndex((each) => each.type === type);
      if (at >= 0) return this.#messages.splice(0, at + 1);
      if (this.socket.readyState === WebSocket.CLOSED) {
        throw new Error(`closed after ${this.#messages.map((each) => each.type).join('')}`);
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
  }

  /** The fields of the next ErrorResponse, which has to come. */
  async error(): Promise<Readonly<Record<string, string>>> {
    const found = (await this.until('E')).at(-1);
    return found === undefined ? {} : fieldsOf(found);
  }

  /** The types of what comes up to the next ReadyForQuery, and its status. */
  async round(): Promise<string> {
    const messages = await this.until('Z');
    return messages.map(({ type, payload }) => (type === 'Z' ? `Z${payload}` : type)).join('');
  }

  /** Resolves with the close code. */
  async closed(): Promise<number> {
    const [code] = this.socket.readyState === WebSocket.CLOSED ? [1000] : await once(this.socket, 'close');
    return Number(code);
  }

  #cut(): void {
    while (this.#bytes.length >= 1) {
      // The answer to a request for encryption is no message.
      if (this.#bytes[0] === 0x4e && this.#bytes.length === 1) {
        this.#messages.push({ type: 'no', payload: Buffer.alloc(0) });
        this.#bytes = Buffer.alloc(0);
        return;
      }
      if (this.#bytes.length < 5) return;
      const end = 1 + this.#bytes.readInt32BE(1);
      if (this.#bytes.length < end) return;
      this.#messages.push({ type: this.#bytes.toString('latin1', 0, 1), payload: this.#bytes.subarray(5, end) });
      this.#bytes = this.#bytes.subarray(end);
    }
  }
}
