/**
 * The least that talks to PostgreSQL: bytes made beforehand, one batch at a time, answers skipped up to ReadyForQuery.
 * Only the login is the pooler's; what is measured shares nothing with it.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Authentication } from '../../pooler/wire/auth.ts';
import { Secret } from '../../pooler/wire/secret.ts';
import { Writer } from '../../pooler/wire/writer.ts';

const text = (value: string): Buffer => Buffer.from(`${value}\0`);

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function message(type: string, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from(type), int32(body.length + 4), body]);
}

/** Parse, of a statement with a name. */
export const parse = (name: string, sql: string): Buffer => message('P', text(name), text(sql), int16(0));

/** Bind and Execute, of a named statement with values as text. */
export function execute(name: string, values: readonly string[]): Buffer {
  const bound = values.map((value) => Buffer.concat([int32(Buffer.byteLength(value)), Buffer.from(value)]));
  const bind = message('B', text(''), text(name), int16(0), int16(values.length), ...bound, int16(0));
  return Buffer.concat([bind, message('E', text(''), int32(0))]);
}

export const sync = message('S');

const AUTHENTICATION = 0x52;
const ERROR = 0x45;
const DATA_ROW = 0x44;
const READY = 0x5a;

const PROTOCOL_3_0 = 196608;

export interface Login {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string;
}

/** One connection without TLS. */
export class BareConnection {
  readonly #socket: Socket;
  readonly #authentication: Authentication;
  #rest: Buffer | null = null;
  #ready: () => void = () => undefined;
  #failed: (error: Error) => void = () => undefined;
  #error: string | null = null;
  #rows = 0;

  private constructor(socket: Socket, { user, password }: Login) {
    this.#socket = socket;
    this.#authentication = new Authentication({ user, password: new Secret(password) }, 'disable', null);
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#data(chunk));
    socket.on('close', () => this.#failed(new Error(this.#error ?? 'the connection was lost')));
    socket.on('error', (error) => this.#failed(error));
  }

  /** Logs in. Rejects where that fails. */
  static async open(login: Login): Promise<BareConnection> {
    const socket = connect(login.port, login.host);
    await once(socket, 'connect');
    const connection = new BareConnection(socket, login);
    const parameters = ['user', login.user, 'database', login.database, ''].map(text);
    const startup = Buffer.concat([int32(PROTOCOL_3_0), ...parameters]);
    await connection.send(Buffer.concat([int32(startup.length + 4), startup]));
    return connection;
  }

  /** Sends a batch that ends in Sync and resolves with the number of rows at ReadyForQuery. Rejects with the server's error. */
  send(batch: Buffer): Promise<number> {
    this.#rows = 0;
    return new Promise((resolve, reject) => {
      this.#ready = () => resolve(this.#rows);
      this.#failed = reject;
      this.#socket.write(batch);
    });
  }

  #data(received: Buffer): void {
    const chunk = this.#rest === null ? received : Buffer.concat([this.#rest, received]);
    this.#rest = null;
    let at = 0;
    while (chunk.length - at >= 5) {
      const end = at + 1 + chunk.readInt32BE(at + 1);
      if (end > chunk.length) break;
      this.#message(chunk[at] ?? 0, chunk, at + 5, end);
      at = end;
    }
    if (at < chunk.length) this.#rest = chunk.subarray(at);
  }

  #message(type: number, chunk: Buffer, start: number, end: number): void {
    if (type === DATA_ROW) this.#rows++;
    else if (type === READY) {
      if (this.#error === null) this.#ready();
      else this.#failed(new Error(this.#error));
      this.#error = null;
    } else if (type === ERROR) this.#error ??= chunk.toString('utf8', start, end).replaceAll('\0', ' ').trim();
    else if (type === AUTHENTICATION) this.#authenticate(Buffer.from(chunk.subarray(start, end)));
  }

  #authenticate(payload: Buffer): void {
    const writer = new Writer();
    const flush = (): void => {
      writer.flush(this.#socket);
    };
    const later = this.#authentication.answer(payload, writer);
    if (later === undefined) flush();
    else later.then(flush, (error: Error) => this.#failed(error));
  }
}
