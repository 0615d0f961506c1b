/** The keys that tokens are verified with: a JSON Web Key Set, RFC 7517, section 5. */
import { type CryptoKey, importJWK } from 'jose';
import type { KeySet } from '../../shared/config/key-set.ts';
import type { VerificationKey } from '../../shared/config/keys.ts';

/** Signature algorithms by key type. ECDSA's curve is fixed by the algorithm (RFC 7518, section 3.4). */
const ALGORITHMS: Readonly<Record<string, readonly string[]>> = {
  oct: ['HS256', 'HS384', 'HS512'],
  RSA: ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  EC: ['ES256', 'ES384', 'ES512'],
  OKP: ['EdDSA', 'Ed25519'],
};

/** Whether an algorithm is one that any key could verify. */
export const isSignatureAlgorithm = (alg: string): boolean =>
  Object.values(ALGORITHMS).some((list) => list.includes(alg));

/** Whether its keys sign as well as verify. */
export const isSymmetric = (alg: string): boolean => (ALGORITHMS.oct ?? []).includes(alg);

/**
 * The keys that may verify a token with this header: type and algorithm must fit, and where the token names a key (`kid`)
 * only that one, as in PostgREST.
 */
export function candidates(set: KeySet, alg: string, kid: string | undefined): readonly VerificationKey[] {
  return set.keys.filter(
    (key) =>
      key.use !== 'enc' &&
      (kid === undefined || key.kid === kid) &&
      (key.alg === undefined || key.alg === alg) &&
      (ALGORITHMS[key.kty] ?? []).includes(alg),
  );
}

/** Makes the key usable for an algorithm; null where the two do not fit (a P-256 key for ES512). */
export async function importKey(key: VerificationKey, alg: string): Promise<CryptoKey | Uint8Array | null> {
  try {
    return await importJWK(key, alg);
  } catch {
    return null;
  }
}
