import { type Borrower, type Lent, MessageScanner } from '../../wire/index.ts';
import { type Client, Exchange } from './exchange.ts';
import type { FrontendMessage } from './frontend.ts';

/** Who is told what comes of a loan. */
export interface Recipient {
  /** Bytes for the client, which may be overwritten afterwards. Returns false while it does not take any more. */
  output(bytes: Buffer): boolean;
  /** Something was answered, or the server can take more. */
  moved(): void;
  /** The connection is gone. Called once. `told`: the server itself has told the client why. */
  lost(error: Error | null, told: boolean): void;
}

/** Who is at the other end of a loan. */
export interface Holder extends Client, Recipient {}

/** The bytes of a server connection in the hands of one client. */
export class Loan implements Borrower {
  readonly exchange: Exchange;
  readonly #lent: Lent;
  readonly #recipient: Recipient;
  readonly #scanner: MessageScanner;
  #draining = false;
  #paused = false;
  #ended = false;

  constructor(lent: Lent, client: Client, recipient: Recipient) {
    this.#lent = lent;
    this.#recipient = recipient;
    this.exchange = new Exchange(lent, client);
    this.#scanner = new MessageScanner(this.exchange);
  }

  /** Whether the server has not taken what it was sent. */
  get full(): boolean {
    return this.#draining;
  }

  /** Whether everything is answered and the server is outside of any transaction. */
  get free(): boolean {
    const { answered, open, status } = this.exchange.ledger;
    return answered && !open && status === 'I' && this.#scanner.between;
  }

  /** Whether nothing happens before the client does something. */
  get waits(): boolean {
    return this.#paused || this.exchange.ledger.waits;
  }

  data(chunk: Buffer, length: number): boolean {
    const bytes = this.#scanner.push(chunk, length);
    const goOn = bytes === null || this.#recipient.output(bytes);
    this.#paused = !goOn;
    this.#recipient.moved();
    // Given back meanwhile, it is read by others.
    return goOn || this.#ended;
  }

  lost(error: Error | null): void {
    this.#ended = true;
    this.exchange.abandon();
    this.#recipient.lost(error, this.exchange.ledger.dismissed);
  }

  /** Writes a message, without sending it yet. As Exchange.send. */
  send(message: FrontendMessage): boolean {
    return this.exchange.send(message);
  }

  /** Sends what was written, and gives the client what needs no server. */
  flush(): void {
    const { socket, writer } = this.#lent;
    writer.flush(socket);
    const inserted = this.exchange.insertion();
    if (inserted !== null) this.#recipient.output(Buffer.concat(inserted));
    if (!socket.writableNeedDrain || this.#draining) return;
    this.#draining = true;
    socket.once('drain', () => {
      this.#draining = false;
      if (!this.#ended) this.#recipient.moved();
    });
  }

  /** The client takes more. */
  resume(): void {
    if (!this.#paused || this.#ended) return;
    this.#paused = false;
    this.#lent.resume();
  }

  /** Ends the loan, which must be free. */
  giveBack(): void {
    this.resume();
    this.#ended = true;
    this.#lent.giveBack(this);
  }
}
