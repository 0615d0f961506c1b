/**
 * The hop over a WebSocket, for runtimes where a socket may outlive a request (Node, Deno, Bun, a Durable Object): there, unlike
 * in Workers, requests may share what is not finished, and they share the socket. Snapshot, keys and what is said of tokens come by HTTP.
 */
import type { CancelSignal } from '../../shared/hop/cancellation.ts';
import { refuse } from '../../shared/hop/codec.ts';
import { SOCKET_PATH } from '../../shared/hop/frames.ts';
import type { TransactionOutcome, TransactionPayload, TransactionRequest } from '../../shared/hop/types.ts';
import { checkedSecret } from './address.ts';
import type { FetchedKeys, FetchedSnapshot, Judgement } from './fetched.ts';
import { HttpHop } from './http.ts';
import { cancelled, type PoolerClient, transportFailure } from './pooler-client.ts';
import {
  type ConnectionOptions,
  type NoConnection,
  SOCKET_TIMES,
  SocketConnection,
  type SocketTimes,
} from './socket-connection.ts';

export interface SocketHopOptions {
  /** One of `EDGEREST_POOLER_URL`, checked: wss, or ws on loopback. */
  readonly url: string;
  /** `EDGEREST_POOLER_SECRET`. */
  readonly secret: string;
  /** Whether the worker knows other poolers, and is to be sent there by one that ends. */
  readonly alternatives?: boolean;
  readonly times?: SocketTimes;
}

/** Milliseconds until the next attempt after one that failed; each doubles the last. */
const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 1000;

export class SocketHop implements PoolerClient {
  readonly #options: Omit<ConnectionOptions, 'onLost'>;
  readonly #http: HttpHop;
  /** Those that carry something, or may. Mostly one. */
  #connections: readonly SocketConnection[] = [];
  #opening: Promise<SocketConnection | NoConnection> | null = null;
  /** How often in a row there was no connection, when there may be another attempt, and why the last one failed. */
  #failures = 0;
  #notBefore = 0;
  #last: NoConnection = { refusal: null };

  /** Throws HopConfigError where the secret is too short. */
  constructor({ url, secret, alternatives = false, times = SOCKET_TIMES }: SocketHopOptions) {
    this.#options = { url: url + SOCKET_PATH, secret: checkedSecret(secret), times, alternatives };
    this.#http = new HttpHop({ url: url.replace(/^ws/, 'http'), secret });
  }

  async transaction(
    request: TransactionRequest,
    payload: TransactionPayload | null,
    signal: CancelSignal | null,
  ): Promise<TransactionOutcome> {
    const known = this.#connections.find(({ hasRoom, isSilent }) => hasRoom && !isSilent);
    const connection = known ?? (await this.#connection());
    if (signal?.aborted === true) return cancelled();
    if (connection instanceof SocketConnection) return await connection.transaction(request, payload, signal);
    switch (connection.refusal) {
      case 'secret':
        return { ok: false, snapshot: null, failure: refuse(401, 'secret', 'The secret is not accepted.') };
      case 'version':
        return { ok: false, snapshot: null, failure: refuse(400, 'version', 'The pooler is of another version.') };
      case null:
        return transportFailure(request, false, 'The pooler cannot be reached.');
      default:
        return connection.refusal satisfies never;
    }
  }

  fetchSnapshot(known: readonly string[], signal: AbortSignal | null): Promise<FetchedSnapshot> {
    return this.#http.fetchSnapshot(known, signal);
  }

  fetchKeys(signal: AbortSignal | null, unknown: string | null = null): Promise<FetchedKeys> {
    return this.#http.fetchKeys(signal, unknown);
  }

  judge(token: string, signal: AbortSignal | null): Promise<Judgement> {
    return this.#http.judge(token, signal);
  }

  isLive(signal: AbortSignal | null): Promise<boolean> {
    return this.#http.isLive(signal);
  }

  /** One that has room and is there: another one where none is. */
  async #connection(): Promise<SocketConnection | NoConnection> {
    for (const connection of this.#connections) {
      if (connection.hasRoom && (!connection.isSilent || (await connection.isThere())) && connection.hasRoom) {
        return connection;
      }
    }
    if (this.#opening === null && Date.now() < this.#notBefore) return this.#last;
    this.#opening ??= this.#open();
    const opened = await this.#opening;
    // Others may have filled it meanwhile.
    return opened instanceof SocketConnection && !opened.hasRoom ? { refusal: null } : opened;
  }

  async #open(): Promise<SocketConnection | NoConnection> {
    let opened: SocketConnection | NoConnection | null = null;
    const onLost = (): void => {
      this.#connections = this.#connections.filter((connection) => connection !== opened);
    };
    opened = await SocketConnection.open({ ...this.#options, onLost });
    this.#opening = null;
    if (!(opened instanceof SocketConnection)) return this.#failed(opened);
    this.#failures = 0;
    this.#connections = [...this.#connections, opened];
    return opened;
  }

  #failed(why: NoConnection): NoConnection {
    this.#last = why;
    const pause = Math.min(FIRST_PAUSE * 2 ** this.#failures, LONGEST_PAUSE);
    this.#failures += 1;
    // Workers that lost the same pooler do not come back in step.
    this.#notBefore = Date.now() + pause * (0.5 + Math.random() / 2);
    return why;
  }
}
