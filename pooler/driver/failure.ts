import { PoolError, type PoolErrorCode } from '../pool/index.ts';
import { ConnectionError, DatabaseError } from '../wire/index.ts';
import { DriverError, driverError, wrongPassword } from './errors.ts';

const unreachable = (cause: ConnectionError): DriverError =>
  driverError('08006', 'the database cannot be reached', { status: 503, severity: 'FATAL', cause });

function ofPool(code: PoolErrorCode, cause: PoolError): DriverError {
  switch (code) {
    case 'acquisition-timeout':
    case 'queue-full':
      return driverError('53300', cause.message, { hint: 'Try again in a moment.', cause });
    case 'deadline':
    case 'aborted':
      return driverError('57014', cause.message, { cause });
    case 'closed':
      return driverError('57P01', 'the server is shutting down', { status: 503, severity: 'FATAL', cause });
  }
}

function ofConnection(error: ConnectionError, user: string): DriverError {
  const said = error.cause instanceof DatabaseError ? error.cause : null;
  switch (error.kind) {
    case 'authentication':
      return wrongPassword(user, error);
    case 'rejected':
      if (said === null) return unreachable(error);
      // Starting up, shutting down: nothing that the client can mend.
      return new DriverError(said.fields, said.code.startsWith('57P') ? 503 : 400, error);
    case 'refused':
    case 'timeout':
    case 'tls':
    case 'unsent':
    case 'closed':
      return unreachable(error);
    case 'unknown':
    case 'protocol':
      // The server answered before the connection was given up.
      if (said !== null && !said.fatal) return new DriverError(said.fields, 400, error);
      return driverError('08007', 'the connection to the database was lost: whether the statement ran is not known', {
        status: 500,
        cause: error,
      });
  }
}

/** What the client is told of an error. `user`: who wanted to log in. Mistakes of ours are 500 and say nothing of themselves. */
export function failureOf(error: unknown, user: string): DriverError {
  if (error instanceof DriverError) return error;
  if (error instanceof DatabaseError) return new DriverError(error.fields, 400, error);
  if (error instanceof PoolError) return ofPool(error.code, error);
  if (error instanceof ConnectionError) return ofConnection(error, user);
  if (error instanceof RangeError) return driverError('08P01', `the query cannot be sent: ${error.message}`);
  return driverError('XX000', 'internal error', { status: 500, cause: error });
}

/** Whether it is a mistake of ours, of which the client learns nothing. */
export const isFault = ({ status, fields }: DriverError): boolean => fields.code === 'XX000' && status === 500;
