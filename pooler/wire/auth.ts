import { createHash } from 'node:crypto';
import { ConnectionError } from './errors.ts';
import { stringEnd } from './fields.ts';
import { frontend, ProtocolViolation } from './messages.ts';
import { type ChannelBinding, ScramError, ScramExchange } from './scram.ts';
import type { Secret } from './secret.ts';
import type { Writer } from './writer.ts';

/** Whether SCRAM is tied to the TLS connection (libpq's channel_binding). */
export type ChannelBindingPolicy = 'disable' | 'prefer' | 'require';

export type Credentials = {
  readonly user: string;
  readonly password: Secret | null;
  /** See ConnectionConfig. */
  readonly passwordChecked?: boolean;
};

/** Answers the server's Authentication messages. */
export class Authentication {
  readonly #credentials: Credentials;
  readonly #policy: ChannelBindingPolicy;
  readonly #certificateHash: Uint8Array | null;
  #scram: ScramExchange | null = null;
  #proven = false;
  #asked = false;

  /** `certificateHash` is the server's, where the connection is encrypted and the certificate allows binding to it. */
  constructor(credentials: Credentials, policy: ChannelBindingPolicy, certificateHash: Uint8Array | null) {
    this.#credentials = credentials;
    this.#policy = policy;
    this.#certificateHash = certificateHash;
  }

  /**
   * Takes an Authentication message's payload and writes the answer, if it wants one; a promise when that takes time. Throws or rejects
   * with a ConnectionError. What the server has to prove is checked at once: the messages after this one may already be here.
   */
  answer(payload: Buffer, writer: Writer): Promise<void> | undefined {
    const kind = payload.length < 4 ? -1 : payload.readInt32BE(0);
    switch (kind) {
      case 0:
        if (this.#policy === 'require' && !(this.#proven && this.#scram?.mechanism === 'SCRAM-SHA-256-PLUS')) {
          throw this.#failure('channel binding is required, but the server does not offer it');
        }
        if (this.#credentials.passwordChecked === true && !this.#asked) {
          throw this.#failure('the server does not ask this user for a password, so that it cannot be verified');
        }
        if (this.#scram !== null && !this.#proven) throw this.#failure('the server skipped its part of SCRAM');
        return undefined;
      case 3:
        this.#send(writer, this.#password());
        return undefined;
      case 5: {
        const inner = md5(this.#password() + this.#credentials.user);
        this.#send(writer, `md5${md5(Buffer.concat([Buffer.from(inner), payload.subarray(4, 8)]))}`);
        return undefined;
      }
      case 10:
        this.#startScram(payload, writer);
        return undefined;
      case 11:
        return this.#continueScram(payload.toString('utf8', 4), writer);
      case 12:
        this.#finishScram(payload.toString('utf8', 4));
        return undefined;
      default:
        throw this.#failure(`the server wants an authentication method that is not supported (${kind})`);
    }
  }

  #startScram(payload: Buffer, writer: Writer): void {
    const offered = new Set<string>();
    for (let at = 4; at < payload.length && payload[at] !== 0; ) {
      const end = stringEnd(payload, at, payload.length);
      offered.add(payload.toString('latin1', at, end));
      at = end + 1;
    }
    const exchange = new ScramExchange(this.#password(), this.#binding(offered));
    if (!offered.has(exchange.mechanism)) throw this.#failure('the server offers no SASL mechanism that is supported');
    this.#scram = exchange;
    const first = exchange.first();
    writer.begin(frontend.password);
    writer.cstring(exchange.mechanism);
    writer.sized(first);
    writer.end();
  }

  #binding(offered: ReadonlySet<string>): ChannelBinding {
    if (this.#certificateHash === null || this.#policy === 'disable') return { kind: 'none' };
    if (!offered.has('SCRAM-SHA-256-PLUS')) return { kind: 'not offered' };
    return { kind: 'bound', certificateHash: this.#certificateHash };
  }

  async #continueScram(serverFirst: string, writer: Writer): Promise<void> {
    try {
      const final = await this.#exchange().final(serverFirst);
      writer.begin(frontend.password);
      writer.raw(Buffer.from(final));
      writer.end();
    } catch (error) {
      throw error instanceof ScramError ? this.#failure(error.message) : error;
    }
  }

  #finishScram(serverFinal: string): void {
    try {
      this.#exchange().verify(serverFinal);
      this.#proven = true;
    } catch (error) {
      throw error instanceof ScramError ? this.#failure(error.message) : error;
    }
  }

  #exchange(): ScramExchange {
    if (this.#scram === null) throw new ProtocolViolation('SCRAM went on before it began');
    return this.#scram;
  }

  #password(): string {
    const password = this.#credentials.password;
    if (password === null) throw this.#failure('the server wants a password and none is configured');
    this.#asked = true;
    return password.reveal();
  }

  #send(writer: Writer, password: string): void {
    writer.begin(frontend.password);
    writer.cstring(password);
    writer.end();
  }

  #failure(message: string): ConnectionError {
    return new ConnectionError('authentication', message);
  }
}

function md5(data: string | Uint8Array): string {
  return createHash('md5').update(data).digest('hex');
}
