/** What an isolate without a pooler knows of its database: finished values only, which any number of requests may share. */
import { fetchKeySet } from '../../../shared/config/fetch-key-set.ts';
import type { KeySet } from '../../../shared/config/key-set.ts';
import type { Config } from '../../../shared/config/resolve.ts';
import { workerSettings } from '../../../shared/config/worker-settings.ts';
import type { DocumentParts } from '../../../shared/openapi/documents.ts';
import type { DocumentFacts } from '../../../shared/openapi/facts.ts';
import { buildSnapshot } from '../../../shared/snapshot/build.ts';
import type { Snapshot } from '../../../shared/snapshot/types.ts';
import { sameContent, withKeys } from '../../../shared/snapshot/version.ts';
import { type FetchedState, fetchFailed } from '../fetched.ts';
import type { StateFetcher } from '../remote-states.ts';
import type { DatabaseDriver } from './batch.ts';
import { DatabaseFacts } from './hop.ts';
import { type Bindings, BindingsError, LoadError, loadCatalog, loadDocumentFacts } from './load.ts';

/** Milliseconds between two attempts to fetch an issuer's keys while there are none, or it is away. */
const RETRY = 1000;

/** An issuer's keys. */
interface Issued {
  readonly url: string;
  readonly set: KeySet;
  /** When they were last asked for, and when last for an unknown key's sake; in milliseconds since the epoch. */
  readonly asked: number;
  readonly sought: number;
  readonly failed: boolean;
}

export class DatabaseStates implements StateFetcher {
  readonly #driver: DatabaseDriver;
  readonly #env: Bindings;
  readonly #report: (error: unknown) => void;
  #facts: DatabaseFacts | null = null;
  #snapshot: Snapshot | null = null;
  #issued: Issued | null = null;
  #document: { readonly version: string; readonly facts: DocumentFacts | null } | null = null;

  constructor(driver: DatabaseDriver, env: Bindings, report: (error: unknown) => void) {
    this.#driver = driver;
    this.#env = env;
    this.#report = report;
  }

  /** As of the last load; null before the first. */
  get facts(): DatabaseFacts | null {
    return this.#facts;
  }

  /** What the OpenAPI document is written from, loaded when it is asked for; null before the first load. Throws LoadError. */
  async documentParts(): Promise<DocumentParts | null> {
    const [facts, snapshot] = [this.#facts, this.#snapshot];
    if (facts === null || snapshot === null) return null;
    const { config } = facts;
    const { version } = snapshot;
    if (this.#document?.version !== version) {
      this.#document = { version, facts: await loadDocumentFacts(this.#driver, config) };
    }
    return { snapshot, config, documentFacts: this.#document.facts };
  }

  /** Loads everything anew; where a key is looked for, the issuer's keys alone. Never throws. */
  async fetchState(
    known: readonly string[],
    signal: AbortSignal | null,
    unknown: string | null = null,
  ): Promise<FetchedState> {
    try {
      if (unknown !== null && this.#facts !== null && this.#snapshot !== null) {
        return await this.#sought(known, this.#facts, this.#snapshot, unknown, signal);
      }
      const { config, roles, rows } = await loadCatalog(this.#driver, this.#env, signal);
      const keys = await this.#keys(config, null, signal);
      const snapshot = await buildSnapshot(rows, workerSettings(config), keys);
      return this.#kept(known, new DatabaseFacts(config, roles, snapshot.version), snapshot, keys);
    } catch (error) {
      this.#report(error instanceof Error && !(error instanceof LoadError) ? error.message : error);
      if (error instanceof LoadError) return fetchFailed(error.message);
      if (error instanceof BindingsError) return fetchFailed(error.message, 'setting');
      return fetchFailed('The schema cache cannot be loaded: the log says why.');
    }
  }

  async #sought(
    known: readonly string[],
    { config, roles }: DatabaseFacts,
    before: Snapshot,
    kid: string,
    signal: AbortSignal | null,
  ): Promise<FetchedState> {
    const keys = await this.#keys(config, kid, signal);
    const keyed = await withKeys(before, keys, before.loadedAt);
    const isSame = sameContent(keyed.version, before.version);
    const snapshot = isSame ? before : await withKeys(before, keys, before.loadedAt + 1);
    return this.#kept(known, new DatabaseFacts(config, roles, snapshot.version), snapshot, keys);
  }

  #kept(known: readonly string[], facts: DatabaseFacts, snapshot: Snapshot, keys: KeySet | null): FetchedState {
    const { version } = snapshot;
    this.#facts = facts;
    this.#snapshot = snapshot;
    const isKnown = known.some((one) => sameContent(one, version));
    return isKnown ? { kind: 'same', version } : { kind: 'new', snapshot, keys };
  }

  /** The keys of a configuration; an issuer's are fetched where it is time to. `kid`: for which one, '' for any. */
  async #keys(config: Config, kid: string | null, signal: AbortSignal | null): Promise<KeySet | null> {
    const { jwtKeysUrl: url, jwtKeys } = config;
    if (url === null) return jwtKeys === null ? null : { keys: jwtKeys };
    const before = this.#issued?.url === url ? this.#issued : null;
    const now = Date.now();
    if (before !== null && !isDue(before, config, kid, now)) return before.set;
    const sought = kid === null ? (before?.sought ?? Number.NEGATIVE_INFINITY) : now;
    const set = before?.set ?? { keys: [], remote: 'awaited' };
    // Whoever comes meanwhile does not ask as well.
    this.#issued = { url, set, asked: now, sought, failed: before?.failed ?? false };
    try {
      const { keys } = await fetchKeySet(url, signal);
      this.#issued = { url, set: { keys, remote: 'fetched' }, asked: now, sought, failed: false };
    } catch (error) {
      this.#report(`Failed to fetch the keys for tokens: ${error instanceof Error ? error.message : String(error)}`);
      this.#issued = { url, set, asked: now, sought, failed: true };
    }
    return this.#issued.set;
  }
}

function isDue(issued: Issued, config: Config, kid: string | null, now: number): boolean {
  const since = now - issued.asked;
  if (issued.failed) return since >= RETRY;
  // Without any each asks by itself.
  if (issued.set.remote === 'awaited') return true;
  if (kid === null) return since >= config.jwksRefresh * 1000;
  const isKnown = kid !== '' && issued.set.keys.some((key) => key.kid === kid);
  return !isKnown && now - issued.sought >= config.jwksCooldown * 1000;
}
