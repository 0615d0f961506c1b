/** The transaction that a plan asks of the hop: who runs it, what it may see of the request, and its statements. */

import { isTraceparent } from '../shared/hop/traceparent.ts';
import { HOP_VERSION, type Statement, type TransactionRequest } from '../shared/hop/types.ts';
import type { Identity } from './auth/authenticator.ts';
import type { Plan } from './plan/types.ts';
import { headerValue } from './request/headers.ts';
import { decodeByteString } from './request/text.ts';
import type { ApiRequest, PayloadBody } from './request/types.ts';
import type { DatabasePlan } from './sql/statements.ts';

type Pairs = readonly (readonly [string, string])[];

/** Pairs among which a repeated name is found faster by comparing than by a table of names. */
const FEW = 32;

const namesDiffer = (pairs: Pairs): boolean =>
  pairs.length <= FEW && pairs.every(([name], i) => !isNamed(pairs, name, i + 1));

function isNamed(pairs: Pairs, name: string, from: number): boolean {
  for (let i = from; i < pairs.length; i++) if (pairs[i]?.[0] === name) return true;
  return false;
}

/** Pairs as a JSON object of text; of equal names the last counts. */
function jsonObject(pairs: Pairs): string {
  let members = '';
  for (const [name, value] of namesDiffer(pairs) ? pairs : new Map(pairs)) {
    members += `${members === '' ? '' : ','}${JSON.stringify(name)}:${JSON.stringify(decodeByteString(value))}`;
  }
  return `{${members}}`;
}

/** Reads of tables and views are read-only; a call's access is the plan's. */
const accessOf = (plan: DatabasePlan): TransactionRequest['access'] => {
  if (plan.kind === 'call') return plan.access;
  return plan.kind === 'read' ? 'read only' : 'read write';
};

/** The body that goes with the transaction; null without one. */
export function payloadOf({ payload }: ApiRequest): PayloadBody | null {
  if (payload === null || payload.kind === 'urlencoded') return null;
  return payload.body;
}

interface Caller {
  readonly identity: Identity;
  readonly token: string | null;
  readonly address: string | null;
}

export function transactionRequest(
  plan: DatabasePlan,
  request: ApiRequest,
  caller: Caller,
  snapshot: string,
  statements: readonly Statement[],
): TransactionRequest {
  const routine = plan.kind === 'call' ? plan.routine : null;
  return {
    ...circumstances(request, caller, snapshot),
    isolation: routine?.isolation ?? null,
    access: accessOf(plan),
    settings: routine?.settings ?? [],
    statements,
    end: request.preferences.transaction,
  };
}

/** For the OpenAPI document, which is written where the database's comments are. Its head alone is a transaction without statements. */
export function documentRequest(
  plan: Extract<Plan, { readonly kind: 'inspect' }>,
  request: ApiRequest,
  caller: Caller,
  snapshot: string,
): TransactionRequest {
  return {
    ...circumstances(request, caller, snapshot),
    isolation: null,
    access: 'read only',
    settings: [],
    statements: [],
    ...(plan.headersOnly ? {} : { document: true }),
    end: null,
  };
}

/** Who asks, and what of the request the database may see. */
function circumstances(
  request: ApiRequest,
  caller: Caller,
  snapshot: string,
): Omit<TransactionRequest, 'isolation' | 'access' | 'settings' | 'statements' | 'document' | 'end'> {
  const traceparent = headerValue(request.headers, 'traceparent');
  const { role, claims, unproven } = caller.identity;
  return {
    version: HOP_VERSION,
    snapshot,
    token: caller.token,
    // Nothing is asserted that we cannot vouch for: a pooler that has no keys would take our word for it.
    ...(unproven ? { role: '', claims: '{}' } : { role, claims }),
    schema: request.schema,
    method: request.method,
    path: decodeByteString(request.path),
    headers: jsonObject(request.headers),
    cookies: jsonObject(request.cookies),
    ...(traceparent !== null && isTraceparent(traceparent) ? { traceparent } : {}),
    ...(caller.address === null ? {} : { address: caller.address }),
    timezone: request.preferences.timezone === null ? null : decodeByteString(request.preferences.timezone),
    deadline: null,
  };
}
