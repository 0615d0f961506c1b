import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { saslPrepared } from './saslprep.ts';

const derive = promisify(pbkdf2);
/** PostgreSQL's default is 4096; a server that asks for much more only wants to keep us busy. */
const maximumIterations = 1_000_000;

/** What ties the exchange to the TLS connection (RFC 5802, section 6). */
export type ChannelBinding =
  /** Bind to the server's certificate: SCRAM-SHA-256-PLUS with tls-server-end-point (RFC 5929). */
  | { readonly kind: 'bound'; readonly certificateHash: Uint8Array }
  /** We could have, but the server did not offer it. A server that did finds out that somebody removed the offer. */
  | { readonly kind: 'not offered' }
  | { readonly kind: 'none' };

/** The server's part of the exchange was malformed or did not prove that it knows the password. */
export class ScramError extends Error {
  override readonly name = 'ScramError';
}

/** The client's side of one SCRAM-SHA-256 exchange (RFC 5802, RFC 7677). */
export class ScramExchange {
  readonly #password: string;
  readonly #header: string;
  readonly #binding: ChannelBinding;
  readonly #nonce: string;
  #serverSignature: Buffer | null = null;

  constructor(password: string, binding: ChannelBinding, nonce: string = randomBytes(18).toString('base64')) {
    this.#password = password;
    this.#binding = binding;
    this.#nonce = nonce;
    this.#header = binding.kind === 'bound' ? 'p=tls-server-end-point,,' : binding.kind === 'none' ? 'n,,' : 'y,,';
  }

  get mechanism(): 'SCRAM-SHA-256' | 'SCRAM-SHA-256-PLUS' {
    return this.#binding.kind === 'bound' ? 'SCRAM-SHA-256-PLUS' : 'SCRAM-SHA-256';
  }

  /** The client-first-message. PostgreSQL takes the user from the startup packet, so the name here is empty. */
  first(): string {
    return this.#header + this.#firstBare();
  }

  /** The client-final-message in answer to the server-first-message. Throws a ScramError. */
  async final(serverFirst: string): Promise<string> {
    const parts = /^r=([\x21-\x2b\x2d-\x7e]+),s=([A-Za-z0-9+/=]+),i=([0-9]{1,9})(?:,|$)/.exec(serverFirst);
    const [, nonce = '', salt = '', count = ''] = parts ?? [];
    if (!nonce.startsWith(this.#nonce) || nonce.length === this.#nonce.length) {
      throw new ScramError('the server sent a malformed SCRAM challenge');
    }
    const iterations = Number(count);
    if (iterations < 1 || iterations > maximumIterations)
      throw new ScramError('the server asks for too many iterations');
    const password = saslPrepared(this.#password);
    const salted = await derive(password, Buffer.from(salt, 'base64'), iterations, 32, 'sha256');
    const clientKey = hmac(salted, 'Client Key');
    const binding =
      this.#binding.kind === 'bound'
        ? Buffer.concat([Buffer.from(this.#header), this.#binding.certificateHash])
        : Buffer.from(this.#header);
    const withoutProof = `c=${binding.toString('base64')},r=${nonce}`;
    const message = `${this.#firstBare()},${serverFirst},${withoutProof}`;
    const clientSignature = hmac(createHash('sha256').update(clientKey).digest(), message);
    const proof = Buffer.from(clientKey.map((byte, i) => byte ^ (clientSignature[i] ?? 0)));
    this.#serverSignature = hmac(hmac(salted, 'Server Key'), message);
    return `${withoutProof},p=${proof.toString('base64')}`;
  }

  /** Checks the server-final-message: only who knows the password's verifier can have signed it. Throws a ScramError. */
  verify(serverFinal: string): void {
    const [, signature] = /^v=([A-Za-z0-9+/=]+)(?:,|$)/.exec(serverFinal) ?? [];
    const given = Buffer.from(signature ?? '', 'base64');
    const expected = this.#serverSignature;
    if (expected === null || given.length !== expected.length || !timingSafeEqual(given, expected)) {
      throw new ScramError('the server could not prove that it knows the password');
    }
  }

  #firstBare(): string {
    return `n=,r=${this.#nonce}`;
  }
}

function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
