/** A PostgreSQL connection that carries one flight (statements under one Sync) at a time. */
export type { ConnectionConfig, Endpoint, SslMode, TargetSession, TlsConfig } from './config.ts';
export { connect } from './connect.ts';
export { Connection, type ConnectionObserver, type ConnectionState } from './connection.ts';
export { DeadlineTimer } from './deadline.ts';
export { ConnectionError, type ConnectionErrorKind, DatabaseError, type ErrorFields } from './errors.ts';
export { readParameter, stringEnd } from './fields.ts';
export type { FlightCallback } from './journey.ts';
export type { Borrower, Lent } from './lending.ts';
export {
  backend,
  cancelRequestCode,
  frontend,
  gssRequestCode,
  ProtocolViolation,
  protocolVersion,
  sslRequestCode,
  syncMessage,
} from './messages.ts';
export { MessageScanner, type Onlooker } from './scanner.ts';
export { Secret } from './secret.ts';
export type { NamedStatement, StatementRegistry } from './statements.ts';
export type {
  CancelReason,
  CancelSignal,
  ConnectionOptions,
  Field,
  Flight,
  FlightResult,
  FlightStatement,
  Notification,
  ParameterValue,
  Row,
  RowSink,
  RowTaker,
  StatementResult,
  StatementUses,
  TransactionWrapper,
} from './types.ts';
export { ConnectionStringError, parseConnectionString } from './uri.ts';
export type { Writer } from './writer.ts';
