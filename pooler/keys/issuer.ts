/** The keys of one issuer: fetched, refreshed, and kept while it is away. */
import { isDeepStrictEqual } from 'node:util';
import { fetchKeySet } from '../../shared/config/fetch-key-set.ts';
import type { KeySet } from '../../shared/config/key-set.ts';
import { messageOf } from '../message-of.ts';

/** What happens between us and the issuer. `host` is the URL's. */
export type IssuerEvent =
  | { readonly kind: 'fetched'; readonly host: string; readonly keys: number; readonly symmetric: number }
  /** The same keys as before. */
  | { readonly kind: 'confirmed'; readonly host: string; readonly recovered: boolean }
  /** `first`: of an outage; `keys`: how many of earlier ones stay in use, null where there were never any. */
  | {
      readonly kind: 'failed';
      readonly host: string;
      readonly reason: string;
      readonly first: boolean;
      readonly keys: number | null;
    };

export interface IssuerOptions {
  readonly url: string;
  /** Milliseconds between two fetches that nobody asked for. */
  readonly refresh: number;
  /** Milliseconds between two that a token with an unknown key asked for: anybody can make one. */
  readonly cooldown: number;
  readonly observe: (event: IssuerEvent) => void;
  /** The keys are others than before. A fetch ends when this has. */
  readonly onChange: () => Promise<void>;
}

/** Milliseconds before the first and at most before any attempt while the issuer is away; each wait doubles the last. */
const RETRY = { first: 1000, most: 30_000 };

/** Less up to a quarter, so that poolers do not come in step. */
const jittered = (milliseconds: number): number => milliseconds * (1 - Math.random() / 4);

export class Issuer {
  readonly #options: IssuerOptions;
  readonly #host: string;
  #set: KeySet = { keys: [], remote: 'awaited' };
  /** Attempts that failed since the last that did not. */
  #failures = 0;
  #fetching: Promise<void> | null = null;
  /** When an unknown key was last the reason to ask. */
  #asked = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | null = null;
  readonly #closed = new AbortController();

  constructor(options: IssuerOptions) {
    this.#options = options;
    this.#host = new URL(options.url).host;
  }

  get set(): KeySet {
    return this.#set;
  }

  /** Begins to fetch. Resolves when the first attempt has ended, however it did. */
  start(): Promise<void> {
    return this.#fetch();
  }

  /**
   * For a token that names a key which is not in the set (null: it names none): asks the issuer, unless that was the reason
   * for a question a moment ago. Resolves when there is an answer, or at once.
   */
  async find(kid: string | null): Promise<void> {
    if (kid !== null && this.#set.keys.some((key) => key.kid === kid)) return;
    if (this.#fetching !== null) return await this.#fetching;
    const now = performance.now();
    if (now - this.#asked < this.#options.cooldown) return;
    this.#asked = now;
    await this.#fetch();
  }

  /** Ends asking. */
  close(): void {
    this.#closed.abort();
    this.#schedule(null);
  }

  #fetch(): Promise<void> {
    this.#fetching ??= this.#attempt().finally(() => {
      this.#fetching = null;
    });
    return this.#fetching;
  }

  async #attempt(): Promise<void> {
    this.#schedule(null);
    try {
      const { keys, symmetric } = await fetchKeySet(this.#options.url, this.#closed.signal);
      if (!this.#closed.signal.aborted) await this.#succeeded({ keys, remote: 'fetched' }, symmetric);
    } catch (error) {
      if (!this.#closed.signal.aborted) this.#failed(messageOf(error));
    }
  }

  async #succeeded(set: KeySet, symmetric: number): Promise<void> {
    const host = this.#host;
    const recovered = this.#failures > 0;
    this.#failures = 0;
    this.#schedule(jittered(this.#options.refresh));
    if (isDeepStrictEqual(set, this.#set)) {
      this.#options.observe({ kind: 'confirmed', host, recovered });
      return;
    }
    this.#set = set;
    this.#options.observe({ kind: 'fetched', host, keys: set.keys.length, symmetric });
    await this.#options.onChange();
  }

  #failed(reason: string): void {
    const first = this.#failures === 0;
    const keys = this.#set.remote === 'awaited' ? null : this.#set.keys.length;
    this.#schedule(jittered(Math.min(RETRY.first * 2 ** this.#failures, RETRY.most)));
    this.#failures += 1;
    this.#options.observe({ kind: 'failed', host: this.#host, reason, first, keys });
  }

  /** When to ask the next time; null for not at all. */
  #schedule(milliseconds: number | null): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (milliseconds !== null) this.#timer = setTimeout(() => void this.#fetch(), milliseconds).unref();
  }
}
