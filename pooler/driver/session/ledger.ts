import { backend, type NamedStatement, ProtocolViolation } from '../../wire/index.ts';
import { ownError } from './answers.ts';

/** What the answer to a message of ours is recognised by. */
export type Asked = 'parse' | 'bind' | 'describe' | 'execute' | 'close' | 'sync' | 'query' | 'call' | 'end of copy';

/** What follows from the answer to a message. */
export interface Consequences {
  /** It was carried out. */
  readonly done?: () => void;
  /** It failed, or else the server has skipped it. */
  readonly skipped?: (failed: boolean) => void;
  /** What it uses that was parsed before. */
  readonly uses?: NamedStatement;
  /** The client's name that is taken, as the server will say of its own. */
  readonly taken?: string;
}

/** `relay` the server's answer, `swallow` it, or give one of our own without having asked the server. */
export type Answer = 'relay' | 'swallow' | Buffer;

/** A message that is not answered. */
interface Item {
  readonly asked: Asked;
  readonly answer: Answer;
  readonly follows: Consequences;
}

const nothing: Consequences = {};

/** Transaction status of a ReadyForQuery. */
export type Status = 'I' | 'T' | 'E';

/** What a server was sent and has not answered, in order: it says what an answer is an answer to, and what of it the client sees. */
export class Ledger {
  readonly #items: Item[] = [];
  readonly #inserted: Buffer[] = [];
  /** A result has changed its type, or the like: the statement that was used is not to be used again. */
  readonly #stale: (statement: NamedStatement) => void;
  #unsynced = false;
  /** Something was sent of which the server says nothing before a Flush or a Sync. */
  #unflushed = false;
  #skipping = false;
  #copyingIn = false;
  #dismissed = false;
  #status: Status = 'I';

  constructor(stale: (statement: NamedStatement) => void) {
    this.#stale = stale;
  }

  /** The status of the last ReadyForQuery. */
  get status(): Status {
    return this.#status;
  }

  /** Whether everything that was sent is answered. */
  get answered(): boolean {
    return this.#items.length === 0;
  }

  /** Whether the end of a batch is not answered. */
  get running(): boolean {
    return this.#items.some(({ asked }) => asked === 'sync' || asked === 'query' || asked === 'call');
  }

  /** Whether the server waits for the client to go on with what it has begun. */
  get open(): boolean {
    return this.#unsynced || this.#skipping || this.#copyingIn;
  }

  /** Whether nothing is answered before the client goes on. */
  get waits(): boolean {
    return this.answered || this.#copyingIn || this.#unflushed;
  }

  /** Whether it waits for the data of a COPY. */
  get copyingIn(): boolean {
    return this.#copyingIn;
  }

  /** An error was answered and the Sync behind it has not come: the server skips what comes before it. */
  get skipping(): boolean {
    return this.#skipping;
  }

  /** Whether the server has said why it ends the connection. */
  get dismissed(): boolean {
    return this.#dismissed;
  }

  /** A message was sent, or would have been. */
  add(asked: Asked, answer: Answer, then: Consequences = nothing): void {
    this.#unsynced = true;
    this.#unflushed = true;
    this.#items.push({ asked, answer, follows: then });
    if (this.#items.length === 1) this.#settle();
  }

  /** What was sent ends a batch: a Sync, or what is one by itself. False for a Sync that the server ignores, because it copies. */
  end(asked: 'sync' | 'query' | 'call', then: Consequences = nothing): boolean {
    this.#skipping = false;
    if (asked === 'sync' && this.#copyingIn) return false;
    this.#items.push({ asked, answer: 'relay', follows: then });
    this.#unsynced = false;
    this.#unflushed = false;
    return true;
  }

  /** A Flush was sent. */
  flushed(): void {
    this.#unflushed = false;
  }

  /** The client has ended its COPY. */
  endCopy(): void {
    this.#copyingIn = false;
    if (this.#items.length > 0) this.#items.push({ asked: 'end of copy', answer: 'relay', follows: nothing });
  }

  /** Messages for the client, behind what it was sent last; null for none. */
  insertion(): readonly Buffer[] | null {
    return this.#inserted.length === 0 ? null : this.#inserted.splice(0);
  }

  /** Nothing comes any more. */
  abandon(): void {
    skip(this.#items.splice(0), null);
  }

  /** The first message is answered. Returns whether the client is to see it. */
  answer(asked: Asked, type: number): boolean {
    const item = this.#items[0];
    if (item?.asked !== asked) throw new ProtocolViolation(`message '${String.fromCharCode(type)}' out of turn`);
    this.#items.shift();
    item.follows.done?.();
    this.#settle();
    return item.answer !== 'swallow';
  }

  /** Columns were described: for a Describe, or in a simple query. */
  described(): void {
    if (this.#items[0]?.asked === 'describe') this.answer('describe', backend.rowDescription);
  }

  /** A statement has ended: the only one of an Execute, or one of a simple query's. Returns whether the client is to see it. */
  executed(): boolean {
    const asked = this.#items[0]?.asked;
    if (asked === 'execute') return this.answer('execute', backend.commandComplete);
    if (asked !== 'query') throw new ProtocolViolation('a command ended that nobody began');
    return true;
  }

  ready(status: number | undefined): void {
    const item = this.#items.shift();
    if (item === undefined || (item.asked !== 'sync' && item.asked !== 'query' && item.asked !== 'call')) {
      throw new ProtocolViolation('ready without having been asked');
    }
    this.#copyingIn = false;
    this.#status = status === 0x54 ? 'T' : status === 0x45 ? 'E' : 'I';
    this.#settle();
  }

  /** An error; the payload of its message. Returns whether the client is to see it as it is. */
  failed(bytes: Buffer, start: number, end: number): boolean {
    this.#copyingIn = false;
    if (lastSeverities.has(fieldOf(bytes, start, end, severity))) this.#dismissed = true;
    const [item] = this.#items;
    // ReadyForQuery follows these by itself.
    if (item === undefined || item.asked === 'query' || item.asked === 'call' || item.asked === 'sync') return true;
    const code = fieldOf(bytes, start, end, sqlstate);
    if (item.follows.uses?.state === 'ready' && staleCodes.has(code)) this.#stale(item.follows.uses);
    const sync = this.#items.findIndex(({ asked }) => asked === 'sync');
    this.#skipping = sync < 0;
    skip(this.#items.splice(0, sync < 0 ? this.#items.length : sync), item);
    if (item.follows.taken === undefined || code !== duplicate) return true;
    this.#inserted.push(
      ownError({ code, message: `prepared statement ${JSON.stringify(item.follows.taken)} already exists` }),
    );
    return false;
  }

  /** The server waits for data. From now on it ignores every Sync until the copy has ended. */
  copyIn(): void {
    const end = this.#items.findIndex(({ asked }) => asked === 'end of copy');
    this.#copyingIn = end < 0;
    const ignored = this.#items.splice(1, (end < 0 ? this.#items.length : end) - 1);
    this.#items.splice(1, 0, ...ignored.filter(({ asked }) => asked !== 'sync'));
    if (this.#items[0]?.asked === 'execute') this.#unsynced = true;
  }

  /** Gives the answers that need no server, when it is their turn. */
  #settle(): void {
    for (let item = this.#items[0]; item !== undefined; item = this.#items[0]) {
      if (item.asked !== 'end of copy' && !Buffer.isBuffer(item.answer)) return;
      if (Buffer.isBuffer(item.answer)) this.#inserted.push(item.answer);
      this.#items.shift();
      item.follows.done?.();
    }
  }
}

/** The last one first: each puts back what it found. */
function skip(items: readonly Item[], failed: Item | null): void {
  for (const item of items.toReversed()) item.follows.skipped?.(item === failed);
}

const duplicate = '42P05';
/** A result of another type, a name that is gone, and parameters whose types no longer fit: the tables may be others now. */
const staleCodes: ReadonlySet<string> = new Set(['0A000', '26000', '42883']);

/** Letters of an ErrorResponse's fields: the SQLSTATE, and the severity in no language (PostgreSQL docs, "Error and Notice Message Fields"). */
const sqlstate = 0x43;
const severity = 0x56;
/** Of errors that end the connection. */
const lastSeverities: ReadonlySet<string> = new Set(['FATAL', 'PANIC']);

/** A field of an ErrorResponse; '' where it has none. */
function fieldOf(bytes: Buffer, start: number, end: number, letter: number): string {
  for (let at = start; at < end && bytes[at] !== 0; ) {
    const zero = bytes.indexOf(0, at + 1);
    if (zero < 0 || zero >= end) break;
    if (bytes[at] === letter) return bytes.toString('latin1', at + 1, zero);
    at = zero + 1;
  }
  return '';
}
