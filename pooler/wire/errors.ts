import { UntracedError } from '../../shared/untraced-error.ts';

/** The fields of an ErrorResponse or NoticeResponse (PostgreSQL docs, "Error and Notice Message Fields"). */
export type ErrorFields = {
  readonly severity: string;
  /** SQLSTATE. */
  readonly code: string;
  readonly message: string;
  readonly detail?: string;
  readonly hint?: string;
  readonly position?: string;
  readonly internalPosition?: string;
  readonly internalQuery?: string;
  readonly where?: string;
  readonly schema?: string;
  readonly table?: string;
  readonly column?: string;
  readonly dataType?: string;
  readonly constraint?: string;
  readonly file?: string;
  readonly line?: string;
  readonly routine?: string;
};

/** An error that the server reported. */
export class DatabaseError extends UntracedError {
  override readonly name = 'DatabaseError';
  /** SQLSTATE. */
  readonly code: string;
  readonly fields: ErrorFields;

  constructor(fields: ErrorFields) {
    super(fields.message);
    this.code = fields.code;
    this.fields = fields;
  }

  /** True when the server closed the connection with this error. */
  get fatal(): boolean {
    return this.fields.severity === 'FATAL' || this.fields.severity === 'PANIC';
  }
}

/**
 * - `refused`: no connection could be made to any host (refused, unreachable, unknown name).
 * - `timeout`: connect_timeout passed before the server was ready.
 * - `tls`: the server has no TLS where it is required, or its certificate is not trusted.
 * - `authentication`: the server refused the login, or could not prove that it knows the password.
 * - `rejected`: the server refused the session for another reason (no such database, too many connections, starting up).
 * - `unsent`: lost, and nothing of the flight was executed. Safe to retry.
 * - `unknown`: lost after Sync was sent: the flight may have committed. Never retry a write.
 * - `protocol`: the server sent something that cannot be; the connection is destroyed and the outcome unknown.
 * - `closed`: the connection was closed by us before the flight began.
 */
export type ConnectionErrorKind =
  | 'refused'
  | 'timeout'
  | 'tls'
  | 'authentication'
  | 'rejected'
  | 'unsent'
  | 'unknown'
  | 'protocol'
  | 'closed';

/** The connection, not a statement, failed. The message never holds a password or a connection string. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError';
  readonly kind: ConnectionErrorKind;

  constructor(kind: ConnectionErrorKind, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.kind = kind;
  }

  /** True when the flight may have been committed although no answer came. */
  get outcomeUnknown(): boolean {
    return this.kind === 'unknown' || this.kind === 'protocol';
  }
}
