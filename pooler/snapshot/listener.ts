/** LISTEN on `db-channel`: hears of changes, comes back after a loss, and knows when it has heard everything. */
import type { Sql } from 'postgres';
import { quoteIdent } from '../../shared/sql/identifiers.ts';
import { messageOf } from '../message-of.ts';
import type { ClientHooks } from './client.ts';

/** What a notification is about. The configuration may have changed with the schema, never the other way round. */
export type Change = 'schema' | 'config';

export type ListenerEvent =
  | { readonly kind: 'listening'; readonly channel: string }
  | { readonly kind: 'notified'; readonly channel: string; readonly of: Change }
  /** The connection was lost or could not be made; the next attempt follows after `retryIn` milliseconds. */
  | { readonly kind: 'lost'; readonly channel: string; readonly error: unknown; readonly retryIn: number };

export interface ListenerOptions {
  /** Makes a client of a single connection. It must not lead to a standby. */
  readonly connect: (hooks: ClientHooks) => Sql;
  readonly channel: string;
  /** Something may have changed: a notification says so, or there was none because of a time without a connection. */
  readonly onChange: (of: Change) => void;
  readonly observe?: (event: ListenerEvent) => void;
  /** Milliseconds before the first and at most before any reconnection; each wait doubles the last. */
  readonly retry?: { readonly first: number; readonly most: number };
}

/** PostgREST's payloads. Without one, both are meant. */
const CHANGES: ReadonlyMap<string, Change> = new Map([
  ['', 'config'],
  ['reload schema', 'schema'],
  ['reload config', 'config'],
]);

/** A truncated notification queue that a listener cannot start from; reading its usage advances it (PostgREST #3147). */
const QUEUE_FAULT = 'could not access status of transaction';

/** How long the server may take to prove that it has delivered everything. */
const BARRIER_TIMEOUT = 2000;

export class ChannelListener {
  readonly #options: ListenerOptions;
  readonly #retry: { readonly first: number; readonly most: number };
  readonly #started = Promise.withResolvers<void>();
  #sql: Sql | null = null;
  #listening = false;
  #closed = false;
  #wake: (() => void) | null = null;
  #done: Promise<void> | null = null;

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#retry = options.retry ?? { first: 250, most: 32_000 };
  }

  /** Whether notifications are being heard now. */
  get listening(): boolean {
    return this.#listening;
  }

  /** Begins to listen. Resolves when the first attempt has succeeded or failed; it goes on until closed. */
  start(): Promise<void> {
    this.#done ??= this.#run();
    return this.#started.promise;
  }

  /**
   * Resolves when every notification that was committed before this call has been handed on: a server sends them
   * before it answers a query on the listening connection. False when that cannot be told (not listening).
   */
  async barrier(): Promise<boolean> {
    const sql = this.#sql;
    if (!sql || !this.#listening) return false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const timeout = new Promise<boolean>((resolve) => {
      timer = setTimeout(resolve, BARRIER_TIMEOUT, false);
    });
    const answered = sql.unsafe('SELECT 1').then(
      () => true,
      () => false,
    );
    try {
      return await Promise.race([answered, timeout]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Stops listening and closes the connection. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#wake?.();
    await this.#done;
  }

  async #run(): Promise<void> {
    let failures = 0;
    let missed = false;
    let faulty = false;
    while (!this.#closed) {
      const error = await this.#listen(missed, faulty, () => {
        failures = 0;
      });
      if (this.#closed) break;
      missed = true;
      faulty = messageOf(error).includes(QUEUE_FAULT);
      const retryIn = Math.min(this.#retry.first * 2 ** failures, this.#retry.most);
      failures++;
      this.#options.observe?.({ kind: 'lost', channel: this.#options.channel, error, retryIn });
      this.#started.resolve();
      await this.#pause(retryIn);
    }
    this.#started.resolve();
  }

  /** Listens until the connection is lost. Gives the reason. */
  async #listen(missed: boolean, faulty: boolean, connected: () => void): Promise<unknown> {
    const { channel, onChange, observe } = this.#options;
    const ended = Promise.withResolvers<void>();
    const sql = this.#options.connect({
      onNotification: (from, payload) => {
        const of = CHANGES.get(payload);
        if (from !== channel || of === undefined) return;
        observe?.({ kind: 'notified', channel, of: payload === '' ? 'schema' : of });
        onChange(of);
      },
      onClose: () => ended.resolve(),
    });
    this.#sql = sql;
    this.#wake = () => ended.resolve();
    try {
      if (faulty) await sql.unsafe('SELECT pg_catalog.pg_notification_queue_usage()');
      await sql.unsafe(`LISTEN ${quoteIdent(channel)}`);
      if (this.#closed) return null;
      this.#listening = true;
      connected();
      observe?.({ kind: 'listening', channel });
      if (missed) onChange('config');
      this.#started.resolve();
      await ended.promise;
      return new Error('the listening connection was lost');
    } catch (error) {
      return error;
    } finally {
      this.#listening = false;
      this.#sql = null;
      this.#wake = null;
      await sql.end({ timeout: 1 });
    }
  }

  async #pause(milliseconds: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = null;
  }
}
