import { frontend, type Lent, type NamedStatement, type Writer } from '../../wire/index.ts';
import { parseComplete } from './answers.ts';
import type { Ledger } from './ledger.ts';
import type { Names, Prepared } from './names.ts';

/**
 * What a client has prepared, on the server connection that it has. Names of statements are the connection's own: what a client has
 * prepared anywhere is parsed here when it is first used here, and what was parsed here already, by whomever, is not parsed again.
 */
export class PreparedStatements {
  readonly #lent: Lent;
  readonly #names: Names;
  readonly #ledger: Ledger;
  /** Changes with each Sync of the client's: what was parsed before the last one may have been skipped. */
  #batch = nextBatch();
  #parsedIn: Map<NamedStatement, number> | null = null;
  /** What the connection's unnamed statement is, if the client's own was parsed on it. */
  #unnamed: Prepared | null = null;
  /** How often the client's has changed. */
  #changes = 0;
  /** The batch in which the client has made or closed a name: until it is answered, an error may undo that. */
  #renamed: number | null = null;

  constructor(lent: Lent, names: Names, ledger: Ledger) {
    this.#lent = lent;
    this.#names = names;
    this.#ledger = ledger;
    lent.statements.unnamed = null;
  }

  /** The client's batch has ended. */
  batchEnded(): void {
    this.#batch = nextBatch();
  }

  /** The client has made or closed a name. */
  renamed(): void {
    this.#renamed = this.#batch;
  }

  /** Whether it is certain which names the client has. */
  get areNamesCertain(): boolean {
    if (this.#renamed === null || this.#renamed === this.#batch) return true;
    if (this.#ledger.running) return false;
    this.#renamed = null;
    return true;
  }

  /** The server has forgotten all names, and so has the client. */
  forgotten(): void {
    this.#lent.statements.discardAll();
    this.#names.clear();
    this.#unnamed = null;
  }

  /** Returns what undoes it: a change that came later stays. A Parse that fails leaves no unnamed statement behind. */
  changeUnnamed(to: Prepared | null): (failed: boolean) => void {
    const before = this.#names.get('');
    const change = ++this.#changes;
    this.#names.restore('', to ?? undefined);
    this.#unnamed = to;
    return (failed) => {
      this.#unnamed = null;
      if (this.#changes !== change) return;
      this.#changes--;
      this.#names.restore('', failed ? undefined : before);
    };
  }

  /** Does what a Parse under a name asks for. `undo`: for when it is not carried out. False when it is uncertain whether it is done already. */
  parse(prepared: Prepared, undo: () => void): boolean {
    const statement = this.#use(prepared);
    if (this.#isUncertain(statement)) return false;
    if (statement.state === 'new') this.#sendParse(statement, prepared, 'relay', undo);
    else this.#ledger.add('parse', parseComplete, { skipped: undo });
    return true;
  }

  /** The server's statement for a client's; parsed now if it is not there. Null when it is uncertain whether it is. */
  ensured(prepared: Prepared): NamedStatement | null {
    const statement = this.#use(prepared);
    if (this.#isUncertain(statement)) return null;
    if (statement.state === 'new') this.#sendParse(statement, prepared, 'swallow');
    return statement;
  }

  /** Makes sure that the connection's unnamed statement is the client's, or none where it has none. */
  ensureUnnamed(prepared: Prepared | undefined): void {
    if (prepared === undefined) {
      // What is there is what somebody else has left.
      this.#sendClose('');
      return;
    }
    if (prepared === this.#unnamed) return;
    writeNamed(this.#lent.writer, frontend.parse, '', Buffer.from(prepared.text.key, 'latin1'));
    this.#unnamed = prepared;
    const skipped = (): void => {
      this.#unnamed = null;
    };
    this.#ledger.add('parse', 'swallow', { skipped });
  }

  #use(prepared: Prepared): NamedStatement {
    const { text, scope, since } = prepared;
    // A batch of a client's has no end before its Sync: a statement of it may go for another one as well.
    return this.#lent.statements.use(text.key, `relayed\0${scope}`, nextBatch(), since);
  }

  /** Whether it was sent before an earlier Sync and is not acknowledged: an error there may have skipped it. */
  #isUncertain(statement: NamedStatement): boolean {
    return statement.state === 'parsing' && this.#parsedIn?.get(statement) !== this.#batch;
  }

  #sendParse(statement: NamedStatement, prepared: Prepared, answer: 'relay' | 'swallow', undo?: () => void): void {
    const { statements, writer } = this.#lent;
    for (const name of statements.takeClosing()) this.#sendClose(name, () => statements.unclosed([name]));
    writeNamed(writer, frontend.parse, statement.name, Buffer.from(prepared.text.key, 'latin1'));
    statement.state = 'parsing';
    statement.parsed = performance.now();
    this.#parsedIn ??= new Map();
    this.#parsedIn.set(statement, this.#batch);
    const done = (): void => {
      statement.state = 'ready';
      this.#parsedIn?.delete(statement);
    };
    const skipped = (): void => {
      statements.forget(statement);
      this.#parsedIn?.delete(statement);
      undo?.();
    };
    this.#ledger.add('parse', answer, { done, skipped });
  }

  #sendClose(name: string, skipped?: () => void): void {
    writeNamed(this.#lent.writer, frontend.close, `S${name}`);
    this.#ledger.add('close', 'swallow', skipped && { skipped });
  }
}

/** Writes a message that begins with a name, or with whatever ends with a zero byte. */
export function writeNamed(writer: Writer, type: number, name: string, rest: Buffer = nothing): void {
  writer.begin(type);
  writer.cstring(name);
  writer.bytes(rest);
  writer.end();
}

const nothing = Buffer.alloc(0);

/** Flights count upwards: no statement is taken for one of a flight's. */
let batches = 0;
const nextBatch = (): number => --batches;
