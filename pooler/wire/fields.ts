import { DatabaseError, type ErrorFields } from './errors.ts';
import { ProtocolViolation } from './messages.ts';
import type { Field, Notification } from './types.ts';

const names: Readonly<Record<string, keyof ErrorFields>> = {
  S: 'severity',
  C: 'code',
  M: 'message',
  D: 'detail',
  H: 'hint',
  P: 'position',
  p: 'internalPosition',
  q: 'internalQuery',
  W: 'where',
  s: 'schema',
  t: 'table',
  c: 'column',
  d: 'dataType',
  n: 'constraint',
  F: 'file',
  L: 'line',
  R: 'routine',
};

/** Where the zero byte is that ends the string beginning at `start`. */
export function stringEnd(bytes: Buffer, start: number, end: number): number {
  const zero = bytes.indexOf(0, start);
  if (zero < 0 || zero >= end) throw new ProtocolViolation('a string without an end');
  return zero;
}

/** The fields of an ErrorResponse or NoticeResponse. The severity is the untranslated one where the server sends it (field V). */
export function readErrorFields(bytes: Buffer, start: number, end: number): ErrorFields {
  const fields: { -readonly [name in keyof ErrorFields]: ErrorFields[name] } = {
    severity: 'ERROR',
    code: 'XX000',
    message: '',
  };
  let untranslated: string | undefined;
  for (let at = start; at < end && bytes[at] !== 0; ) {
    const type = String.fromCharCode(bytes[at] ?? 0);
    const zero = stringEnd(bytes, at + 1, end);
    const value = bytes.toString('utf8', at + 1, zero);
    const name = names[type];
    if (type === 'V') untranslated = value;
    else if (name !== undefined) fields[name] = value;
    at = zero + 1;
  }
  if (untranslated !== undefined) fields.severity = untranslated;
  return fields;
}

export function readError(bytes: Buffer, start: number, end: number): DatabaseError {
  return new DatabaseError(readErrorFields(bytes, start, end));
}

/** The name and value of a ParameterStatus. */
export function readParameter(bytes: Buffer, start: number, end: number): readonly [string, string] {
  const zero = stringEnd(bytes, start, end);
  return [bytes.toString('utf8', start, zero), bytes.toString('utf8', zero + 1, stringEnd(bytes, zero + 1, end))];
}

export function readNotification(bytes: Buffer, start: number, end: number): Notification {
  if (end - start < 6) throw new ProtocolViolation('a short notification');
  const zero = stringEnd(bytes, start + 4, end);
  return {
    processId: bytes.readInt32BE(start),
    channel: bytes.toString('utf8', start + 4, zero),
    payload: bytes.toString('utf8', zero + 1, stringEnd(bytes, zero + 1, end)),
  };
}

/** The columns of a RowDescription. */
export function readRowDescription(bytes: Buffer, start: number, end: number): readonly Field[] {
  const fields: Field[] = [];
  if (end - start < 2) throw new ProtocolViolation('a short row description');
  let at = start + 2;
  for (let count = bytes.readInt16BE(start); count > 0; count--) {
    const zero = stringEnd(bytes, at, end);
    if (zero + 19 > end) throw new ProtocolViolation('a short row description');
    fields.push({
      name: bytes.toString('utf8', at, zero),
      tableOid: bytes.readUInt32BE(zero + 1),
      column: bytes.readInt16BE(zero + 5),
      typeOid: bytes.readUInt32BE(zero + 7),
      typeSize: bytes.readInt16BE(zero + 11),
      typeModifier: bytes.readInt32BE(zero + 13),
      format: bytes.readInt16BE(zero + 17),
    });
    at = zero + 19;
  }
  return fields;
}
