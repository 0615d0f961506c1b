import type { ErrorFields } from '../wire/index.ts';

interface Details {
  /** Of the HTTP answer; 400 by default, the only one whose body the driver reads. */
  readonly status?: number;
  /** FATAL ends the session of a client that has one. */
  readonly severity?: 'ERROR' | 'FATAL';
  readonly hint?: string;
  readonly cause?: unknown;
}

/** What a client of the driver's door is told: as an HTTP answer, or as an ErrorResponse. Nothing secret is in it. */
export class DriverError extends Error {
  override readonly name = 'DriverError';
  readonly status: number;
  readonly fields: ErrorFields;

  constructor(fields: ErrorFields, status: number, cause?: unknown) {
    super(fields.message, cause === undefined ? undefined : { cause });
    this.fields = fields;
    this.status = status;
  }
}

/** An error of the door's own, under the SQLSTATE that PostgreSQL has for the like. */
export function driverError(code: string, message: string, details: Details = {}): DriverError {
  const { status = 400, severity = 'ERROR', hint, cause } = details;
  return new DriverError({ severity, code, message, ...(hint !== undefined && { hint }) }, status, cause);
}

/** One text for an unknown user, a wrong password and a user who may not come in: who asks does not learn which. */
export const wrongPassword = (user: string, cause?: unknown): DriverError =>
  driverError('28P01', `password authentication failed for user "${user}"`, { severity: 'FATAL', cause });
