import { Authentication } from './auth.ts';
import type { ConnectionConfig, Endpoint } from './config.ts';
import { ConnectionError, type DatabaseError } from './errors.ts';
import { readError, readParameter } from './fields.ts';
import { backend, ProtocolViolation, protocolVersion } from './messages.ts';
import { type MessageHandler, type MessageStream, Reader } from './reader.ts';
import { openTransport, type Transport, type TransportListener } from './transport.ts';
import { Writer } from './writer.ts';

/** A connection that is logged in and ready. */
export type Session = {
  readonly transport: Transport;
  readonly reader: Reader;
  /** The address that was reached: where a CancelRequest has to go. */
  readonly endpoint: Endpoint;
  readonly processId: number;
  readonly cancelKey: Buffer;
  readonly parameters: Map<string, string>;
};

/** From PostgreSQL 14 on: how often the server looks, while it runs a statement, whether we are still there. */
export const lossCheck = ['client_connection_check_interval', '1s'] as const;

/**
 * Connects and logs in; `extra` are settings of the session, names and values in turn. Rejects with a ConnectionError; aborting the signal
 * gives up with its reason.
 */
export async function openSession(
  config: ConnectionConfig,
  endpoint: Endpoint,
  encrypt: 'no' | 'optional' | 'required',
  extra: readonly string[],
  signal: AbortSignal,
): Promise<Session> {
  const transport = await openTransport(endpoint, config.tls, encrypt, signal);
  const abort = () => transport.destroy();
  signal.addEventListener('abort', abort);
  try {
    signal.throwIfAborted();
    return await new Promise<Session>((resolve, reject) => {
      new Startup(config, endpoint, transport, extra, resolve, reject).begin();
    });
  } catch (error) {
    await transport.gone();
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

class Startup implements MessageHandler, TransportListener {
  readonly #config: ConnectionConfig;
  readonly #endpoint: Endpoint;
  readonly #transport: Transport;
  readonly #extra: readonly string[];
  readonly #resolve: (session: Session) => void;
  readonly #reject: (error: ConnectionError) => void;
  readonly #writer = new Writer();
  readonly #reader = new Reader(this);
  readonly #authentication: Authentication;
  readonly #parameters = new Map<string, string>();
  #authenticated = false;
  #ready = false;
  #processId = 0;
  #cancelKey = Buffer.alloc(0);

  constructor(
    config: ConnectionConfig,
    endpoint: Endpoint,
    transport: Transport,
    extra: readonly string[],
    resolve: (session: Session) => void,
    reject: (error: ConnectionError) => void,
  ) {
    this.#config = config;
    this.#endpoint = endpoint;
    this.#transport = transport;
    this.#extra = extra;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#authentication = new Authentication(config, config.tls.channelBinding, transport.certificateHash);
  }

  begin(): void {
    this.#transport.listen(this);
    const startup = Buffer.from([...this.#startupParameters(), ''].map((text) => `${text}\0`).join(''));
    this.#writer.int32(startup.length + 8);
    this.#writer.int32(protocolVersion);
    this.#writer.raw(startup);
    this.#writer.flush(this.#transport.socket);
  }

  data(chunk: Buffer, length: number): boolean {
    try {
      const goOn = this.#reader.push(chunk, length);
      // Only now: what follows ReadyForQuery may be the news that the server is shutting down.
      if (this.#ready) this.#succeed();
      return goOn;
    } catch (error) {
      this.#fail(error);
      return true;
    }
  }

  closed(error: Error | null): void {
    this.#reject(
      new ConnectionError('refused', 'the database server closed the connection during login', error ?? undefined),
    );
  }

  message(type: number, bytes: Buffer, start: number, end: number): void {
    switch (type) {
      case backend.authentication: {
        if (this.#authenticated) throw new ProtocolViolation('authentication after login');
        if (end - start >= 4 && bytes.readInt32BE(start) === 0) this.#authenticated = true;
        const flush = () => this.#writer.flush(this.#transport.socket);
        const later = this.#authentication.answer(Buffer.from(bytes.subarray(start, end)), this.#writer);
        if (later === undefined) flush();
        else later.then(flush, (error: unknown) => this.#fail(error));
        return;
      }
      case backend.errorResponse:
        this.#fail(rejection(readError(bytes, start, end)));
        return;
      case backend.noticeResponse:
      case backend.negotiateProtocolVersion:
        return;
      case backend.parameterStatus: {
        const [name, value] = readParameter(bytes, start, end);
        this.#parameters.set(name, value);
        return;
      }
      case backend.backendKeyData:
        if (end - start < 8) throw new ProtocolViolation('short key data');
        this.#processId = bytes.readInt32BE(start);
        this.#cancelKey = Buffer.from(bytes.subarray(start + 4, end));
        return;
      case backend.readyForQuery:
        if (!this.#authenticated) throw new ProtocolViolation('ready before login');
        this.#ready = true;
        return;
      default:
        throw new ProtocolViolation(`unexpected message '${String.fromCharCode(type)}' during login`);
    }
  }

  rowStream(): MessageStream | null {
    return null;
  }

  #succeed(): void {
    this.#resolve({
      transport: this.#transport,
      reader: this.#reader,
      endpoint: this.#transport.endpoint(this.#endpoint),
      processId: this.#processId,
      cancelKey: this.#cancelKey,
      parameters: this.#parameters,
    });
  }

  #startupParameters(): readonly string[] {
    const { user, database, applicationName, options } = this.#config;
    return [
      ...['user', user, 'database', database, 'client_encoding', 'UTF8'],
      ...(applicationName === null ? [] : ['application_name', applicationName]),
      ...(options === null ? [] : ['options', options]),
      ...this.#extra,
    ];
  }

  #fail(error: unknown): void {
    this.#reader.stop();
    this.#ready = false;
    this.#reject(
      error instanceof ConnectionError
        ? error
        : new ConnectionError('protocol', 'the server does not speak PostgreSQL’s protocol', error),
    );
    this.#transport.destroy();
  }
}

/** Class 28 is about who may log in; the rest (no such database, too many connections, starting up) is about the server's state. */
function rejection(error: DatabaseError): ConnectionError {
  return new ConnectionError(error.code.startsWith('28') ? 'authentication' : 'rejected', error.message, error);
}
