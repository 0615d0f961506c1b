/** What a request comes to before there is a database. */
import type { Statement } from '../../shared/hop/types.ts';
import type { Schema } from '../../shared/snapshot/schema.ts';
import { SqlSyntaxError } from '../../shared/sql/identifiers.ts';
import { ApiError } from '../../worker/error.ts';
import { planRequest } from '../../worker/plan/plan.ts';
import { parseRequest } from '../../worker/request/parse-request.ts';
import type { ApiRequest } from '../../worker/request/types.ts';
import { compile, type DatabasePlan } from '../../worker/sql/statements.ts';
import type { WholeRequest } from './request.ts';

export type Outcome =
  | {
      readonly kind: 'statements';
      readonly request: ApiRequest;
      readonly plan: DatabasePlan;
      readonly statements: readonly Statement[];
    }
  /** Answered without statements. */
  | { readonly kind: 'none' }
  | { readonly kind: 'refused'; readonly error: ApiError | SqlSyntaxError };

/** Parses, plans and compiles. Throws whatever is thrown that is not an error of ours. */
export function outcomeOf(raw: WholeRequest, schema: Schema): Outcome {
  const { settings } = schema.snapshot;
  try {
    const request = parseRequest(raw, settings);
    const plan = planRequest(request, schema);
    if (plan.kind !== 'read' && plan.kind !== 'mutate' && plan.kind !== 'call') return { kind: 'none' };
    const { preferences, topLevelRange } = request;
    const statements = compile(plan, { preferences, topLevelRange, maxRows: settings.dbMaxRows });
    return { kind: 'statements', request, plan, statements };
  } catch (error) {
    if (error instanceof ApiError || error instanceof SqlSyntaxError) return { kind: 'refused', error };
    throw error;
  }
}
