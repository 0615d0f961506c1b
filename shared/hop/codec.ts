/**
 * The hop's bytes, both ways: docs/hop.md is the description. Web APIs only; nothing here trusts what it reads.
 */
import { encodeAsciiJson } from './ascii.ts';
import { headOf, readFailure, readHead, readResult } from './message.ts';
import {
  HOP_VERSION,
  type StatementResult,
  type TransactionError,
  type TransactionFailure,
  type TransactionRequest,
} from './types.ts';

export const REQUEST_TYPE = 'application/vnd.edgerest.transaction';
export const RESULT_HEADER = 'edgerest-result';
export const FAILURE_HEADER = 'edgerest-failure';
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

/** A chunk has a length of 32 bits; one that is shorter than this needs no splitting anywhere. */
const CHUNK_LIMIT = 0x7fffffff;

export interface DecodeLimits {
  /** Bytes of the JSON head. */
  readonly head: number;
  /** Bytes of the payload, all chunks together. */
  readonly payload: number;
}

export type Refused = Extract<TransactionFailure, { kind: 'refused' }>;

export type DecodedRequest =
  | { readonly ok: true; readonly request: TransactionRequest; readonly payload: Uint8Array | null }
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

function joined(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const [only] = chunks;
  if (only && chunks.length === 1) return only;
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

const malformed = (what: string): DecodedRequest => ({ ok: false, failure: refuse(400, 'malformed', what) });
const oversize = (what: string, limit: number): DecodedRequest => ({
  ok: false,
  failure: refuse(413, 'size', `The ${what} is larger than ${limit} bytes.`),
});

/**
 * Reads a whole request. The payload shares memory with `bytes` where it came in one chunk.
 * Refusals: `malformed` (400), `version` (400), `size` (413).
 */
export function decodeRequest(bytes: Uint8Array, limits: DecodeLimits): DecodedRequest {
  if (bytes.length < 3 || bytes[0] !== MAGIC_E || bytes[1] !== MAGIC_R) return malformed('Not a hop message.');
  if (bytes[2] !== HOP_VERSION) {
    const message = `This pooler speaks version ${HOP_VERSION} of the hop, the message is of version ${bytes[2]}.`;
    return { ok: false, failure: refuse(400, 'version', message) };
  }
  if (bytes.length < PREFIX) return malformed('The message ends in its first bytes.');
  const flags = bytes[3] ?? 0;
  if ((flags & ~PAYLOAD_FLAG) !== 0) return malformed('Unknown flags.');
  const hasPayload = (flags & PAYLOAD_FLAG) !== 0;

  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headLength = view.getUint32(4);
  if (headLength > limits.head) return oversize('head', limits.head);
  let at = PREFIX + headLength;
  if (at > bytes.length) return malformed('The message ends within its head.');

  const chunks: Uint8Array[] = [];
  let total = 0;
  for (;;) {
    if (at + 4 > bytes.length) return malformed('The message ends before its end marker.');
    const length = view.getUint32(at);
    at += 4;
    if (length === 0) break;
    if (!hasPayload) return malformed('A payload that was not announced.');
    total += length;
    if (total > limits.payload) return oversize('payload', limits.payload);
    if (length > CHUNK_LIMIT || at + length > bytes.length) return malformed('The message ends within a chunk.');
    chunks.push(bytes.subarray(at, at + length));
    at += length;
  }
  if (at !== bytes.length) return malformed('The message goes on after its end marker.');

  let json: unknown;
  try {
    json = JSON.parse(decoder.decode(bytes.subarray(PREFIX, PREFIX + headLength)));
  } catch {
    return malformed('The head is not JSON in UTF-8.');
  }
  const head = readHead(json);
  if (!head.ok) return malformed(`The head is wrong at ${head.at}.`);
  return { ok: true, request: head.value, payload: hasPayload ? joined(chunks, total) : null };
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

function encodeFacts(facts: unknown): EncodedFacts {
  const header = encodeAsciiJson(facts);
  if (header.length <= HEADER_LIMIT) return { header, preamble: null };
  const preamble = new Uint8Array(4 + header.length);
  new DataView(preamble.buffer).setUint32(0, header.length);
  encoder.encodeInto(header, preamble.subarray(4));
  return { header: PREAMBLE, preamble };
}

/** The value of `edgerest-result`, with its preamble if that is too long for a header. */
export const encodeResult = (facts: ResultFacts): EncodedFacts => encodeFacts(facts);

/** The value of `edgerest-failure`, with its preamble if that is too long for a header. */
export const encodeFailure = (error: TransactionError): EncodedFacts =>
  encodeFacts({ snapshot: error.snapshot, failure: error.failure });

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Reads the facts of a result (a header's value or a preamble's text); null when they are not of this form. */
export const decodeResult = (text: string): ResultFacts | null => readResult(parsed(text));

/** Reads a failure (a header's value or a preamble's text); null when it is not of this form. */
export const decodeFailure = (text: string): TransactionError | null => readFailure(parsed(text));
