/** Responses that the schema alone decides: OPTIONS, and the OpenAPI document's head. */
import type { TransactionResult } from '../../shared/hop/types.ts';
import type { Plan } from '../plan/types.ts';
import type { ApiRequest } from '../request/types.ts';
import { contentType } from './content-type.ts';
import { contentLength, contentProfile, VARY } from './headers.ts';
import type { Header, RawResponse } from './types.ts';

/** Answers OPTIONS with what the target allows. */
export function respondInfo(
  plan: Extract<Plan, { readonly kind: 'relation-info' | 'routine-info' | 'schema-info' }>,
): RawResponse {
  return {
    status: 200,
    statusText: null,
    headers: [contentLength(0), ['Access-Control-Allow-Origin', '*'], ['Allow', allowed(plan)], VARY],
    body: null,
  };
}

function allowed(plan: Parameters<typeof respondInfo>[0]): string {
  switch (plan.kind) {
    case 'schema-info':
      return 'OPTIONS,GET,HEAD';
    // A volatile function may write, and GET must not.
    case 'routine-info':
      return plan.routine.volatility === 'volatile' ? 'OPTIONS,POST' : 'OPTIONS,GET,HEAD,POST';
    case 'relation-info': {
      const { insertable, updatable, deletable, primaryKey } = plan.table;
      const methods = ['OPTIONS,GET,HEAD'];
      if (insertable) methods.push('POST');
      if (insertable && updatable && primaryKey.length > 0) methods.push('PUT');
      if (updatable) methods.push('PATCH');
      if (deletable) methods.push('DELETE');
      return methods.join(',');
    }
    default:
      return plan satisfies never;
  }
}

/** Answers with the OpenAPI document, the transaction's body; with its head alone where there is none. */
export function respondDocument(
  plan: Plan & { readonly kind: 'inspect' },
  request: ApiRequest,
  { body, length }: Pick<TransactionResult, 'body' | 'length'>,
): RawResponse {
  const headers: readonly Header[] = [
    contentType({ kind: 'openapi' }),
    ...(plan.headersOnly ? [] : [contentLength(length)]),
    ...contentProfile(request),
    VARY,
  ];
  return { status: 200, statusText: null, headers, body: plan.headersOnly ? null : body };
}
