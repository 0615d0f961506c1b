import {
  backend,
  frontend,
  type Lent,
  type Onlooker,
  ProtocolViolation,
  readParameter,
  syncMessage,
} from '../../wire/index.ts';
import { type Changes, isChange } from '../changes.ts';
import { closeComplete, commandComplete } from './answers.ts';
import { type FrontendMessage, stringAt } from './frontend.ts';
import { type Asked, type Consequences, Ledger } from './ledger.ts';
import type { Names, Texts } from './names.ts';
import { PreparedStatements, writeNamed } from './prepared.ts';
import type { Trail } from './trail.ts';

/** The session's part of an exchange. */
export interface Client {
  /** The process id that the client was told is its session's. */
  readonly processId: number;
  readonly names: Names;
  readonly texts: Texts;
  readonly changes: Changes;
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

/** Carries a client's messages over to a server connection and keeps the answers aligned. */
export class Exchange implements Onlooker {
  readonly #lent: Lent;
  readonly #client: Client;
  readonly #ledger: Ledger;
  readonly #prepared: PreparedStatements;
  /** What the portal runs may make the server forget what is prepared; that is under way. */
  #forgetful = false;
  #forgetting = false;
  /** The transaction has changed what texts mean, for itself: for others it does so at its end. */
  #changed = false;

  constructor(lent: Lent, client: Client) {
    this.#lent = lent;
    this.#client = client;
    this.#ledger = new Ledger((statement) => {
      lent.statements.discard(statement);
      client.changes.happened();
    });
    this.#prepared = new PreparedStatements(lent, client.names, this.#ledger);
  }

  /** Where it stands. */
  get ledger(): Pick<Ledger, 'status' | 'answered' | 'open' | 'copyingIn' | 'waits' | 'dismissed'> {
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
        if (this.#changed && this.#ledger.status === 'I') {
          this.#changed = false;
          this.#client.changes.happened();
        }
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
        return true;
      case backend.notificationResponse:
        this.#disguise(bytes, start + 5);
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
    const skipped = this.#prepared.changeUnnamed(null);
    this.#end(bytes, 'query', { skipped });
    return true;
  }

  /** The name is the client's alone, the server knows none like it: a Sync is answered in place of the query. */
  #deallocate(name: string): void {
    this.#client.names.delete(name);
    this.#prepared.changeUnnamed(null);
    this.#ledger.add('close', commandComplete('DEALLOCATE'));
    this.#end(Buffer.from(syncMessage), 'sync');
  }

  #parse(bytes: Buffer): boolean {
    const { text: name, next } = stringAt(bytes, 5);
    const { names, texts, changes, scope } = this.#client;
    const prepared = { text: texts.of(bytes.subarray(next)), scope, since: changes.since };
    if (name === '') {
      const skipped = this.#prepared.changeUnnamed(prepared);
      this.#relay(bytes, 'parse', { skipped });
      return true;
    }
    if (!this.#prepared.areNamesCertain) return false;
    const before = names.get(name);
    if (before !== undefined) {
      // The server says that there is one, after it has been made sure of.
      const statement = this.#prepared.ensured(before);
      if (statement === null) return false;
      writeNamed(this.#lent.writer, frontend.parse, statement.name, bytes.subarray(next));
      this.#ledger.add('parse', 'relay', { taken: name });
      return true;
    }
    if (!names.set(name, prepared)) throw new TooManyNames();
    const undo = (): void => names.delete(name);
    if (!this.#prepared.parse(prepared, undo)) {
      undo();
      return false;
    }
    this.#prepared.renamed();
    return true;
  }

  /** Bind: the portal's name, the statement's, and the rest. */
  #bind(bytes: Buffer): boolean {
    const portal = stringAt(bytes, 5);
    const { text: name, next } = stringAt(bytes, portal.next);
    if (name !== '' && !this.#prepared.areNamesCertain) return false;
    const prepared = this.#client.names.get(name);
    if (prepared !== undefined) this.#client.trail.traces(prepared.text.traces);
    this.#forgetful = prepared?.text.traces.forgets ?? true;
    if (name === '') {
      this.#prepared.ensureUnnamed(prepared);
      this.#relay(bytes, 'bind');
      return true;
    }
    // What SQL has prepared keeps its name.
    if (prepared === undefined) {
      this.#relay(bytes, 'bind');
      return true;
    }
    const statement = this.#prepared.ensured(prepared);
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
    if (bytes[5] === statementKind && name !== '' && !this.#prepared.areNamesCertain) return false;
    const prepared = bytes[5] === statementKind ? this.#client.names.get(name) : undefined;
    if (name === '' && bytes[5] === statementKind) this.#prepared.ensureUnnamed(prepared);
    if (name === '' || prepared === undefined) {
      this.#relay(bytes, 'describe');
      return true;
    }
    const statement = this.#prepared.ensured(prepared);
    if (statement === null) return false;
    writeNamed(this.#lent.writer, frontend.describe, `S${statement.name}`);
    this.#ledger.add('describe', 'relay', { uses: statement });
    return true;
  }

  /** The text stays prepared on the server, for the next one. */
  #close(bytes: Buffer): boolean {
    const { names } = this.#client;
    const { text: name } = stringAt(bytes, 6);
    const isStatement = bytes[5] === statementKind;
    if (isStatement && name !== '' && !this.#prepared.areNamesCertain) return false;
    const prepared = isStatement ? names.get(name) : undefined;
    if (prepared === undefined) {
      this.#relay(bytes, 'close');
      return true;
    }
    if (name === '') this.#relay(bytes, 'close', { skipped: this.#prepared.changeUnnamed(null) });
    else {
      names.delete(name);
      this.#prepared.renamed();
      this.#ledger.add('close', closeComplete, { skipped: () => names.restore(name, prepared) });
    }
    return true;
  }

  /** What was sent is answered, without an end of its batch. */
  #flush(): void {
    this.#lent.writer.raw(flushMessage);
    this.#ledger.flushed();
  }

  /** What ends a batch. */
  #end(bytes: Buffer, asked: 'sync' | 'query' | 'call', then?: Consequences): void {
    this.#lent.writer.bytes(bytes);
    if (this.#ledger.end(asked, then)) this.#prepared.batchEnded();
  }

  #relay(bytes: Buffer, asked: Asked, then?: Consequences): void {
    this.#lent.writer.bytes(bytes);
    this.#ledger.add(asked, 'relay', then);
  }

  /** The client recognises a notification of its own by the process id. */
  #disguise(bytes: Buffer, at: number): void {
    if (bytes.readInt32BE(at) === this.#lent.processId) bytes.writeInt32BE(this.#client.processId, at);
  }

  #completed(tag: string): void {
    this.#client.trail.tag(tag);
    if (isChange(tag)) this.#changed = true;
    // So may going back to a savepoint.
    if (this.#changed) this.#client.changes.happened();
    if (tag !== 'DISCARD ALL' && tag !== 'DEALLOCATE ALL') return;
    this.#prepared.forgotten();
  }
}

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
