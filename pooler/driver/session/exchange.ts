import {
  backend,
  frontend,
  type Lent,
  type NamedStatement,
  type Onlooker,
  ProtocolViolation,
  readParameter,
} from '../../wire/index.ts';
import { closeComplete, commandComplete, ownError, parseComplete, ready } from './answers.ts';
import { type FrontendMessage, stringAt } from './frontend.ts';
import type { Names, Prepared, Texts } from './names.ts';
import type { Trail } from './trail.ts';

/** What the answer to a message of ours is recognised by. */
type Asked = 'parse' | 'bind' | 'describe' | 'execute' | 'close' | 'sync' | 'query' | 'call' | 'end of copy';

/** A message that is not answered. */
interface Item {
  readonly asked: Asked;
  /** `relay` the server's answer, `swallow` it, or give one of our own without having asked the server. */
  readonly answer: 'relay' | 'swallow' | Buffer;
  /** It was carried out. */
  readonly done?: () => void;
  /** The server has skipped it, or it failed. */
  readonly skipped?: () => void;
  /** What it uses that was parsed before. */
  readonly uses?: NamedStatement;
  /** The client's name that is taken, as the server will say of its own. */
  readonly taken?: string;
}

type Consequences = Pick<Item, 'done' | 'skipped' | 'uses' | 'taken'>;

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

/** Transaction status of a ReadyForQuery. */
export type Status = 'I' | 'T' | 'E';

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
  readonly #items: Item[] = [];
  readonly #inserted: Buffer[] = [];
  /** Changes with each Sync of the client's: what was parsed before the last one may have been skipped. */
  #batch = nextBatch();
  readonly #parsedIn = new Map<NamedStatement, number>();
  #unsynced = false;
  /** Something was sent of which the server says nothing before a Flush or a Sync. */
  #unflushed = false;
  /** An error was answered and the Sync behind it has not come: the server skips what comes before it, so it is not sent. */
  #skipping = false;
  #copyingIn = false;
  #status: Status = 'I';
  /** What the connection's unnamed statement is, if the client's own was parsed on it. */
  #unnamed: Prepared | null = null;

  constructor(lent: Lent, client: Client) {
    this.#lent = lent;
    this.#client = client;
    lent.statements.unnamed = null;
  }

  /** The status of the last ReadyForQuery. */
  get status(): Status {
    return this.#status;
  }

  /** Whether everything that was sent is answered. */
  get answered(): boolean {
    return this.#items.length === 0;
  }

  /** Whether the server waits for the client to go on with what it has begun. */
  get open(): boolean {
    return this.#unsynced || this.#skipping || this.#copyingIn;
  }

  get copyingIn(): boolean {
    return this.#copyingIn;
  }

  /** Whether nothing is answered before the client goes on. */
  get waits(): boolean {
    return this.answered || this.#copyingIn || this.#unflushed;
  }

  /** Whether an error is answered and the client has not sent its Sync. */
  get skipping(): boolean {
    return this.#skipping;
  }

  /**
   * Writes a client's message for the server, if need be as another one. False when it has to wait for the answers to what was sent
   * before. Throws a ProtocolViolation or TooManyNames.
   */
  send(message: FrontendMessage): boolean {
    const { type, bytes } = message;
    if (this.#skipping && type !== frontend.sync) return true;
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
        this.#close(bytes);
        return true;
      case frontend.execute:
        this.#relay(bytes, 'execute');
        return true;
      case frontend.sync:
        this.#sync(bytes);
        return true;
      case frontend.functionCall:
        this.#client.trail.call();
        this.#relay(bytes, 'call');
        this.#synced();
        return true;
      case frontend.flush:
        this.#unflushed = false;
        this.#lent.writer.bytes(bytes);
        return true;
      case frontend.copyData:
        this.#lent.writer.bytes(bytes);
        return true;
      case frontend.copyDone:
      case frontend.copyFail:
        this.#copyingIn = false;
        this.#lent.writer.bytes(bytes);
        if (this.#items.length > 0) this.#items.push({ asked: 'end of copy', answer: 'relay' });
        return true;
      default:
        throw new ProtocolViolation(`a message of type ${type} makes no sense here`);
    }
  }

  inspect(type: number, bytes: Buffer, start: number, end: number): boolean {
    switch (type) {
      case backend.parseComplete:
        return this.#answer('parse', type);
      case backend.bindComplete:
        return this.#answer('bind', type);
      case backend.closeComplete:
        return this.#answer('close', type);
      case backend.noData:
        return this.#answer('describe', type);
      case backend.portalSuspended:
        return this.#answer('execute', type);
      case backend.commandComplete:
        this.#completed(bytes.toString('latin1', start + 5, end - 1));
        return this.#executed();
      case backend.emptyQueryResponse:
        return this.#executed();
      case backend.readyForQuery:
        this.#ready(bytes[start + 5]);
        return true;
      case backend.errorResponse:
        return this.#failed(bytes, start + 5, end);
      case backend.copyInResponse:
        this.#copyIn();
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
    if (this.#items[0]?.asked === 'describe') this.#answer('describe', backend.rowDescription);
  }

  insertion(): readonly Buffer[] | null {
    return this.#inserted.length === 0 ? null : this.#inserted.splice(0);
  }

  /** Nothing comes any more: what was parsed and not acknowledged may not exist. */
  abandon(): void {
    for (const item of this.#items.splice(0)) item.skipped?.();
  }

  #query(bytes: Buffer): boolean {
    const { text } = stringAt(bytes, 5);
    const name = text.length < longestDeallocate ? deallocated(text) : null;
    if (name !== null && this.#client.names.get(name) !== undefined && !this.open && this.#status !== 'E') {
      if (!this.answered) return false;
      // The name is the client's alone: the server knows none like it.
      this.#client.names.delete(name);
      this.#inserted.push(commandComplete('DEALLOCATE'), ready(this.#status));
      return true;
    }
    this.#client.trail.text(text);
    // It replaces the unnamed statement.
    this.#unnamed = null;
    this.#relay(bytes, 'query');
    this.#synced();
    return true;
  }

  #parse(bytes: Buffer): boolean {
    const { text: name, next } = stringAt(bytes, 5);
    const { names, texts, scope } = this.#client;
    const prepared = { text: texts.of(bytes.subarray(next)), scope };
    if (name === '') {
      this.#unnamed = prepared;
      names.set(name, prepared);
      const skipped = (): void => {
        if (this.#unnamed === prepared) this.#unnamed = null;
        // The client may have parsed another one behind a Sync.
        if (names.get(name) === prepared) names.delete(name);
      };
      this.#relay(bytes, 'parse', { skipped });
      return true;
    }
    const before = names.get(name);
    if (before !== undefined) {
      // The server says that there is one, after it has been made sure of.
      const statement = this.#ensured(before);
      if (statement === null) return false;
      this.#write(frontend.parse, statement.name, bytes.subarray(next));
      this.#push('parse', 'relay', { taken: name });
      return true;
    }
    if (!names.set(name, prepared)) throw new TooManyNames();
    const skipped = (): void => names.delete(name);
    const statement = this.#use(prepared);
    if (statement.state !== 'new') {
      if (this.#isUncertain(statement)) {
        names.delete(name);
        return false;
      }
      this.#push('parse', parseComplete, { skipped });
      return true;
    }
    this.#sendParse(statement, prepared, 'relay', skipped);
    return true;
  }

  /** Bind: the portal's name, the statement's, and the rest. */
  #bind(bytes: Buffer): boolean {
    const portal = stringAt(bytes, 5);
    const { text: name, next } = stringAt(bytes, portal.next);
    const prepared = this.#client.names.get(name);
    if (prepared !== undefined) this.#client.trail.traces(prepared.text.traces);
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
    this.#push('bind', 'relay', { uses: statement });
    return true;
  }

  #describe(bytes: Buffer): boolean {
    const { text: name } = stringAt(bytes, 6);
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
    this.#push('describe', 'relay', { uses: statement });
    return true;
  }

  /** The text stays prepared on the server, for the next one. */
  #close(bytes: Buffer): void {
    const { names } = this.#client;
    const { text: name } = stringAt(bytes, 6);
    const prepared = bytes[5] === statementKind ? names.get(name) : undefined;
    if (prepared === undefined) {
      this.#relay(bytes, 'close');
      return;
    }
    names.delete(name);
    const skipped = (): void => names.restore(name, prepared);
    if (name === '') {
      this.#unnamed = null;
      this.#relay(bytes, 'close', { skipped });
    } else this.#push('close', closeComplete, { skipped });
  }

  #sync(bytes: Buffer): void {
    this.#lent.writer.bytes(bytes);
    this.#skipping = false;
    // While it copies, a server ignores it.
    if (this.#copyingIn) return;
    this.#items.push({ asked: 'sync', answer: 'relay' });
    this.#synced();
  }

  #synced(): void {
    this.#unsynced = false;
    this.#unflushed = false;
    this.#batch = nextBatch();
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
      this.#push('close', 'swallow');
      return;
    }
    if (prepared === this.#unnamed) return;
    this.#write(frontend.parse, '', Buffer.from(prepared.text.key, 'latin1'));
    this.#unnamed = prepared;
    const skipped = (): void => {
      this.#unnamed = null;
    };
    this.#push('parse', 'swallow', { skipped });
  }

  #sendParse(statement: NamedStatement, prepared: Prepared, answer: 'relay' | 'swallow', undo?: () => void): void {
    const { statements } = this.#lent;
    for (const name of statements.takeClosing()) {
      this.#write(frontend.close, `S${name}`, nothing);
      this.#push('close', 'swallow', { skipped: () => statements.unclosed([name]) });
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
    this.#push('parse', answer, { done, skipped });
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
    this.#push(asked, 'relay', then);
  }

  #push(asked: Asked, answer: Item['answer'], then: Consequences = {}): void {
    this.#unsynced = true;
    this.#unflushed = true;
    this.#items.push({ asked, answer, ...then });
    if (this.#items.length === 1) this.#settle();
  }

  /** The first item is answered. Returns whether the client is to see it. */
  #answer(asked: Asked, type: number): boolean {
    const item = this.#items[0];
    if (item?.asked !== asked) throw new ProtocolViolation(`message '${String.fromCharCode(type)}' out of turn`);
    this.#items.shift();
    item.done?.();
    this.#settle();
    return item.answer !== 'swallow';
  }

  /** A statement has ended: the only one of an Execute, or one of a simple query's. */
  #executed(): boolean {
    const asked = this.#items[0]?.asked;
    if (asked === 'execute') return this.#answer('execute', backend.commandComplete);
    if (asked !== 'query') throw new ProtocolViolation('a command ended that nobody began');
    return true;
  }

  /** Gives the answers that need no server, when it is their turn. */
  #settle(): void {
    for (let item = this.#items[0]; item !== undefined; item = this.#items[0]) {
      if (item.asked !== 'end of copy' && !Buffer.isBuffer(item.answer)) return;
      if (Buffer.isBuffer(item.answer)) this.#inserted.push(item.answer);
      this.#items.shift();
      item.done?.();
    }
  }

  #completed(tag: string): void {
    this.#client.trail.tag(tag);
    if (tag !== 'DISCARD ALL' && tag !== 'DEALLOCATE ALL') return;
    this.#lent.statements.discardAll();
    this.#client.names.clear();
    this.#unnamed = null;
  }

  #ready(status: number | undefined): void {
    const item = this.#items.shift();
    if (item === undefined || (item.asked !== 'sync' && item.asked !== 'query' && item.asked !== 'call')) {
      throw new ProtocolViolation('ready without having been asked');
    }
    this.#copyingIn = false;
    this.#status = status === 0x54 ? 'T' : status === 0x45 ? 'E' : 'I';
    this.#settle();
  }

  /** An error. Returns whether the client is to see it as it is. */
  #failed(bytes: Buffer, start: number, end: number): boolean {
    this.#copyingIn = false;
    const [item] = this.#items;
    // ReadyForQuery follows these by itself.
    if (item === undefined || item.asked === 'query' || item.asked === 'call' || item.asked === 'sync') return true;
    const code = codeOf(bytes, start, end);
    // Parsed when the tables were others, perhaps: whoever tries again gets it parsed anew.
    if (item.uses?.state === 'ready' && staleCodes.has(code)) this.#lent.statements.discard(item.uses);
    while (this.#items.length > 0 && this.#items[0]?.asked !== 'sync') this.#items.shift()?.skipped?.();
    if (this.#items.length === 0) this.#skipping = true;
    if (item.taken === undefined || code !== duplicate) return true;
    this.#inserted.push(ownError({ code, message: `prepared statement ${JSON.stringify(item.taken)} already exists` }));
    return false;
  }

  /** From now on the server ignores every Sync until the copy has ended. */
  #copyIn(): void {
    const end = this.#items.findIndex(({ asked }) => asked === 'end of copy');
    this.#copyingIn = end < 0;
    const ignored = this.#items.splice(1, (end < 0 ? this.#items.length : end) - 1);
    this.#items.splice(1, 0, ...ignored.filter(({ asked }) => asked !== 'sync'));
    if (this.#items[0]?.asked === 'execute') this.#unsynced = true;
  }
}

/** Flights count upwards: no statement is taken for one of a flight's. */
let batches = 0;
const nextBatch = (): number => --batches;

const nothing = Buffer.alloc(0);
const duplicate = '42P05';
/** Marks a statement's name, as against a portal's. */
const statementKind = 0x53;
/** A result of another type, a name that is gone, and parameters whose types no longer fit. */
const staleCodes: ReadonlySet<string> = new Set(['0A000', '26000', '42883']);

const longestDeallocate = 200;

/** The name in a DEALLOCATE that is all there is. */
function deallocated(text: string): string | null {
  const [, quoted, plain] =
    /^\s*deallocate\s+(?:prepare\s+)?(?:"((?:[^"]|"")+)"|([a-z_][\w$]*))\s*;?\s*$/i.exec(text) ?? [];
  if (quoted !== undefined) return quoted.replaceAll('""', '"');
  return plain === undefined || /^all$/i.test(plain) ? null : plain.toLowerCase();
}

/** The SQLSTATE of an ErrorResponse. */
function codeOf(bytes: Buffer, start: number, end: number): string {
  for (let at = start; at < end && bytes[at] !== 0; ) {
    const zero = bytes.indexOf(0, at + 1);
    if (zero < 0 || zero >= end) break;
    if (bytes[at] === 0x43) return bytes.toString('latin1', at + 1, zero);
    at = zero + 1;
  }
  return '';
}
