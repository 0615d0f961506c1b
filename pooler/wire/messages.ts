/** Message types as byte values (PostgreSQL docs, "Message Formats"). */

export const frontend = {
  bind: 0x42,
  close: 0x43,
  copyData: 0x64,
  copyDone: 0x63,
  copyFail: 0x66,
  describe: 0x44,
  execute: 0x45,
  flush: 0x48,
  functionCall: 0x46,
  parse: 0x50,
  password: 0x70,
  query: 0x51,
  sync: 0x53,
  terminate: 0x58,
} as const;

export const backend = {
  authentication: 0x52,
  backendKeyData: 0x4b,
  bindComplete: 0x32,
  closeComplete: 0x33,
  commandComplete: 0x43,
  copyBothResponse: 0x57,
  copyData: 0x64,
  copyDone: 0x63,
  copyInResponse: 0x47,
  copyOutResponse: 0x48,
  dataRow: 0x44,
  emptyQueryResponse: 0x49,
  errorResponse: 0x45,
  functionCallResponse: 0x56,
  negotiateProtocolVersion: 0x76,
  noData: 0x6e,
  noticeResponse: 0x4e,
  notificationResponse: 0x41,
  parameterDescription: 0x74,
  parameterStatus: 0x53,
  parseComplete: 0x31,
  portalSuspended: 0x73,
  readyForQuery: 0x5a,
  rowDescription: 0x54,
} as const;

export const protocolVersion = 196608;
export const sslRequestCode = 80877103;
export const cancelRequestCode = 80877102;
export const gssRequestCode = 80877104;

/** Execute of the unnamed portal without a row limit. */
export const executeMessage = Uint8Array.of(frontend.execute, 0, 0, 0, 9, 0, 0, 0, 0, 0);
export const syncMessage = Uint8Array.of(frontend.sync, 0, 0, 0, 4);
export const terminateMessage = Uint8Array.of(frontend.terminate, 0, 0, 0, 4);
/** Describe of the unnamed portal. */
export const describePortalMessage = Uint8Array.of(frontend.describe, 0, 0, 0, 6, 0x50, 0);

/** The server sent what the protocol does not allow there. */
export class ProtocolViolation extends Error {
  override readonly name = 'ProtocolViolation';
}
