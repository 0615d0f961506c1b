import { readFileSync } from 'node:fs';
import { connect, isIP, type OnReadOpts, type Socket } from 'node:net';
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from 'node:tls';
import { endPointHash } from './certificate.ts';
import type { Endpoint, TlsConfig } from './config.ts';
import { ConnectionError } from './errors.ts';
import { sslRequestCode } from './messages.ts';

const readSize = 64 * 1024;

/** Who listens to a transport. */
export interface TransportListener {
  /** The first `length` bytes of a chunk, which is overwritten by the next read. Returning false pauses reading until resume(). */
  data(chunk: Buffer, length: number): boolean;
  /** The socket is gone, with the error that ended it or null. Called once. */
  closed(error: Error | null): void;
}

/** A byte stream to the server, encrypted or not. */
export class Transport {
  readonly #socket: Socket;
  readonly #state: ListenerState;
  readonly encrypted: boolean;
  /** The server's certificate, hashed for channel binding, where there is one. */
  readonly certificateHash: Uint8Array | null;

  constructor(socket: Socket, state: ListenerState, encrypted: boolean, certificateHash: Uint8Array | null) {
    this.#socket = socket;
    this.#state = state;
    this.encrypted = encrypted;
    this.certificateHash = certificateHash;
  }

  /** What a Writer flushes to. */
  get socket(): Socket {
    return this.#socket;
  }

  /** The address that we are connected to: what a CancelRequest has to reach. */
  endpoint(original: Endpoint): Endpoint {
    const address = this.#socket.remoteAddress;
    return original.kind === 'tcp' && address !== undefined ? { ...original, address } : original;
  }

  listen(listener: TransportListener): void {
    this.#state.listener = listener;
    if (this.#state.over) listener.closed(this.#state.error);
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Half-closes; the server closes its side when it has read everything. */
  end(): void {
    this.#socket.end();
  }

  /** Closes at once, without regard for what is still to be written or read. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** Closes at once and resolves when the socket is gone, so that another one can take its place in a bound. */
  gone(): Promise<void> {
    return gone(this.#socket, this.#state);
  }
}

function gone(socket: Socket, state: ListenerState): Promise<void> {
  return new Promise((resolve) => {
    // socket.closed says so a little too early.
    if (state.over) resolve();
    else socket.once('close', () => resolve());
    socket.destroy();
  });
}

type ListenerState = { listener: TransportListener | null; error: Error | null; over: boolean };

function watch(socket: Socket, state: ListenerState): void {
  socket.on('error', (error) => {
    state.error = error;
  });
  socket.on('close', () => {
    state.over = true;
    state.listener?.closed(state.error);
  });
}

/**
 * Connects to an endpoint. With `encrypt` TLS is asked for: `optional` goes on without when the server has none. Rejects with a
 * ConnectionError. Aborting the signal gives up.
 */
export async function openTransport(
  endpoint: Endpoint,
  tls: TlsConfig,
  encrypt: 'no' | 'optional' | 'required',
  signal: AbortSignal,
): Promise<Transport> {
  signal.throwIfAborted();
  const state: ListenerState = { listener: null, error: null, over: false };
  // The kernel's bytes go straight into one buffer per connection: no stream machinery, no allocation per read.
  const onread: OnReadOpts = {
    buffer: Buffer.allocUnsafeSlow(readSize),
    callback: (length, chunk) =>
      state.listener?.data(Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk), length) ?? true,
  };
  const socket =
    endpoint.kind === 'unix'
      ? connect({ path: endpoint.path, onread })
      : connect({
          host: endpoint.address ?? endpoint.host,
          port: endpoint.port,
          noDelay: true,
          keepAlive: true,
          keepAliveInitialDelay: 30_000,
          onread,
        });
  watch(socket, state);
  const abort = () => socket.destroy();
  signal.addEventListener('abort', abort);
  try {
    await connected(socket, state);
    // Without a reader the end of the stream is never noticed.
    socket.resume();
    if (encrypt === 'no' || endpoint.kind === 'unix') return new Transport(socket, state, false, null);
    if (await asksForTls(socket, state)) return await upgrade(socket, endpoint.host, tls, signal);
    if (encrypt === 'optional') return new Transport(socket, state, false, null);
    throw new ConnectionError('tls', 'the server does not support TLS, but sslmode requires it');
  } catch (error) {
    await gone(socket, state);
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

function connected(socket: Socket, state: ListenerState): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('connect', resolve);
    state.listener = {
      data: () => true,
      closed: (error) =>
        reject(new ConnectionError('refused', `cannot connect to the database server${reason(error)}`, error)),
    };
  });
}

/** The operating system's word for it (ECONNREFUSED), which holds no address. */
function reason(error: Error | null): string {
  const code: unknown = error === null ? undefined : Reflect.get(error, 'code');
  return typeof code === 'string' ? `: ${code}` : '';
}

/** Sends SSLRequest and reads the single byte of the answer. Anything after it was not sent by the server (CVE-2021-23222). */
function asksForTls(socket: Socket, state: ListenerState): Promise<boolean> {
  return new Promise((resolve, reject) => {
    state.listener = {
      data: (chunk, length) => {
        state.listener = null;
        const answer = chunk[0];
        if (length !== 1)
          reject(new ConnectionError('tls', 'unencrypted data came after the answer to the request for TLS'));
        else if (answer === 0x53) resolve(true);
        else if (answer === 0x4e) resolve(false);
        else reject(new ConnectionError('tls', 'the server did not understand the request for TLS'));
        // Paused until the next reader is there.
        return answer === 0x4e;
      },
      closed: (error) =>
        reject(new ConnectionError('tls', `the connection was lost during the request for TLS${reason(error)}`, error)),
    };
    const request = Buffer.alloc(8);
    request.writeInt32BE(8, 0);
    request.writeInt32BE(sslRequestCode, 4);
    socket.write(request);
  });
}

function upgrade(raw: Socket, host: string, tls: TlsConfig, signal: AbortSignal): Promise<Transport> {
  const state: ListenerState = { listener: null, error: null, over: false };
  const socket = tlsConnect(tlsOptions(raw, host, tls));
  watch(socket, state);
  const abort = () => socket.destroy();
  signal.addEventListener('abort', abort);
  return new Promise<Transport>((resolve, reject) => {
    state.listener = {
      data: () => true,
      closed: (error) =>
        reject(new ConnectionError('tls', `TLS with the database server failed${reason(error)}`, error)),
    };
    socket.once('secureConnect', () => {
      socket.on('data', (chunk: Buffer) => {
        if (state.listener?.data(chunk, chunk.length) === false) socket.pause();
      });
      resolve(new Transport(socket, state, true, certificateHash(socket)));
    });
  }).finally(() => signal.removeEventListener('abort', abort));
}

function certificateHash(socket: TLSSocket): Uint8Array | null {
  const certificate = socket.getPeerX509Certificate();
  return certificate === undefined ? null : endPointHash(certificate.raw);
}

function tlsOptions(socket: Socket, host: string, tls: TlsConfig): ConnectionOptions {
  const root = tls.rootCertificate === 'system' ? null : tls.rootCertificate;
  const verify = tls.mode === 'verify-ca' || tls.mode === 'verify-full';
  return {
    socket,
    ...(isIP(host) === 0 ? { servername: host } : {}),
    minVersion: tls.minimumVersion,
    // As libpq: a root certificate that is given is used even where the mode does not ask for it.
    rejectUnauthorized: verify || root !== null,
    ...(root === null ? {} : { ca: readFile('sslrootcert', root) }),
    ...(tls.certificate === null ? {} : { cert: readFile('sslcert', tls.certificate) }),
    ...(tls.key === null ? {} : { key: readFile('sslkey', tls.key) }),
    // Only verify-full cares for the name.
    ...(tls.mode === 'verify-full' ? { host } : { checkServerIdentity: () => undefined }),
  };
}

function readFile(parameter: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new ConnectionError('tls', `the file that ${parameter} names cannot be read`, error);
  }
}
