/** Messages that are made here and not by PostgreSQL. */
import { backend, type ErrorFields } from '../../wire/index.ts';

/** A message of the protocol, in either direction. */
export function message(type: number, payload: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(5 + payload.length);
  bytes[0] = type;
  bytes.writeInt32BE(4 + payload.length, 1);
  payload.copy(bytes, 5);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeInt32BE(value, 0);
  return bytes;
}

const cstrings = (...texts: readonly string[]): Buffer => Buffer.from(texts.map((text) => `${text}\0`).join(''));

export const authenticationOk = message(backend.authentication, int32(0));
export const cleartextRequest = message(backend.authentication, int32(3));
export const parseComplete = message(backend.parseComplete, Buffer.alloc(0));
export const closeComplete = message(backend.closeComplete, Buffer.alloc(0));
export const readyIdle = message(backend.readyForQuery, Buffer.from('I'));

export const commandComplete = (tag: string): Buffer => message(backend.commandComplete, cstrings(tag));

export const parameterStatus = (name: string, value: string): Buffer =>
  message(backend.parameterStatus, cstrings(name, value));

export const keyData = (processId: number, key: Buffer): Buffer =>
  message(backend.backendKeyData, Buffer.concat([int32(processId), key]));

export const notification = (processId: number, channel: string, payload: string): Buffer =>
  message(backend.notificationResponse, Buffer.concat([int32(processId), cstrings(channel, payload)]));

/** The answer to a client that knows more of the protocol than we do (PostgreSQL docs, NegotiateProtocolVersion). */
export const negotiation = (options: readonly string[]): Buffer =>
  message(backend.negotiateProtocolVersion, Buffer.concat([int32(0), int32(options.length), cstrings(...options)]));

const letters: readonly (readonly [keyof ErrorFields, string])[] = [
  ['code', 'C'],
  ['message', 'M'],
  ['detail', 'D'],
  ['hint', 'H'],
  ['position', 'P'],
  ['internalPosition', 'p'],
  ['internalQuery', 'q'],
  ['where', 'W'],
  ['schema', 's'],
  ['table', 't'],
  ['column', 'c'],
  ['dataType', 'd'],
  ['constraint', 'n'],
  ['file', 'F'],
  ['line', 'L'],
  ['routine', 'R'],
];

/** An ErrorResponse (PostgreSQL docs, "Error and Notice Message Fields"). */
export function errorResponse(fields: ErrorFields): Buffer {
  const parts = [`S${fields.severity}\0V${fields.severity}\0`];
  for (const [name, letter] of letters) {
    const value = fields[name];
    if (value !== undefined) parts.push(`${letter}${value}\0`);
  }
  return message(backend.errorResponse, Buffer.from(`${parts.join('')}\0`));
}

/** An error of our own, after which the session goes on. */
export const ownError = (fields: Omit<ErrorFields, 'severity'>): Buffer =>
  errorResponse({ severity: 'ERROR', ...fields });
