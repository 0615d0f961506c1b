/**
 * From the bearer token to the role and the claims. Verified tokens are kept, a bounded number of them:
 * verifying costs more than all other steps of a small request. The times are checked on each use.
 */

import {
  type ClaimPath,
  claimAt,
  DEFAULT_ROLE_PATH,
  isObject,
  type Json,
  parseClaimPath,
} from '../../shared/config/claim-path.ts';
import type { KeySet } from '../../shared/config/key-set.ts';
import type { TokenEvent } from '../../shared/log.ts';
import type { WorkerSettings } from '../../shared/snapshot/types.ts';
import { checkClaims, checkTimes, type TimeClaims } from './claims.ts';
import { badClaim, keysAwaited, secretMissing, tokenRequired } from './errors.ts';
import { canonicalJson, hasDuplicateNames, parseLossless } from './json.ts';
import { SecondChance } from './second-chance.ts';
import { type ImportedKeys, unprovenPayload, verifyToken } from './token.ts';

export interface Identity {
  readonly role: string;
  /** `request.jwt.claims`: JSON text, with the role. */
  readonly claims: string;
  /** False for the anonymous role, whichever way it was come by (PostgREST's rule for 401 or 403). */
  readonly authenticated: boolean;
  /** So far it is only what the token says: the pooler, which has the keys, says whether it is true. See Proof. */
  readonly unproven?: true;
}

interface Verified {
  readonly identity: Identity;
  readonly times: TimeClaims;
}

/** Characters; longer tokens are verified each time, so that the cache has a bound in bytes too. */
const LONGEST_KEPT = 8192;

export type ObserveTokens = (event: TokenEvent) => void;

const nowInSeconds = (): number => Math.floor(Date.now() / 1000);

export class Authenticator {
  readonly #keys: KeySet | null;
  readonly #settings: WorkerSettings;
  readonly #rolePath: ClaimPath;
  readonly #anonymous: Identity | null;
  readonly #imported: ImportedKeys = new Map();
  readonly #cache: SecondChance<Verified>;
  readonly #observe: ObserveTokens | null;

  /** One for each pair of keys and settings: when either changes, a new one starts with an empty cache. */
  constructor(keys: KeySet | null, settings: WorkerSettings, observe: ObserveTokens | null = null) {
    this.#observe = observe;
    this.#keys = keys;
    this.#settings = settings;
    this.#cache = new SecondChance(settings.jwtCacheMaxEntries);
    this.#rolePath = parseClaimPath(settings.jwtRoleClaimKey) ?? DEFAULT_ROLE_PATH;
    const anon = settings.dbAnonRole;
    this.#anonymous =
      anon === null ? null : { role: anon, claims: canonicalJson({ role: anon }), authenticated: false };
  }

  /**
   * The identity of a bearer token, or the anonymous one for null. At once where the token is known, so that the usual
   * request waits for nothing. Throws ApiError PGRST300 to PGRST303 and EDGE012.
   */
  authenticate(token: string | null): Identity | Promise<Identity> {
    if (token === null) {
      if (this.#anonymous === null) throw tokenRequired();
      return this.#anonymous;
    }
    const known = this.#cache.get(token);
    if (this.#observe !== null && this.#settings.jwtCacheMaxEntries > 0) this.#observe(known ? 'hit' : 'miss');
    if (!known) return this.#verify(token);
    checkTimes(known.times, nowInSeconds());
    return known.identity;
  }

  async #verify(token: string): Promise<Identity> {
    if (this.#keys === null) throw secretMissing();
    if (this.#keys.remote === 'awaited') throw keysAwaited();
    const { text, isProven } = await verifyToken(token, this.#keys, this.#imported);
    if (!isProven) return this.#unproven(text);
    const verified = this.#read(text);
    this.#keep(token, verified);
    return verified.identity;
  }

  /** What is wrong with its claims is not to be said of a token that may be forged: that is left to the pooler too. */
  #unproven(text: string): Identity {
    try {
      return { ...this.#read(text).identity, unproven: true };
    } catch {
      return { role: '', claims: '{}', authenticated: true, unproven: true };
    }
  }

  /** The pooler has accepted a token whose identity was unproven. */
  accepted(token: string): void {
    try {
      this.#keep(token, this.#read(unprovenPayload(token)));
    } catch {
      // By our clock or settings it is not good: the pooler is asked again the next time.
    }
  }

  #read(text: string): Verified {
    let claims: Json;
    let lossless: unknown;
    try {
      claims = JSON.parse(text);
      lossless = parseLossless(text);
    } catch {
      throw badClaim('Parsing claims failed');
    }
    if (!isObject(claims) || hasDuplicateNames(text)) throw badClaim('Parsing claims failed');
    const times = checkClaims(claims, this.#settings, nowInSeconds());
    const role = claimAt(this.#rolePath, claims) ?? this.#settings.dbAnonRole;
    if (role === null) throw tokenRequired();
    const identity = {
      role,
      claims: canonicalJson(Object.assign(Object.create(null), lossless, { role })),
      authenticated: role !== this.#settings.dbAnonRole,
    };
    return { identity, times };
  }

  #keep(token: string, verified: Verified): void {
    if (token.length > LONGEST_KEPT) return;
    if (this.#cache.keep(token, verified)) this.#observe?.('eviction');
  }
}
