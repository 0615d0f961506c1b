/** `jwt-secret`: a text, the same in base64, a JSON Web Key or a set of them (RFC 7517). Its URL is key-set.ts's. */
import type { Parsed } from './values.ts';

/** The public members of a key: what verifying needs. Private ones are dropped on reading. */
export interface VerificationKey {
  readonly kty: string;
  readonly kid?: string;
  readonly use?: string;
  readonly alg?: string;
  readonly k?: string;
  readonly n?: string;
  readonly e?: string;
  readonly crv?: string;
  readonly x?: string;
  readonly y?: string;
}

const MEMBERS = ['kid', 'use', 'alg', 'k', 'n', 'e', 'crv', 'x', 'y'] as const;
/** What each type of key cannot be without (RFC 7518, section 6; RFC 8037). */
const REQUIRED: ReadonlyMap<string, readonly string[]> = new Map([
  ['oct', ['k']],
  ['RSA', ['n', 'e']],
  ['EC', ['crv', 'x', 'y']],
  ['OKP', ['crv', 'x']],
]);

const MIN_SECRET_BYTES = 32;

function bytesOfBase64(text: string): Uint8Array | null {
  // Both alphabets, and '.' for '=', as PostgREST takes them.
  const standard = text.trim().replaceAll('_', '/').replaceAll('-', '+').replaceAll('.', '=');
  try {
    return Uint8Array.from(atob(standard), (character) => character.charCodeAt(0));
  } catch {
    return null;
  }
}

function base64Url(bytes: Uint8Array): string {
  const binary = Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** A key's public members; null when it is none, or of a type that is not known. */
export function keyOf(value: unknown): VerificationKey | null {
  if (typeof value !== 'object' || value === null) return null;
  const source: { readonly [member: string]: unknown } = { ...value };
  const { kty } = source;
  if (typeof kty !== 'string') return null;
  const required = REQUIRED.get(kty);
  if (!required?.every((member) => typeof source[member] === 'string')) return null;
  const members = MEMBERS.flatMap((member) => {
    const text = source[member];
    // RSA's and EC's private members are not listed, and `k` is the secret of no key but `oct`.
    return typeof text === 'string' && (member !== 'k' || kty === 'oct') ? [[member, text] as const] : [];
  });
  return { kty, ...Object.fromEntries(members) };
}

/** The keys of a JWK or a set; null when the text is neither, and so a secret as it stands. */
function keysOfJson(text: string): readonly VerificationKey[] | null {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof json === 'object' && json !== null && 'keys' in json && Array.isArray(json.keys)) {
    const keys = json.keys.map(keyOf);
    return keys.every((key) => key !== null) ? keys : null;
  }
  const key = keyOf(json);
  return key ? [key] : null;
}

/**
 * The keys that a `jwt-secret` stands for (its `@file` already read). A plain secret is one key for HS256, at least
 * 32 bytes long, as in PostgREST.
 */
export function verificationKeys(secret: Uint8Array, isBase64: boolean): Parsed<readonly VerificationKey[]> {
  const bytes = isBase64 ? bytesOfBase64(new TextDecoder().decode(secret)) : secret;
  if (bytes === null) return { ok: false, allowed: 'base64, as jwt-secret-is-base64 says' };
  const keys = keysOfJson(new TextDecoder().decode(bytes));
  if (keys) return { ok: true, value: keys };
  if (bytes.length < MIN_SECRET_BYTES) {
    return {
      ok: false,
      allowed: `at least ${MIN_SECRET_BYTES} characters long, or a JSON Web Key, a key set or its https URL`,
    };
  }
  return { ok: true, value: [{ kty: 'oct', k: base64Url(bytes), alg: 'HS256', use: 'sig' }] };
}
