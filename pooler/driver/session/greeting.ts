import { Cancellation } from '../../../shared/hop/cancellation.ts';
import {
  cancelRequestCode,
  frontend,
  gssRequestCode,
  ProtocolViolation,
  Secret,
  sslRequestCode,
} from '../../wire/index.ts';
import { type DriverError, driverError } from '../errors.ts';
import { failureOf, isFault } from '../failure.ts';
import type { Login, Logins } from '../logins.ts';
import { cleartextRequest, errorResponse, negotiation } from './answers.ts';
import { type FrontendReader, stringAt } from './frontend.ts';
import type { CancelKeys } from './keys.ts';
import type { Peer } from './peer.ts';
import { readStartup, type Startup } from './startup.ts';

export interface GreetingOptions {
  readonly logins: Pick<Logins, 'find' | 'verify'>;
  readonly keys: CancelKeys;
  /** The server that the client's address means. */
  readonly host: string;
  readonly port: number;
  /** Where the client comes from; empty where that is not known. */
  readonly network: string;
  /** The client is who it says. `parameters`: what the server reports to such a session. */
  readonly onVerified: (login: Login, parameters: ReadonlyMap<string, string>) => void;
  /** Told of what is a mistake of ours. */
  readonly onFault: (error: unknown) => void;
}

/** How often a client may ask for encryption: once for each kind. */
const requests = 2;

/** What comes before a session: who is there, and the proof of it. A request to cancel ends here. */
export class Greeting {
  readonly #peer: Peer;
  readonly #reader: FrontendReader;
  readonly #options: GreetingOptions;
  readonly #given = new Cancellation();
  #startup: Startup | null = null;
  #requests = 0;
  #over = false;

  constructor(peer: Peer, reader: FrontendReader, options: GreetingOptions) {
    this.#peer = peer;
    this.#reader = reader;
    this.#options = options;
  }

  /** The reader has something new. */
  arrived(): void {
    if (this.#over) return;
    try {
      if (this.#startup === null) this.#readStartup();
      if (this.#startup !== null) this.#readPassword(this.#startup);
    } catch (error) {
      const refusal =
        error instanceof ProtocolViolation ? driverError('08P01', `protocol violation: ${error.message}`) : error;
      this.#fail(failureOf(refusal, ''));
    }
  }

  /** The client has gone, or has taken too long. */
  gone(): void {
    this.#over = true;
    this.#given.abort();
  }

  /** The time for it is over. */
  expire(): void {
    this.#fail(driverError('08006', 'the login took too long', { hint: 'Send user and password at once.' }));
  }

  #readStartup(): void {
    if (this.#reader.isTerminated) {
      this.#leave();
      return;
    }
    for (let packet = this.#reader.startup(); packet !== null; packet = this.#reader.startup()) {
      switch (packet.readInt32BE(0)) {
        case sslRequestCode:
        case gssRequestCode:
          // What encrypts is the WebSocket's own TLS.
          if (this.#requests++ === requests) throw new ProtocolViolation('encryption was asked for again');
          this.#peer.send(Buffer.from('N'));
          continue;
        case cancelRequestCode:
          if (packet.length >= 8) this.#options.keys.cancel(packet.readInt32BE(4), packet.subarray(8));
          this.#leave();
          return;
        default:
          this.#startup = readStartup(packet);
          if (this.#startup.newer || this.#startup.unknown.length > 0)
            this.#peer.send(negotiation(this.#startup.unknown));
          this.#peer.send(cleartextRequest);
          return;
      }
    }
  }

  #readPassword(startup: Startup): void {
    const message = this.#reader.password();
    if (message === null) return;
    if (message.type === frontend.terminate) {
      this.#leave();
      return;
    }
    if (message.type !== frontend.password) throw new ProtocolViolation('expected a password');
    this.#over = true;
    void this.#verify(startup, stringAt(message.bytes, 5).text);
  }

  /** Nobody wants in any more. */
  #leave(): void {
    this.#over = true;
    this.#peer.close();
  }

  async #verify({ user, database, applicationName, options }: Startup, password: string): Promise<void> {
    const { logins, host, port, network, onVerified } = this.#options;
    try {
      if (password === '') throw driverError('28P01', `password authentication failed for user "${user}"`);
      const secret = new Secret(password);
      const login = logins.find({ host, port, user, password: secret, database, applicationName, options });
      const { parameters } = await logins.verify(login, network, this.#given);
      if (!this.#given.aborted) onVerified(login, parameters);
    } catch (error) {
      if (!this.#given.aborted) this.#refuse(failureOf(error, user), error);
    }
  }

  #refuse(failure: DriverError, error: unknown): void {
    if (isFault(failure)) this.#options.onFault(error);
    this.#fail(failure);
  }

  #fail({ fields }: DriverError): void {
    this.gone();
    this.#peer.send(errorResponse({ ...fields, severity: 'FATAL' }));
    this.#peer.close();
  }
}
