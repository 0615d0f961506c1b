/** Preference-Applied: which preferences were honoured (RFC 7240, 3). */
import type { ApiRequest, Preferences } from '../request/types.ts';
import type { DatabasePlan } from '../sql/statements.ts';
import { byteString } from './bytes.ts';
import type { Header } from './types.ts';

/** The header, its preferences in PostgREST's order; null when none was. */
export function preferenceApplied(plan: DatabasePlan, request: ApiRequest): Header | null {
  const { preferences } = request;
  const applied: string[] = [];
  const add = (name: string, value: string | null): void => {
    if (value !== null) applied.push(`${name}=${value}`);
  };
  if (plan.kind === 'mutate') {
    if (resolves(plan, request)) add('resolution', preferences.resolution);
    if (plan.mutation === 'create' || plan.mutation === 'update') add('missing', preferences.missing);
    add('return', preferences.representation);
  }
  add('count', preferences.count);
  add('tx', preferences.transaction);
  add('handling', preferences.handling);
  add('timezone', preferences.timezone);
  if (limitsAffected(plan, preferences)) add('max-affected', preferences.maxAffected?.toString() ?? null);
  return applied.length === 0 ? null : ['Preference-Applied', byteString(applied.join(', '))];
}

/** Conflicts can only be resolved on a key. */
function resolves(plan: DatabasePlan & { readonly kind: 'mutate' }, { query }: ApiRequest): boolean {
  if (plan.mutation !== 'create' || plan.write.kind !== 'insert') return false;
  return plan.write.primaryKey.length > 0 || query.onConflict !== null;
}

function limitsAffected(plan: DatabasePlan, preferences: Preferences): boolean {
  if (preferences.handling !== 'strict' || plan.kind === 'read') return false;
  return plan.kind === 'call' || plan.mutation === 'update' || plan.mutation === 'delete';
}
