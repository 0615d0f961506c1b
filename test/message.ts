/** Messages of the hop as the worker makes them of requests, for tests that speak to a pooler without one. */

import type { TransactionOutcome, TransactionRequest } from '../shared/hop/types.ts';
import { Schema } from '../shared/snapshot/schema.ts';
import type { Snapshot } from '../shared/snapshot/types.ts';
import type { RawRequest } from '../worker/request/types.ts';
import { transactionRequest } from '../worker/transaction.ts';
import { type Outcome, outcomeOf } from './hostile/outcome.ts';

export interface Asked {
  readonly method?: string;
  readonly target: string;
  readonly headers?: RawRequest['headers'];
  readonly body?: string;
  readonly token?: string | null;
  readonly role?: string;
}

/** What the worker sends for a request. Throws where it would answer itself. */
export function messageOf(snapshot: Snapshot, asked: Asked): TransactionRequest {
  const { method = 'GET', target, headers = [], body = '', token = null, role = 'anon' } = asked;
  const typed = body === '' ? headers : ([...headers, ['content-type', 'application/json']] as const);
  const raw = { method, target, headers: typed, body: new TextEncoder().encode(body) };
  const outcome = outcomeOf(raw, new Schema(snapshot));
  if (outcome.kind !== 'statements') throw new Error(`${method} ${target} comes to no statements`);
  return messageFrom(outcome, snapshot, token, role);
}

/** The same for what a request has come to. */
export function messageFrom(
  outcome: Extract<Outcome, { kind: 'statements' }>,
  snapshot: Snapshot,
  token: string | null,
  role: string,
): TransactionRequest {
  const caller = { identity: { role, claims: '{}', authenticated: token !== null }, token, address: null };
  return transactionRequest(outcome.plan, outcome.request, caller, snapshot.version, outcome.statements);
}

/** The body of an outcome as text. Throws the failure. */
export async function bodyOf(outcome: TransactionOutcome): Promise<string> {
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.failure));
  const { body } = outcome;
  return body === null ? '' : await new Response(body instanceof Uint8Array ? new Uint8Array(body) : body).text();
}
