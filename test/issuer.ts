/** An issuer of tokens on loopback, as Auth0, Clerk or Supabase Auth are one: it signs, rotates its keys and publishes them. */
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import { listening } from './listening.ts';

export interface Issuer {
  /** Of its key set. */
  readonly url: string;
  /** What it publishes. */
  published: readonly JWK[];
  /** What it answers instead; null for the key set. */
  answer: ((response: ServerResponse) => void) | null;
  /** How often it was asked. */
  readonly asked: number;
  /** Makes another key, which signs from now on, and publishes it besides those that are published, or alone. */
  rotate(alone?: 'alone'): Promise<void>;
  /** A token with the newest key, or with one that nobody knows. */
  token(claims: Readonly<Record<string, unknown>>, kid?: string): Promise<string>;
  /** Goes away; `start` brings it back to the same port. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

/** Starts it with one key. */
export async function startIssuer(alg: 'ES256' | 'RS256' | 'EdDSA' = 'ES256'): Promise<Issuer> {
  let asked = 0;
  let made = 0;
  let port = 0;
  let signing: { readonly key: CryptoKey; readonly kid: string } | null = null;
  const server = createServer((_, response) => {
    asked += 1;
    if (issuer.answer !== null) issuer.answer(response);
    else response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: issuer.published }));
  });
  const issuer: Issuer = {
    get url() {
      return `http://127.0.0.1:${port}/.well-known/jwks.json`;
    },
    published: [],
    answer: null,
    get asked() {
      return asked;
    },
    rotate: async (alone) => {
      const pair = await generateKeyPair(alg, { extractable: true });
      made += 1;
      const kid = `key-${made}`;
      signing = { key: pair.privateKey, kid };
      const jwk = { ...(await exportJWK(pair.publicKey)), kid, alg, use: 'sig' };
      issuer.published = alone === 'alone' ? [jwk] : [...issuer.published, jwk];
    },
    token: (claims, kid) => {
      if (signing === null) throw new Error('no key');
      return new SignJWT(claims).setProtectedHeader({ alg, kid: kid ?? signing.kid }).sign(signing.key);
    },
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
    start: async () => {
      port = await listening(server, port);
    },
  };
  await issuer.rotate();
  await issuer.start();
  return issuer;
}
