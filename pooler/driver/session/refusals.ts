/** Why a session ends, or a query of it is not run, for reasons of the door's own. */
import { ProtocolViolation } from '../../wire/index.ts';
import { type DriverError, driverError } from '../errors.ts';
import { TooManyNames } from './exchange.ts';
import { MessageTooLarge } from './frontend.ts';

export const connectionLost = (): DriverError => driverError('08006', 'the connection to the database was lost');

export const shuttingDown = (): DriverError =>
  driverError('57P01', 'terminating connection due to administrator command');

export const leftWaiting = (): DriverError =>
  driverError('25P03', 'terminating connection due to idle-in-transaction timeout', {
    hint: 'EDGEREST_DRIVER_IDLE_TRANSACTION of the pooler says how many seconds a client may leave a connection waiting.',
  });

export const notTaken = (): DriverError =>
  driverError('08006', 'terminating connection because the client does not take what it is sent');

/** `by`: what would keep it on its connection. */
export const tooManyPinned = (by: string): DriverError =>
  driverError('53400', `too many sessions keep their connection to the database: this one would have to, for ${by}`, {
    hint: 'Undo it before the transaction ends, or raise EDGEREST_DRIVER_MAX_PINNED of the pooler.',
  });

/** `name`: a parameter that says who somebody is, or what bytes mean. */
export const unchangeable = (name: string): DriverError =>
  driverError('0A000', `${name} cannot be changed through a pooler`);

/** What a client did that ends its session; null where it is not to blame. */
export function refusalOf(error: unknown): DriverError | null {
  if (error instanceof ProtocolViolation) return driverError('08P01', `protocol violation: ${error.message}`);
  if (error instanceof TooManyNames) return driverError('54000', 'too many prepared statements in one session');
  if (!(error instanceof MessageTooLarge)) return null;
  return driverError('54000', error.message, {
    hint: 'EDGEREST_MAX_BODY_SIZE of the pooler says how many bytes are allowed.',
  });
}
