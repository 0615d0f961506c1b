/** The keys for tokens, as each configuration has them: its own, or those of the issuer that it names. */
import type { KeySet } from '../../shared/config/key-set.ts';
import type { Config } from '../../shared/config/resolve.ts';
import { Issuer, type IssuerEvent } from './issuer.ts';

export interface KeySourceOptions {
  readonly observe: (event: IssuerEvent) => void;
  /** An issuer's keys are others than before. */
  readonly onChange: () => Promise<void>;
}

export class KeySource {
  readonly #options: KeySourceOptions;
  /** By URL. There are two while a configuration with another one is being loaded. */
  readonly #issuers = new Map<string, Issuer>();

  constructor(options: KeySourceOptions) {
    this.#options = options;
  }

  /** Prepares for a configuration: resolves when its issuer, where it names a new one, has been asked once. Never rejects. */
  async prepare({ jwtKeysUrl: url, jwksRefresh, jwksCooldown }: Config): Promise<void> {
    if (url === null || this.#issuers.has(url)) return;
    const issuer = new Issuer({
      ...this.#options,
      url,
      refresh: jwksRefresh * 1000,
      cooldown: jwksCooldown * 1000,
    });
    this.#issuers.set(url, issuer);
    await issuer.start();
  }

  /** The keys of a configuration that was prepared; null where it has none. */
  of({ jwtKeys, jwtKeysUrl }: Config): KeySet | null {
    if (jwtKeysUrl !== null) return this.#issuers.get(jwtKeysUrl)?.set ?? { keys: [], remote: 'awaited' };
    return jwtKeys === null ? null : { keys: jwtKeys };
  }

  /** The configuration is in effect: other issuers are of no interest any more. */
  keep({ jwtKeysUrl }: Config): void {
    for (const [url, issuer] of this.#issuers) {
      if (url === jwtKeysUrl) continue;
      issuer.close();
      this.#issuers.delete(url);
    }
  }

  /** See Issuer.find. */
  async find({ jwtKeysUrl }: Config, kid: string | null): Promise<void> {
    if (jwtKeysUrl !== null) await this.#issuers.get(jwtKeysUrl)?.find(kid);
  }

  close(): void {
    for (const issuer of this.#issuers.values()) issuer.close();
    this.#issuers.clear();
  }
}
