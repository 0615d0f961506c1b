/** The pooler's snapshot and role facts, kept up to date by the database's notifications. */
import type { Sql } from 'postgres';
import type { KeySet } from '../../shared/config/key-set.ts';
import type { Config } from '../../shared/config/resolve.ts';
import type { DocumentFacts } from '../../shared/openapi/facts.ts';
import type { Snapshot } from '../../shared/snapshot/types.ts';
import { withKeys } from '../../shared/snapshot/version.ts';
import type { RoleFacts } from '../../shared/transaction/role-facts.ts';
import type { IssuerEvent } from '../keys/issuer.ts';
import { KeySource } from '../keys/source.ts';
import { loadDocumentFacts } from '../openapi/facts.ts';
import type { ConnectionConfig } from '../wire/config.ts';
import { singleConnection } from './client.ts';
import { type Change, ChannelListener, type ListenerEvent } from './listener.ts';
import { type CatalogEvent, loadSnapshot } from './load.ts';
import { loadRoles } from './roles.ts';
import { type SnapshotEvent, SnapshotStore } from './store.ts';

export interface SnapshotSourceOptions {
  readonly connection: ConnectionConfig;
  /**
   * The configuration for a load, called before each with a client on the introspection connection: here the in-database
   * configuration is read. `reread`: it was said to have changed. It should rather give the last good one than throw.
   */
  readonly config: (sql: Sql, reread: boolean) => Config | Promise<Config>;
  readonly observe?: (event: SourceEvent) => void;
  /** Told of the issuer whose keys verify tokens, where the configuration names one. */
  readonly observeIssuer?: (event: IssuerEvent) => void;
}

/** What happens to the snapshot and to the connection that hears of changes. */
export type SourceEvent = CatalogEvent | SnapshotEvent | ListenerEvent;

/** What one load gives, and the keys that its snapshot's version stands for as well. */
export interface Loaded {
  readonly snapshot: Snapshot;
  readonly roles: RoleFacts;
  /** Null where documents are not wanted. */
  readonly documentFacts: DocumentFacts | null;
  readonly config: Config;
  /** For tokens; null without any. */
  readonly keys: KeySet | null;
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/**
 * Owns at most two connections: one for LISTEN, one for introspection that is open only while a load runs.
 * `start()` once, then `current()`; `close()` at the end.
 */
export class SnapshotSource {
  readonly #options: SnapshotSourceOptions;
  readonly #store: SnapshotStore;
  readonly #keys: KeySource;
  readonly #subscribers = new Set<(loaded: Loaded) => void>();
  #loaded: Loaded | null = null;
  /** When the last load ended, by a clock of ours that only goes forward. */
  #loadedAt = 0;
  /** Whether the next load reads the configuration anew in any case. */
  #reread = false;
  #listener: { readonly channel: string; readonly listener: ChannelListener } | null = null;
  #closed = false;

  constructor(options: SnapshotSourceOptions) {
    this.#options = options;
    this.#store = new SnapshotStore({
      load: () => this.#load(),
      ...(options.observe ? { observe: options.observe } : {}),
    });
    this.#store.subscribe(() => this.#publish());
    this.#keys = new KeySource({
      observe: options.observeIssuer ?? (() => undefined),
      onChange: () => this.#rekey(),
    });
  }

  /** The last load's result; null until one succeeded (PGRST002). */
  current(): Loaded | null {
    return this.#store.current() === null ? null : this.#loaded;
  }

  /** Whether changes are heard of; true as well when `db-channel-enabled` is off. */
  get listening(): boolean {
    return this.#listener?.listener.listening ?? true;
  }

  /** Begins to listen and to load. Resolves when the first attempt to load has ended, true when it succeeded. */
  async start(config: Config): Promise<boolean> {
    await this.#listen(config);
    return await this.#store.reload();
  }

  /** Loads anew (SIGUSR1), the configuration as well where that is what changed (SIGUSR2). See SnapshotStore.reload. */
  reload(changed: Change = 'schema'): Promise<boolean> {
    if (changed === 'config') this.#reread = true;
    return this.#store.reload();
  }

  /**
   * The newest result: every change that was notified before this call is in it, unless its load failed.
   * For a request that is about to fail on what the snapshot lacks.
   */
  async fresh(): Promise<Loaded | null> {
    await this.#listener?.listener.barrier();
    await this.#store.settled();
    return this.current();
  }

  /**
   * The newest result, whose keys are the issuer's newest, as far as it may be asked now. For a token with a key that the
   * result's lack; `kid` is its name, null where the token does not say it.
   */
  async withKey(kid: string | null): Promise<Loaded | null> {
    if (this.#loaded !== null) await this.#keys.find(this.#loaded.config, kid);
    // They may have arrived for another token a moment ago.
    await this.#rekey();
    return this.current();
  }

  /** Calls the subscriber with every new result. Gives the function that ends it. */
  subscribe(subscriber: (loaded: Loaded) => void): () => void {
    this.#subscribers.add(subscriber);
    return () => this.#subscribers.delete(subscriber);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#store.close();
    this.#keys.close();
    this.#subscribers.clear();
    await this.#listener?.listener.close();
    this.#listener = null;
  }

  async #load(): Promise<Snapshot> {
    const sql = singleConnection(this.#options.connection);
    try {
      const config = await this.#config(sql);
      await this.#keys.prepare(config);
      const keys = this.#keys.of(config);
      const roles = await loadRoles(sql, config);
      const snapshot = await loadSnapshot(sql, config, keys, this.#options.observe);
      this.#loadedAt = performance.now();
      const documentFacts = await loadDocumentFacts(sql, config);
      this.#loaded = Object.freeze({ snapshot, roles, documentFacts, config, keys });
      this.#keys.keep(config);
      await this.#rekey();
      await this.#listen(config);
      return snapshot;
    } finally {
      await sql.end({ timeout: 1 });
    }
  }

  #publish(): void {
    if (this.#loaded) for (const subscriber of this.#subscribers) subscriber(this.#loaded);
  }

  /**
   * Where the issuer's keys are others than what was loaded has: the same snapshot gets another version, so that every worker hears
   * of it. Its time is the database's clock, as far as ours can tell: no load that begins later looks older.
   */
  async #rekey(): Promise<void> {
    for (let before = this.#loaded; before !== null && !this.#closed; before = this.#loaded) {
      const keys = this.#keys.of(before.config);
      if (same(keys, before.keys)) return;
      const { loadedAt } = before.snapshot;
      const time = loadedAt + Math.max(1, Math.floor(performance.now() - this.#loadedAt));
      const snapshot = await withKeys(before.snapshot, keys, time);
      if (this.#loaded !== before) continue;
      this.#loadedAt += time - loadedAt;
      this.#loaded = Object.freeze({ ...before, keys, snapshot });
      if (this.#store.current() !== null) this.#publish();
    }
  }

  async #config(sql: Sql): Promise<Config> {
    const reread = this.#reread;
    this.#reread = false;
    try {
      return await this.#options.config(sql, reread);
    } catch (error) {
      this.#reread ||= reread;
      throw error;
    }
  }

  /** Listens as the configuration says, which may have changed with a reload. */
  async #listen(config: Config): Promise<void> {
    const channel = config.dbChannelEnabled ? config.dbChannel : null;
    if (this.#closed || channel === (this.#listener?.channel ?? null)) return;
    await this.#listener?.listener.close();
    this.#listener = null;
    if (channel === null || this.#closed) return;
    const { connection, observe } = this.#options;
    const listener = new ChannelListener({
      // as PostgREST does: a standby has no LISTEN
      connect: (hooks) => singleConnection(connection, hooks, 'read-write'),
      channel,
      onChange: (changed) => void this.reload(changed),
      ...(observe ? { observe } : {}),
    });
    this.#listener = { channel, listener };
    await listener.start();
  }
}
