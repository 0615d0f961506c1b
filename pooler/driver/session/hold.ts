import type { Lease } from '../../pool/index.ts';
import { ConnectionError, type FlightResult, type FlightStatement, frontend } from '../../wire/index.ts';
import { message, notification } from './answers.ts';
import { cleanStatements, foundCode, lookStatement } from './check.ts';
import type { FrontendMessage } from './frontend.ts';
import { type Holder, Loan, type Recipient } from './loan.ts';
import { readStatement, type Settings, settingsOf, writeStatement } from './settings.ts';

/**
 * `clean`: it can go to somebody else. `settings` are what the client has set; null where nothing of it has changed. `kept`: it has
 * something that cannot be taken along, in words.
 */
export type Checked =
  | { readonly outcome: 'clean'; readonly settings: Settings | null }
  | { readonly outcome: 'kept'; readonly by: string };

const canceled = '57014';
/** How often something is repeated that a late request to cancel has hit. */
const repetitions = 3;
/** Milliseconds that the server has to come to an end when the client is gone. */
const endTimeout = 5000;

/** A client's hold on a server connection, through any number of loans, and how the connection gets free again. */
export class Hold implements Recipient {
  readonly since = Date.now();
  readonly #lease: Lease;
  readonly #holder: Holder;
  #loan: Loan | null = null;
  #cancelling = false;
  /** A request to cancel has failed: it may still come. */
  #tainted = false;
  #ending: Ending | null = null;

  constructor(lease: Lease, holder: Holder) {
    this.#lease = lease;
    this.#holder = holder;
    const { connection } = lease;
    connection.subscribe(({ processId, channel, payload }) => {
      const sender = processId === connection.processId ? holder.processId : processId;
      holder.output(notification(sender, channel, payload));
    });
  }

  /** The loan that is on; null while the connection is looked after between two of them. */
  get loan(): Loan | null {
    return this.#loan;
  }

  /** Whether a request to cancel is under way, which may hit what runs next. */
  get cancelling(): boolean {
    return this.#cancelling;
  }

  /** Begins a loan. False when the connection is not free any more. */
  lend(): boolean {
    this.#loan = this.#lease.connection.lend((lent) => new Loan(lent, this.#holder, this));
    return this.#loan !== null;
  }

  output(bytes: Buffer): boolean {
    return this.#ending !== null || this.#holder.output(bytes);
  }

  moved(): void {
    if (this.#ending === null) this.#holder.moved();
    else this.#goOn();
  }

  lost(error: Error | null, told: boolean): void {
    this.#loan = null;
    this.#lease.destroy();
    if (this.#ending === null) this.#holder.lost(error, told);
    else this.#ending.over(false);
  }

  /** Sets what the client has set elsewhere. Rejects with a ConnectionError or what the database says. */
  async apply(settings: Settings): Promise<void> {
    const result = await this.#flight([writeStatement(settings)]);
    if (result.outcome === 'failed') throw result.error;
  }

  /** Asks the server to cancel what runs, once at a time. */
  cancel(): void {
    if (this.#cancelling) return;
    this.#cancelling = true;
    const over = (): void => {
      this.#cancelling = false;
      this.moved();
    };
    this.#lease.connection.cancel().then(over, () => {
      this.#tainted = true;
      over();
    });
  }

  /**
   * Ends the loan, which must be free, and looks whether the connection can go to somebody else; if so it is made as new. `kept`: whether
   * there was something that cannot be taken along. Rejects with a ConnectionError.
   */
  async check(kept: boolean): Promise<Checked> {
    const { trail } = this.#holder;
    this.giveBack();
    const checked = await this.#look(kept);
    if (checked.outcome === 'kept') trail.seen();
    return checked;
  }

  /** Whether nothing has to be looked at: the connection can go on as it is. */
  get untouched(): boolean {
    return !this.#holder.trail.touched;
  }

  /** Ends the loan, which must be free. */
  giveBack(): void {
    this.#loan?.giveBack();
    this.#loan = null;
  }

  async #look(kept: boolean): Promise<Checked> {
    const { trail } = this.#holder;
    if (trail.unnamed) return { outcome: 'kept', by: 'a setting whose name cannot be seen' };
    if (kept || trail.state) {
      const looked = await this.#flight([lookStatement(trail)]);
      if (looked.outcome === 'failed') throw lostBy(looked);
      const by = looked.results[0]?.row?.text(0) ?? null;
      if (by !== null) return { outcome: 'kept', by };
    }
    const read = trail.settings ? [readStatement(trail.custom)] : [];
    if (trail.settings) {
      // Before anything is undone it has to be known that it can be taken along.
      const result = await this.#flight(read);
      if (result.outcome === 'failed') throw lostBy(result);
      const settings = settingsOf(result.results[0]?.rows ?? []);
      if (settings === null) return { outcome: 'kept', by: 'many settings' };
      return await this.#clean(settings);
    }
    return await this.#clean(null);
  }

  /** The client is gone: rolls back what it has begun, leaves nothing behind and gives the connection back, or closes it. Never rejects. */
  async finish(): Promise<void> {
    const { connection } = this.#lease;
    try {
      if (this.#loan !== null) await this.#end();
      if (connection.state === 'idle') {
        const checked = await this.#clean(null);
        if (checked.outcome === 'kept') {
          await connection.flight({ statements: [], reset: true });
          // What was temporary is gone.
          this.#holder.changes.happened();
        }
      }
      this.release();
    } catch {
      this.#lease.destroy();
    }
  }

  /** Gives a clean connection back. */
  release(): void {
    this.#lease.connection.subscribe(null);
    if (this.#tainted) this.#lease.destroy();
    else this.#lease.release();
  }

  async #clean(settings: Settings | null): Promise<Checked> {
    const { trail } = this.#holder;
    const result = await this.#flight(cleanStatements(trail));
    if (result.outcome === 'completed') {
      trail.clear();
      return { outcome: 'clean', settings };
    }
    if (result.error.code !== foundCode) throw lostBy(result);
    return { outcome: 'kept', by: /"(.*)"/.exec(result.error.message)?.[1] ?? 'something' };
  }

  async #flight(statements: readonly FlightStatement[]): Promise<FlightResult> {
    for (let i = 0; ; i++) {
      const result = await this.#lease.connection.flight({ statements, reset: false });
      const hit = result.outcome === 'failed' && result.error.code === canceled;
      // The answer comes a moment before the connection is free.
      if (!(await this.#lease.connection.free())) throw new ConnectionError('unknown', 'the connection was lost');
      if (!hit || i === repetitions) return result;
    }
  }

  /** Brings the server to the end of whatever it was doing. Rejects when it does not get there. */
  #end(): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => this.#ending?.over(false), endTimeout);
      this.#ending = {
        rolledBack: false,
        over: (free) => {
          clearTimeout(late);
          if (free) resolve();
          else reject(new ConnectionError('unknown', 'the connection was given up'));
        },
      };
      const { loan } = this;
      if (loan === null) return;
      const { exchange } = loan;
      // What was never synced must not be committed.
      if (exchange.ledger.copyingIn) exchange.send(copyFailMessage);
      else if (exchange.ledger.open) exchange.send(wrongMessage);
      if (exchange.ledger.open) exchange.send(syncMessage);
      loan.flush();
      loan.resume();
      if (!exchange.ledger.answered) this.cancel();
      this.#goOn();
    });
  }

  /** One step further to the end. */
  #goOn(): void {
    const { loan } = this;
    const ending = this.#ending;
    if (loan === null || ending === null || this.#cancelling || !loan.exchange.ledger.answered) return;
    if (loan.free) {
      this.#loan = null;
      loan.giveBack();
      ending.over(true);
    } else if (ending.rolledBack) ending.over(false);
    else {
      ending.rolledBack = true;
      loan.send(rollbackMessage);
      loan.flush();
    }
  }
}

/** On the way to the end of what a client has left. */
interface Ending {
  rolledBack: boolean;
  readonly over: (free: boolean) => void;
}

function lostBy(result: FlightResult): ConnectionError {
  const cause = result.outcome === 'failed' ? result.error : undefined;
  return new ConnectionError('unknown', 'the session could not be looked after', cause);
}

const ours = (type: number, text: string): FrontendMessage => ({ type, bytes: message(type, Buffer.from(text)) });

const syncMessage = ours(frontend.sync, '');
const rollbackMessage = ours(frontend.query, 'ROLLBACK\0');
/** It fails: there is no such portal. */
const wrongMessage = ours(frontend.execute, 'the client is gone\0\0\0\0\0');
const copyFailMessage = ours(frontend.copyFail, 'the client is gone\0');
