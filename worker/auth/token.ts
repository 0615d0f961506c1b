/** Verifies a token's signature: RFC 7515 compact form, by jose, with PostgREST's errors. */
import { base64url, type CryptoKey, compactVerify } from 'jose';
import type { KeySet } from '../../shared/config/key-set.ts';
import type { ApiError } from '../error.ts';
import { UnknownKeyError, undecodable } from './errors.ts';
import { candidates, importKey, isSignatureAlgorithm, isSymmetric } from './keys.ts';

/** Keys made usable before, by algorithm and place in the set; finished values, shared by requests. */
export type ImportedKeys = Map<string, CryptoKey | Uint8Array | null>;

interface Header {
  readonly alg: string;
  readonly kid: string | undefined;
}

const BASE64URL = /^[A-Za-z0-9_-]*$/;
const cryptoFailed = () => undecodable('JWT cryptographic operation failed');

function decodeText(part: string): string | null {
  try {
    const binary = atob(part.replaceAll('-', '+').replaceAll('_', '/'));
    return new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(binary, (c) => c.charCodeAt(0)));
  } catch {
    return null;
  }
}

function readHeader(part: string): Header {
  const text = decodeText(part);
  let header: unknown = null;
  try {
    header = text === null ? null : JSON.parse(text);
  } catch {
    throw cryptoFailed();
  }
  if (header === null || typeof header !== 'object' || !('alg' in header) || typeof header.alg !== 'string') {
    throw cryptoFailed();
  }
  if (header.alg === 'none') {
    throw undecodable('Wrong or unsupported encoding algorithm', "JWT is unsecured but expected 'alg' was not 'none'");
  }
  const kid = 'kid' in header ? header.kid : undefined;
  // A token with `enc` is encrypted (JWE), one with `crit` has extensions that we would have to understand.
  if ('enc' in header || 'crit' in header || !isSignatureAlgorithm(header.alg)) throw cryptoFailed();
  if (kid !== undefined && typeof kid !== 'string') throw cryptoFailed();
  return { alg: header.alg, kid };
}

/** Characters of a key's name that is looked for: anybody can write one. */
const LONGEST_KID = 500;

/** That no key fits. Where an issuer may have another one by now, the error says which. */
function noKey(set: KeySet, { alg, kid }: Header, details: string): ApiError {
  const error = undecodable('No suitable key or wrong key type', details);
  const isKnown = kid !== undefined && (kid.length > LONGEST_KID || set.keys.some((key) => key.kid === kid));
  // An issuer's keys are never symmetric.
  return set.remote === undefined || isKnown || isSymmetric(alg) ? error : new UnknownKeyError(kid ?? null, error);
}

/** What a token says, as text; proven where one of our keys has signed it, otherwise the pooler has to look. */
export interface Payload {
  readonly text: string;
  readonly isProven: boolean;
}

/** The payload of a token in good form, whoever wrote it. */
export const unprovenPayload = (token: string): string =>
  new TextDecoder().decode(base64url.decode(token.split('.')[1] ?? ''));

/** Reads a token that one of the keys has signed, or whose key is withheld; throws PGRST301 otherwise. */
export async function verifyToken(token: string, set: KeySet, imported: ImportedKeys): Promise<Payload> {
  if (token === '') throw undecodable('Empty JWT is sent in Authorization header');
  const parts = token.split('.');
  const [head, , ...rest] = parts;
  if (parts.length !== 3 || head === undefined) {
    throw undecodable(`Expected 3 parts in JWT; got ${parts.length}`);
  }
  if (!parts.every((p) => BASE64URL.test(p) && p.length % 4 !== 1) || rest.length !== 1) throw cryptoFailed();
  const header = readHeader(head);
  const { alg, kid } = header;
  if (set.withheld !== undefined && isSymmetric(alg)) return { text: unprovenPayload(token), isProven: false };
  const keys = candidates(set, alg, kid);
  if (keys.length === 0) {
    throw noKey(set, header, 'No suitable key was found to decode the JWT');
  }
  for (const key of keys) {
    const name = `${alg}:${set.keys.indexOf(key)}`;
    let usable = imported.get(name);
    if (usable === undefined) {
      usable = await importKey(key, alg);
      imported.set(name, usable);
    }
    if (usable === null) continue;
    try {
      const { payload } = await compactVerify(token, usable, { algorithms: [alg] });
      return { text: new TextDecoder().decode(payload), isProven: true };
    } catch {
      // Another key may fit; that none did is reported below.
    }
  }
  throw noKey(set, header, 'None of the keys was able to decode the JWT');
}
