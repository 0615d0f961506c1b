/** A bounded pool of connections, with a queue before it. */
export { createPool } from './create.ts';
export { PoolError, type PoolErrorCode } from './errors.ts';
export { Pool } from './pool.ts';
export { type AdmissionQueue, FifoQueue, type Queued } from './queue.ts';
export { TurnQueue } from './turns.ts';
export type {
  Admission,
  Lease,
  LeaseBorrower,
  Login,
  PoolEvent,
  PoolMetrics,
  PoolOptions,
  QueueState,
  Subject,
} from './types.ts';
export type { Waiter } from './waiter.ts';
