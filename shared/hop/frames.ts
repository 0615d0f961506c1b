/** The frames in which the hop's messages share a WebSocket: docs/hop.md, Over a WebSocket. Nothing here trusts what it reads. */
import { HOP_VERSION } from './types.ts';

export const SOCKET_PATH = '/v1/socket';
export const SOCKET_PROTOCOL = 'edgerest.v1';

/** Bytes of a request or of a body in one frame, at the most. */
export const FRAME_SIZE = 64 * 1024;
/** Bytes that may be sent on a stream without being granted. */
export const WINDOW = 256 * 1024;
/** What precedes the data: kind and stream. */
export const FRAME_HEAD = 5;

/** Milliseconds of silence after which the other side is asked whether it is there, and after as many again it is not. */
export const SILENCE = 15_000;

/** Close codes. `ended`: the pooler's, and nobody else's, so that it can be relied on. */
export const CLOSE = { done: 1000, malformed: 4400, secret: 4401, ended: 4410, version: 4426 } as const;

const KINDS = {
  hello: 1,
  welcome: 2,
  'going away': 3,
  ping: 4,
  pong: 5,
  message: 16,
  credit: 17,
  cancel: 18,
  answer: 32,
  body: 33,
  reset: 34,
} as const;

export type FrameKind = keyof typeof KINDS;

const NAMES: ReadonlyMap<number, FrameKind> = new Map(
  Object.entries(KINDS).flatMap(([name, code]) => (isKind(name) ? [[code, name] as const] : [])),
);

function isKind(name: string): name is FrameKind {
  return name in KINDS;
}

const LAST = 0x80;
const NO_DATA = new Uint8Array(0);

export interface Frame {
  readonly kind: FrameKind;
  /** Whether it is the last one of its stream in its direction. */
  readonly last: boolean;
  readonly stream: number;
  /** A view of the message. */
  readonly data: Uint8Array;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const viewOf = ({ buffer, byteOffset, byteLength }: Uint8Array): DataView =>
  new DataView(buffer, byteOffset, byteLength);

function blank(kind: FrameKind, stream: number, last: boolean, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(FRAME_HEAD + length);
  bytes[0] = KINDS[kind] | (last ? LAST : 0);
  viewOf(bytes).setUint32(1, stream);
  return bytes;
}

export function encodeFrame(
  kind: FrameKind,
  stream: number,
  data: Uint8Array = NO_DATA,
  last = false,
): Uint8Array<ArrayBuffer> {
  const bytes = blank(kind, stream, last, data.length);
  bytes.set(data, FRAME_HEAD);
  return bytes;
}

/** A frame whose data are a number: credit. */
export function encodeCredit(stream: number, bytes: number): Uint8Array<ArrayBuffer> {
  const frame = blank('credit', stream, false, 4);
  viewOf(frame).setUint32(FRAME_HEAD, bytes);
  return frame;
}

export const encodeHello = (secret: string): Uint8Array<ArrayBuffer> =>
  encodeFrame('hello', 0, encoder.encode(String.fromCharCode(HOP_VERSION) + secret));

/** `streams`: how many may be open at a time. */
export function encodeWelcome(streams: number): Uint8Array<ArrayBuffer> {
  const frame = blank('welcome', 0, false, 5);
  frame[FRAME_HEAD] = HOP_VERSION;
  viewOf(frame).setUint32(FRAME_HEAD + 1, streams);
  return frame;
}

/** `facts`: JSON in ASCII; `body`: all of it, or its beginning. */
export function encodeAnswer(
  stream: number,
  ok: boolean,
  facts: string,
  body: Uint8Array = NO_DATA,
  last = true,
): Uint8Array<ArrayBuffer> {
  const frame = blank('answer', stream, last, 5 + facts.length + body.length);
  frame[FRAME_HEAD] = ok ? 1 : 0;
  viewOf(frame).setUint32(FRAME_HEAD + 1, facts.length);
  encoder.encodeInto(facts, frame.subarray(FRAME_HEAD + 5));
  frame.set(body, FRAME_HEAD + 5 + facts.length);
  return frame;
}

/** Reads a frame; null when it is none. */
export function decodeFrame(bytes: Uint8Array): Frame | null {
  const first = bytes[0];
  if (first === undefined || bytes.length < FRAME_HEAD) return null;
  const kind = NAMES.get(first & ~LAST);
  if (kind === undefined) return null;
  const stream = viewOf(bytes).getUint32(1);
  const isOfSocket = KINDS[kind] < KINDS.message;
  if (isOfSocket !== (stream === 0)) return null;
  return { kind, last: (first & LAST) !== 0, stream, data: bytes.subarray(FRAME_HEAD) };
}

/** The data of a credit frame; null when they are something else. */
export const readCredit = (data: Uint8Array): number | null => (data.length === 4 ? viewOf(data).getUint32(0) : null);

/** A hello's version and, where it is the one spoken here, its secret; null when the data are something else. */
export function readHello(data: Uint8Array): { readonly version: number; readonly secret: string } | null {
  const [version] = data;
  if (version === undefined) return null;
  if (version !== HOP_VERSION) return { version, secret: '' };
  try {
    return { version, secret: decoder.decode(data.subarray(1)) };
  } catch {
    return null;
  }
}

/** How many streams a welcome allows; null when it is of another version, or something else. */
export const readWelcome = (data: Uint8Array): number | null =>
  data.length === 5 && data[0] === HOP_VERSION ? viewOf(data).getUint32(1) : null;

export interface AnswerFrame {
  readonly ok: boolean;
  readonly facts: string;
  /** All of the body, or its beginning: a view of the message. */
  readonly body: Uint8Array;
}

/** The data of an answer; null when they are something else. */
export function readAnswerFrame(data: Uint8Array): AnswerFrame | null {
  if (data.length < 5) return null;
  const end = 5 + viewOf(data).getUint32(1);
  const [ok] = data;
  if (end > data.length || (ok !== 0 && ok !== 1)) return null;
  try {
    return { ok: ok === 1, facts: decoder.decode(data.subarray(5, end)), body: data.subarray(end) };
  } catch {
    return null;
  }
}
