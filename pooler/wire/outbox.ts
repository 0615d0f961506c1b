import { Batch } from './batch.ts';
import { encodeBatch } from './encode.ts';
import type { Journey } from './journey.ts';
import { Reset, unnamedReset } from './reset.ts';
import { StatementRegistry } from './statements.ts';
import { rollbackStatements } from './transaction.ts';
import type { StatementUses } from './types.ts';
import { type Sink, Writer } from './writer.ts';

/** What a batch is for. */
export type Purpose = 'flight' | 'rollback' | 'reset';

export type SentBatch = { readonly purpose: Purpose; readonly batch: Batch };

const nothing = new Uint8Array(0);

/** What one connection sends: batches, of which several may be under way, and the names that they have prepared. */
export class Outbox {
  readonly statements: StatementRegistry;
  readonly #writer = new Writer();
  readonly #reset = new Reset();
  /** Batches that are not answered with ReadyForQuery, in order. */
  readonly #pending: SentBatch[] = [];
  #number = 0;

  /** `capacity` is how many named statements are kept. */
  constructor(capacity: number, uses?: StatementUses) {
    this.statements = new StatementRegistry(capacity, uses);
  }

  /** What a borrower of the connection writes with: empty between flights. */
  get writer(): Writer {
    return this.#writer;
  }

  /** The batch that the server is answering. */
  get first(): SentBatch | undefined {
    return this.#pending[0];
  }

  get empty(): boolean {
    return this.#pending.length === 0;
  }

  /** The first batch has been answered. Throws a ProtocolViolation when there is none or its answer is not complete. */
  take(): SentBatch | undefined {
    const through = this.#pending.shift();
    if (through === undefined) return undefined;
    through.batch.finish(this.statements);
    if (through.purpose === 'reset') this.#reset.ended(through.batch);
    return through;
  }

  /** Writes a flight, and its reset where it has one, without sending them. Throws a RangeError and leaves everything as it was. */
  writeFlight(journey: Journey): void {
    try {
      this.#write('flight', journey.batch);
    } catch (error) {
      // Only what the protocol cannot carry gets here; the registry has been put right by encodeBatch.
      this.#writer.discard();
      throw error instanceof RangeError ? error : new RangeError('the flight cannot be encoded', { cause: error });
    }
    if (journey.flight.reset) this.#writeReset(journey);
  }

  /** Sends what writeFlight has written, in one write. */
  sendFlight(journey: Journey, socket: Sink): void {
    journey.handedOver = this.#writer.flush(socket);
    if (journey.handedOver) return;
    const { batch } = journey;
    // An empty write ends after everything before it.
    socket.write(nothing, (error) => {
      if (!error && journey.batch === batch) journey.handedOver = true;
    });
  }

  sendRollback(socket: Sink): void {
    this.#write('rollback', new Batch(rollbackStatements));
    this.#writer.flush(socket);
  }

  sendReset(journey: Journey, socket: Sink): void {
    this.#writeReset(journey);
    this.#writer.flush(socket);
  }

  #write(purpose: Purpose, batch: Batch): void {
    encodeBatch(this.#writer, batch, this.statements, ++this.#number);
    this.#pending.push({ purpose, batch });
  }

  #writeReset({ flight }: Journey): void {
    if (flight.statements.some((each) => each.prepare === 'named')) {
      this.#pending.push({ purpose: 'reset', batch: this.#reset.encode(this.#writer, this.statements) });
    } else this.#write('reset', new Batch(unnamedReset));
  }
}
