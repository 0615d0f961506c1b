import { HOP_VERSION, type TransactionRequest } from './types.ts';

/** A read by the anonymous role with nothing in it, and what a test changes of it. */
export const transactionRequest = (change: Partial<TransactionRequest> = {}): TransactionRequest => ({
  version: HOP_VERSION,
  snapshot: 'v1',
  token: null,
  role: 'anon',
  claims: '{}',
  schema: 'api',
  method: 'GET',
  path: '/',
  headers: '{}',
  cookies: '{}',
  timezone: null,
  isolation: null,
  access: 'read only',
  settings: [],
  statements: [],
  end: null,
  deadline: null,
  ...change,
});
