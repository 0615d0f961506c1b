/** Tokens signed with a symmetric key (RFC 7515, HS256), whatever they say: jose makes none that are wrong. */
import { createHmac } from 'node:crypto';

/** A part of a token: JSON, or the text as it is. */
export const tokenPart = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** A token with these claims, signed with HMAC and SHA-256 whatever the header says. */
export function signedToken(claims: unknown, key: string, header: object = { alg: 'HS256', typ: 'JWT' }): string {
  const signed = `${tokenPart(header)}.${tokenPart(claims)}`;
  return `${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`;
}
