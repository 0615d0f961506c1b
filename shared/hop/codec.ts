/**
 * The hop's bytes, both ways: docs/hop.md is the description. Web APIs only; nothing here trusts what it reads.
 */
import { parsedJson } from '../json.ts';
import { encodeAsciiJson } from './ascii.ts';
import { headOf, readFailure, readHead, readResult } from './message.ts';
import { Pieces } from './pieces.ts';
import {
  HOP_VERSION,
  type StatementResult,
  type TransactionError,
  type TransactionFailure,
  type TransactionPayload,
  type TransactionRequest,
} from './types.ts';

export const REQUEST_TYPE = 'application/vnd.edgerest.transaction';
export const RESULT_HEADER = 'edgerest-result';
export const FAILURE_HEADER = 'edgerest-failure';
/** The version of the snapshot that the keys belong to. */
export const SNAPSHOT_HEADER = 'edgerest-snapshot';
/** A worker's that knows other poolers: one that is about to end may refuse its transaction. */
export const ALTERNATIVES_HEADER = 'edgerest-alternatives';
/** The header's value when the facts are in the body. */
export const PREAMBLE = 'preamble';

/** Longer facts go into the body: 8 KiB is what every proxy passes in one header. */
export const HEADER_LIMIT = 8192;
export const HEAD_LIMIT = 4 * 1024 * 1024;

const MAGIC_E = 0x45;
const MAGIC_R = 0x52;
const PAYLOAD_FLAG = 1;
const PREFIX = 8; // magic, version, flags, the head's length

const encoder = new TextEncoder();
/** `fatal`: bytes that are not UTF-8 are refused, never replaced. */
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export interface DecodeLimits {
  /** Bytes of the JSON head. */
  readonly head: number;
  /** Bytes of the payload, all chunks together. */
  readonly payload: number;
}

export type Refused = Extract<TransactionFailure, { kind: 'refused' }>;

export type DecodedRequest =
  | { readonly ok: true; readonly request: TransactionRequest; readonly payload: readonly Uint8Array[] | null }
  | { readonly ok: false; readonly failure: Refused };

/** Makes the failure of a message that is not accepted. */
export const refuse = (status: number, reason: string, message: string): Refused => ({
  kind: 'refused',
  reason,
  message,
  status,
});

/** The magic, the version, the flags and the head: what goes before the payload's chunks. */
export function encodeHead(request: TransactionRequest, hasPayload: boolean): Uint8Array<ArrayBuffer> {
  const head = encoder.encode(JSON.stringify(headOf(request)));
  const bytes = new Uint8Array(PREFIX + head.length);
  const view = new DataView(bytes.buffer);
  bytes[0] = MAGIC_E;
  bytes[1] = MAGIC_R;
  bytes[2] = HOP_VERSION;
  bytes[3] = hasPayload ? PAYLOAD_FLAG : 0;
  view.setUint32(4, head.length);
  bytes.set(head, PREFIX);
  return bytes;
}

/** The length in front of a payload's chunk, or with zero the end marker. */
export function encodeLength(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, length);
  return bytes;
}

/** A whole request: head, the payload as one chunk, the end marker. */
export function encodeRequest(request: TransactionRequest, payload: Uint8Array | null): Uint8Array<ArrayBuffer> {
  const head = encodeHead(request, payload !== null);
  const length = payload?.length ?? 0;
  const bytes = new Uint8Array(head.length + (length > 0 ? 4 + length : 0) + 4);
  bytes.set(head);
  if (payload && length > 0) {
    new DataView(bytes.buffer).setUint32(head.length, length);
    bytes.set(payload, head.length + 4);
  }
  return bytes;
}

/** A request in pieces, for a payload that is itself in pieces: what iterating over it throws is thrown here. */
export async function* encodePieces(
  request: TransactionRequest,
  payload: Exclude<TransactionPayload, Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield encodeHead(request, true);
  for await (const piece of payload) {
    if (piece.length === 0) continue;
    yield encodeLength(piece.length);
    yield piece;
  }
  yield encodeLength(0);
}

const malformed = (what: string): Refused => refuse(400, 'malformed', what);
const oversize = (what: string, limit: number): Refused =>
  refuse(413, 'size', `The ${what} is larger than ${limit} bytes.`);

const noRoom = refuse(503, 'memory', 'There is no room for the payload beside the others.');

/**
 * Reads a request as it comes, in pieces of any size. A payload that comes in one piece is referred to, not copied.
 * Refusals: `malformed` (400), `version` (400), `size` (413).
 */
export class RequestDecoder {
  readonly #limits: DecodeLimits;
  readonly #take: (bytes: number) => boolean;
  /** What is being read. `over`: the end marker has come. */
  #stage: 'prefix' | 'head' | 'length' | 'chunk' | 'over' = 'prefix';
  /** Bytes of which all are needed before they can be read, and how many there are. */
  #field = new Uint8Array(PREFIX);
  #filled = 0;
  #head = new Uint8Array(0);
  #hasPayload = false;
  readonly #payload = new Pieces();
  #total = 0;
  /** Of the present chunk. */
  #left = 0;
  #failure: Refused | null = null;

  /** `take` is asked for room for so many bytes of the payload; false where there is none. There always is by default. */
  constructor(limits: DecodeLimits, take: (bytes: number) => boolean = () => true) {
    this.#limits = limits;
    this.#take = take;
  }

  /** Takes the next bytes. False when the message is refused already; end() says why. */
  push(bytes: Uint8Array): boolean {
    let at = 0;
    while (at < bytes.length && this.#failure === null) {
      if (this.#stage === 'over') this.#failure = malformed('The message goes on after its end marker.');
      else if (this.#stage === 'chunk') {
        const part = bytes.subarray(at, at + this.#left);
        this.#left -= part.length;
        at += part.length;
        if (!this.#take(part.length)) this.#failure = noRoom;
        else this.#payload.push(part);
        if (this.#left === 0) this.#expect('length', 4);
      } else {
        const part = bytes.subarray(at, at + this.#field.length - this.#filled);
        this.#field.set(part, this.#filled);
        this.#filled += part.length;
        at += part.length;
        if (this.#filled === this.#field.length) this.#failure = this.#fieldEnds();
      }
    }
    return this.#failure === null;
  }

  /** The message has ended. */
  end(): DecodedRequest {
    const failure = this.#failure ?? this.#cut();
    if (failure !== null) return { ok: false, failure };
    let json: unknown;
    try {
      json = JSON.parse(decoder.decode(this.#head));
    } catch {
      return { ok: false, failure: malformed('The head is not JSON in UTF-8.') };
    }
    const head = readHead(json);
    if (!head.ok) return { ok: false, failure: malformed(`The head is wrong at ${head.at}.`) };
    return { ok: true, request: head.value, payload: this.#hasPayload ? this.#payload.end() : null };
  }

  #expect(stage: 'head' | 'length', length: number): void {
    this.#stage = stage;
    this.#field = new Uint8Array(length);
    this.#filled = 0;
  }

  #fieldEnds(): Refused | null {
    const field = this.#field;
    const view = new DataView(field.buffer);
    switch (this.#stage) {
      case 'prefix': {
        const length = view.getUint32(4);
        const flags = field[3] ?? 0;
        const wrong = this.#wrongPrefix();
        if (wrong !== null) return wrong;
        if ((flags & ~PAYLOAD_FLAG) !== 0) return malformed('Unknown flags.');
        this.#hasPayload = (flags & PAYLOAD_FLAG) !== 0;
        if (length > this.#limits.head) return oversize('head', this.#limits.head);
        if (length === 0) return malformed('The head is not JSON in UTF-8.');
        this.#expect('head', length);
        return null;
      }
      case 'head':
        this.#head = field;
        this.#expect('length', 4);
        return null;
      default:
        return this.#chunkBegins(view.getUint32(0));
    }
  }

  #chunkBegins(length: number): Refused | null {
    if (length === 0) {
      this.#stage = 'over';
      return null;
    }
    if (!this.#hasPayload) return malformed('A payload that was not announced.');
    this.#total += length;
    if (this.#total > this.#limits.payload) return oversize('payload', this.#limits.payload);
    this.#stage = 'chunk';
    this.#left = length;
    return null;
  }

  #wrongPrefix(): Refused | null {
    const [e, r, version] = this.#field;
    if (this.#filled < 3 || e !== MAGIC_E || r !== MAGIC_R) return malformed('Not a hop message.');
    if (version === HOP_VERSION) return null;
    const message = `This pooler speaks version ${HOP_VERSION} of the hop, the message is of version ${version}.`;
    return refuse(400, 'version', message);
  }

  /** What is missing of a message that ends here. */
  #cut(): Refused | null {
    switch (this.#stage) {
      case 'over':
        return null;
      case 'prefix':
        return this.#wrongPrefix() ?? malformed('The message ends in its first bytes.');
      case 'head':
        return malformed('The message ends within its head.');
      case 'chunk':
        return malformed('The message ends within a chunk.');
      case 'length':
        return malformed('The message ends before its end marker.');
      default:
        return this.#stage satisfies never;
    }
  }
}

/** Reads a whole request. */
export function decodeRequest(bytes: Uint8Array, limits: DecodeLimits): DecodedRequest {
  const reading = new RequestDecoder(limits);
  reading.push(bytes);
  return reading.end();
}

/** What an answer says besides its body. `body`: the body's length in bytes, null without one. */
export interface ResultFacts {
  readonly snapshot: string;
  readonly statements: readonly StatementResult[];
  readonly body: number | null;
}

/** The facts of an answer as sent: the header's value, and the preamble that goes before the body where it is too long. */
export interface EncodedFacts {
  readonly header: string;
  readonly preamble: Uint8Array | null;
}

function encodeFacts(header: string): EncodedFacts {
  if (header.length <= HEADER_LIMIT) return { header, preamble: null };
  const preamble = new Uint8Array(4 + header.length);
  new DataView(preamble.buffer).setUint32(0, header.length);
  encoder.encodeInto(header, preamble.subarray(4));
  return { header: PREAMBLE, preamble };
}

/** The facts of a result as JSON in ASCII. */
export const resultText = (facts: ResultFacts): string => encodeAsciiJson(facts);

/** The facts of a failure as JSON in ASCII. */
export const failureText = ({ snapshot, failure }: TransactionError): string => encodeAsciiJson({ snapshot, failure });

/** The value of `edgerest-result`, with its preamble if that is too long for a header. */
export const encodeResult = (facts: ResultFacts): EncodedFacts => encodeFacts(resultText(facts));

/** The value of `edgerest-failure`, with its preamble if that is too long for a header. */
export const encodeFailure = (error: TransactionError): EncodedFacts => encodeFacts(failureText(error));

/** Reads the facts of a result (a header's value or a preamble's text); null when they are not of this form. */
export const decodeResult = (text: string): ResultFacts | null => readResult(parsedJson(text));

/** Reads a failure (a header's value or a preamble's text); null when it is not of this form. */
export const decodeFailure = (text: string): TransactionError | null => readFailure(parsedJson(text));
