import {
  backend,
  frontend,
  type Lent,
  type NamedStatement,
  type Onlooker,
  ProtocolViolation,
  readParameter,
} from '../../wire/index.ts';
import { closeComplete, commandComplete, parseComplete } from './answers.ts';
import { type FrontendMessage, stringAt } from './frontend.ts';
import { type Asked, type Consequences, Ledger } from './ledger.ts';
import type { Names, Prepared, Texts } from './names.ts';
import type { Trail } from './trail.ts';

/** The session's part of an exchange. */
export interface Client {
  readonly names: Names;
  readonly texts: Texts;
  readonly trail: Trail;
  /** What the session's settings are known by; '' where it has none of its own. */
  readonly scope: string;
  /** The server has reported a parameter. False keeps it from the client. */
  reported(name: string, value: string): boolean;
}

/** The client has prepared more than we keep for it. */
export class TooManyNames extends Error {
  override readonly name = 'TooManyNames';
}

/**
 * Carries a client's messages over to a server connection and keeps the answers aligned. Names of statements are the server
 * connection's own: what a client has prepared anywhere is parsed here when it is first used here, and what was parsed here already, by
 * whomever, is not parsed again.
 */
export class Exchange implements Onlooker {
  readonly #lent: Lent;
  readonly #client: Client;
  readonly #ledger: Ledger;
  /** Changes with each Sync of the client's: what was parsed before the last one may have been skipped. */
  #batch = nextBatch();
  readonly #parsedIn = new Map<NamedStatement, number>();
  /** What the connection's unnamed statement is, if the client's own was parsed on it. */
  #unnamed: Prepared | null = null;
  /** How often the client's has changed. */
  #changes = 0;
  /** The batch in which the client has made or closed a name: until it is answered, an error may undo that. */
  #renamed: number | null = null;

  /** What the portal runs may make the server forget what is prepared; that is under way. */
  #forgetful = false;
  #forgetting = false;

  constructor(lent: Lent, client: Client) {
    this.#lent = lent;
    this.#client = client;
    this.#ledger = new Ledger((statement) => lent.statements.discard(statement));
    lent.statements.unnamed = null;
  }

  /** Where it stands. */
  get ledger(): Pick<Ledger, 'status' | 'answered' | 'open' | 'copyingIn' | 'waits'> {
    return this.#ledger;
  }

  /**
   * Writes a client's message for the server, if need be as another one. False when it has to wait for the answers to what was sent
   * before. Throws a ProtocolViolation or TooManyNames.
   */
  send(message: FrontendMessage): boolean {
    const { type, bytes } = message;
    // The server skips it: it need not be sent.
    if (this.#ledger.skipping && type !== frontend.sync) return true;
    // What is prepared on the server is only known afterwards.
    if (this.#forgetting && !this.#ledger.answered) return false;
    this.#forgetting = false;
    switch (type) {
      case frontend.query:
        return this.#query(bytes);
      case frontend.parse:
        return this.#parse(bytes);
      case frontend.bind:
        return this.#bind(bytes);
      case frontend.describe:
        return this.#describe(bytes);
      case frontend.close:
        return this.#close(bytes);
      case frontend.execute:
        this.#relay(bytes, 'execute');
        if (this.#forgetful) {
          this.#forgetting = true;
          // It would not answer before the Sync.
          this.#flush();
        }
        return true;
      case frontend.sync:
        this.#end(bytes, 'sync');
        return true;
      case frontend.functionCall:
        this.#client.trail.call();
        this.#end(bytes, 'call');
        return true;
      case frontend.flush:
        this.#flush();
        return true;
      case frontend.copyData:
        this.#lent.writer.bytes(bytes);
        return true;
      case frontend.copyDone:
      case frontend.copyFail:
        this.#lent.writer.bytes(bytes);
        this.#ledger.endCopy();
        return true;
      default:
        throw new ProtocolViolation(`a message of type ${type} makes no sense here`);
    }
  }

  inspect(type: number, bytes: Buffer, start: number, end: number): boolean {
    switch (type) {
      case backend.parseComplete:
        return this.#ledger.answer('parse', type);
      case backend.bindComplete:
        return this.#ledger.answer('bind', type);
      case backend.closeComplete:
        return this.#ledger.answer('close', type);
      case backend.noData:
        return this.#ledger.answer('describe', type);
      case backend.portalSuspended:
        return this.#ledger.answer('execute', type);
      case backend.commandComplete:
        this.#completed(bytes.toString('latin1', start + 5, end - 1));
        return this.#ledger.executed();
      case backend.emptyQueryResponse:
        return this.#ledger.executed();
      case backend.readyForQuery:
        this.#ledger.ready(bytes[start + 5]);
        // It may have forgotten them even though it says that it failed.
        if (this.#forgetting && this.#ledger.answered) this.#lent.statements.discardAll();
        return true;
      case backend.errorResponse:
        return this.#ledger.failed(bytes, start + 5, end);
      case backend.copyInResponse:
        this.#ledger.copyIn();
        return true;
      case backend.parameterStatus: {
        const [name, value] = readParameter(bytes, start + 5, end);
        this.#lent.reported(name, value);
        return this.#client.reported(name, value);
      }
      case backend.copyOutResponse:
      case backend.copyDone:
      case backend.noticeResponse:
      case backend.notificationResponse:
        return true;
      default:
        throw new ProtocolViolation(`unexpected message '${String.fromCharCode(type)}'`);
    }
  }

  described(): void {
    this.#ledger.described();
  }

  insertion(): readonly Buffer[] | null {
    return this.#ledger.insertion();
  }

  /** Nothing comes any more: what was parsed and not acknowledged may not exist. */
  abandon(): void {
    this.#ledger.abandon();
  }

  #query(bytes: Buffer): boolean {
    const { text } = stringAt(bytes, 5);
    const name = text.length < longestDeallocate ? deallocated(text) : null;
    if (name !== null) {
      // Whether there is such a name, and a transaction that takes it, has to be certain.
      if (!this.#ledger.answered) {
        this.#flush();
        return false;
      }
      if (this.#client.names.get(name) !== undefined && this.#ledger.status !== 'E') {
        this.#deallocate(name);
        return true;
      }
    }
    this.#forgetting = this.#client.trail.text(text).forgets;
    // It takes the place of the unnamed statement.
    const skipped = this.#changeUnnamed(null);
    this.#end(bytes, 'query', { skipped });
    return true;
  }

  /** The name is the client's alone, the server knows none like it: a Sync is answered in place of the query. */
  #deallocate(name: string): void {
    this.#client.names.delete(name);
    this.#changeUnnamed(null);
    this.#ledger.add('close', commandComplete('DEALLOCATE'));
    this.#end(Buffer.from(syncMessage), 'sync');
  }

  #parse(bytes: Buffer): boolean {
    const { text: name, next } = stringAt(bytes, 5);
    const { names, texts, scope } = this.#client;
    const prepared = { text: texts.of(bytes.subarray(next)), scope };
    if (name === '') {
      const skipped = this.#changeUnnamed(prepared);
      this.#relay(bytes, 'parse', { skipped });
      return true;
    }
    if (!this.#isCertain) return false;
    const before = names.get(name);
    if (before !== undefined) {
      // The server says that there is one, after it has been made sure of.
      const statement = this.#ensured(before);
      if (statement === null) return false;
      this.#write(frontend.parse, statement.name, bytes.subarray(next));
      this.#ledger.add('parse', 'relay', { taken: name });
      return true;
    }
    if (!names.set(name, prepared)) throw new TooManyNames();
    this.#renamed = this.#batch;
    const skipped = (): void => names.delete(name);
    const statement = this.#use(prepared);
    if (statement.state !== 'new') {
      if (this.#isUncertain(statement)) {
        names.delete(name);
        return false;
      }
      this.#ledger.add('parse', parseComplete, { skipped });
      return true;
    }
    this.#sendParse(statement, prepared, 'relay', skipped);
    return true;
  }

  /** Bind: the portal's name, the statement's, and the rest. */
  #bind(bytes: Buffer): boolean {
    const portal = stringAt(bytes, 5);
    const { text: name, next } = stringAt(bytes, portal.next);
    if (name !== '' && !this.#isCertain) return false;
    const prepared = this.#client.names.get(name);
    if (prepared !== undefined) this.#client.trail.traces(prepared.text.traces);
    this.#forgetful = prepared?.text.traces.forgets ?? true;
    if (name === '') {
      this.#ensureUnnamed(prepared);
      this.#relay(bytes, 'bind');
      return true;
    }
    // What SQL has prepared keeps its name.
    if (prepared === undefined) {
      this.#relay(bytes, 'bind');
      return true;
    }
    const statement = this.#ensured(prepared);
    if (statement === null) return false;
    const { writer } = this.#lent;
    writer.begin(frontend.bind);
    writer.raw(bytes.subarray(5, portal.next));
    writer.cstring(statement.name);
    writer.bytes(bytes.subarray(next));
    writer.end();
    this.#ledger.add('bind', 'relay', { uses: statement });
    return true;
  }

  #describe(bytes: Buffer): boolean {
    const { text: name } = stringAt(bytes, 6);
    if (bytes[5] === statementKind && name !== '' && !this.#isCertain) return false;
    const prepared = bytes[5] === statementKind ? this.#client.names.get(name) : undefined;
    if (name === '' && bytes[5] === statementKind) this.#ensureUnnamed(prepared);
    if (name === '' || prepared === undefined) {
      this.#relay(bytes, 'describe');
      return true;
    }
    const statement = this.#ensured(prepared);
    if (statement === null) return false;
    const { writer } = this.#lent;
    writer.begin(frontend.describe);
    writer.byte(statementKind);
    writer.cstring(statement.name);
    writer.end();
    this.#ledger.add('describe', 'relay', { uses: statement });
    return true;
  }

  /** The text stays prepared on the server, for the next one. */
  #close(bytes: Buffer): boolean {
    const { names } = this.#client;
    const { text: name } = stringAt(bytes, 6);
    const isStatement = bytes[5] === statementKind;
    if (isStatement && name !== '' && !this.#isCertain) return false;
    const prepared = isStatement ? names.get(name) : undefined;
    if (prepared === undefined) {
      this.#relay(bytes, 'close');
      return true;
    }
    if (name === '') this.#relay(bytes, 'close', { skipped: this.#changeUnnamed(null) });
    else {
      names.delete(name);
      this.#renamed = this.#batch;
      this.#ledger.add('close', closeComplete, { skipped: () => names.restore(name, prepared) });
    }
    return true;
  }

  /** Returns what undoes it: a change that came later stays. A Parse that fails leaves no unnamed statement behind. */
  #changeUnnamed(to: Prepared | null): (failed: boolean) => void {
    const { names } = this.#client;
    const before = names.get('');
    const change = ++this.#changes;
    names.restore('', to ?? undefined);
    this.#unnamed = to;
    return (failed) => {
      this.#unnamed = null;
      if (this.#changes !== change) return;
      this.#changes--;
      names.restore('', failed ? undefined : before);
    };
  }

  /** What was sent is answered, without an end of its batch. */
  #flush(): void {
    this.#lent.writer.raw(flushMessage);
    this.#ledger.flushed();
  }

  /** What ends a batch. */
  #end(bytes: Buffer, asked: 'sync' | 'query' | 'call', then: Consequences = {}): void {
    this.#lent.writer.bytes(bytes);
    if (this.#ledger.end(asked, then)) this.#batch = nextBatch();
  }

  /** Whether it is certain which names the client has. */
  get #isCertain(): boolean {
    if (this.#renamed === null || this.#renamed === this.#batch) return true;
    if (this.#ledger.running) return false;
    this.#renamed = null;
    return true;
  }

  #use(prepared: Prepared): NamedStatement {
    // A batch of a client's has no end before its Sync: a statement of it may go for another one as well.
    return this.#lent.statements.use(prepared.text.key, `relayed\0${prepared.scope}`, nextBatch());
  }

  /** Whether it was sent before an earlier Sync and is not acknowledged: an error there may have skipped it. */
  #isUncertain(statement: NamedStatement): boolean {
    return statement.state === 'parsing' && this.#parsedIn.get(statement) !== this.#batch;
  }

  /** The server's statement for a client's; parsed now if it is not there. Null when it is uncertain whether it is. */
  #ensured(prepared: Prepared): NamedStatement | null {
    const statement = this.#use(prepared);
    if (this.#isUncertain(statement)) return null;
    if (statement.state === 'new') this.#sendParse(statement, prepared, 'swallow');
    return statement;
  }

  #ensureUnnamed(prepared: Prepared | undefined): void {
    if (prepared === undefined) {
      // What is there is what somebody else has left.
      this.#write(frontend.close, 'S', nothing);
      this.#ledger.add('close', 'swallow');
      return;
    }
    if (prepared === this.#unnamed) return;
    this.#write(frontend.parse, '', Buffer.from(prepared.text.key, 'latin1'));
    this.#unnamed = prepared;
    const skipped = (): void => {
      this.#unnamed = null;
    };
    this.#ledger.add('parse', 'swallow', { skipped });
  }

  #sendParse(statement: NamedStatement, prepared: Prepared, answer: 'relay' | 'swallow', undo?: () => void): void {
    const { statements } = this.#lent;
    for (const name of statements.takeClosing()) {
      this.#write(frontend.close, `S${name}`, nothing);
      this.#ledger.add('close', 'swallow', { skipped: () => statements.unclosed([name]) });
    }
    this.#write(frontend.parse, statement.name, Buffer.from(prepared.text.key, 'latin1'));
    statement.state = 'parsing';
    this.#parsedIn.set(statement, this.#batch);
    const done = (): void => {
      statement.state = 'ready';
      this.#parsedIn.delete(statement);
    };
    const skipped = (): void => {
      statements.forget(statement);
      this.#parsedIn.delete(statement);
      undo?.();
    };
    this.#ledger.add('parse', answer, { done, skipped });
  }

  /** A name (or whatever ends with a zero byte), and the rest. */
  #write(type: number, name: string, rest: Buffer): void {
    const { writer } = this.#lent;
    writer.begin(type);
    writer.cstring(name);
    writer.bytes(rest);
    writer.end();
  }

  #relay(bytes: Buffer, asked: Asked, then: Consequences = {}): void {
    this.#lent.writer.bytes(bytes);
    this.#ledger.add(asked, 'relay', then);
  }

  #completed(tag: string): void {
    this.#client.trail.tag(tag);
    if (tag !== 'DISCARD ALL' && tag !== 'DEALLOCATE ALL') return;
    this.#lent.statements.discardAll();
    this.#client.names.clear();
    this.#unnamed = null;
  }
}

/** Flights count upwards: no statement is taken for one of a flight's. */
let batches = 0;
const nextBatch = (): number => --batches;

const nothing = Buffer.alloc(0);
const syncMessage = Uint8Array.of(frontend.sync, 0, 0, 0, 4);
const flushMessage = Uint8Array.of(frontend.flush, 0, 0, 0, 4);
/** Marks a statement's name, as against a portal's. */
const statementKind = 0x53;
const longestDeallocate = 200;

/** The name in a DEALLOCATE that is all there is. */
function deallocated(text: string): string | null {
  const [, quoted, plain] =
    /^\s*deallocate\s+(?:prepare\s+)?(?:"((?:[^"]|"")+)"|([a-z_][\w$]*))\s*;?\s*$/i.exec(text) ?? [];
  if (quoted !== undefined) return quoted.replaceAll('""', '"');
  return plain === undefined || /^all$/i.test(plain) ? null : plain.toLowerCase();
}
