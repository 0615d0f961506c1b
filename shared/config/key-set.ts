/** Key sets (RFC 7517) that an issuer publishes: which URLs may be asked for one, and what of the answer is used. */
import { isLoopback } from '../loopback.ts';
import { keyOf, type VerificationKey } from './keys.ts';
import type { Parsed } from './values.ts';

/** The keys that tokens are verified with. They travel to the worker apart from the snapshot. */
export interface KeySet {
  readonly keys: readonly VerificationKey[];
  /** Whose keys come from a URL: `awaited` until the issuer has answered for the first time. */
  readonly remote?: 'fetched' | 'awaited';
  /**
   * In the worker's set: the pooler keeps its symmetric keys to itself, since they sign as well as verify, and is asked where a token needs
   * one. Other keys have another text here.
   */
  readonly withheld?: string;
}

const WITH_SCHEME = /^[a-z][a-z0-9+.-]*:\/\//i;

/**
 * The URL of a key set. Over plain http anybody on the way could put keys of their own into it, so it is for loopback
 * alone; credentials do not belong into a URL.
 */
export function isKeySetUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, username, password } = new URL(text);
  if (username !== '' || password !== '') return false;
  return protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname));
}

/** Reads `jwt-secret` as a URL; null where it is none, but a secret or keys. */
export function keySetUrl(secret: string): Parsed<string> | null {
  const text = secret.trim();
  if (!WITH_SCHEME.test(text)) return null;
  if (isKeySetUrl(text)) return { ok: true, value: text };
  return {
    ok: false,
    allowed: 'an https URL of a key set (http on loopback only) without credentials, where it is a URL',
  };
}

function byText(a: VerificationKey, b: VerificationKey): number {
  const [one, other] = [JSON.stringify(a), JSON.stringify(b)];
  return one < other ? -1 : one > other ? 1 : 0;
}

/** What an issuer's set has for us. */
export interface IssuedKeys {
  readonly keys: readonly VerificationKey[];
  /** Symmetric keys that were left out: what everybody can fetch is no secret. */
  readonly symmetric: number;
}

/**
 * The asymmetric keys of a set; null when the JSON is none. Keys that are not understood are left out (RFC 7517, section 5).
 */
export function issuedKeys(json: unknown): IssuedKeys | null {
  if (typeof json !== 'object' || json === null || !('keys' in json) || !Array.isArray(json.keys)) return null;
  const keys = json.keys.map(keyOf).filter((key) => key !== null);
  // In one order, whichever the issuer has: who looks whether they changed compares them as they are.
  const asymmetric = keys.filter((key) => key.kty !== 'oct').sort(byText);
  return { keys: asymmetric, symmetric: keys.length - asymmetric.length };
}
