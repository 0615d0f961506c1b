/** EXPLAIN: plans as answers, and the planner's guess of a count. */
import type { Statement } from '../../shared/hop/types.ts';
import type { ReadPlan } from '../plan/types.ts';
import type { MediaType } from '../request/types.ts';
import { countQuery } from './count.ts';
import { Parameters } from './parameters.ts';

type PlanMedia = MediaType & { readonly kind: 'plan' };

/** Puts EXPLAIN with its options before a statement. */
export function explain(media: Pick<PlanMedia, 'format' | 'options'>, text: string): string {
  const options = [`FORMAT ${media.format === 'json' ? 'JSON' : 'TEXT'}`, ...media.options.map((o) => o.toUpperCase())];
  return `EXPLAIN (${options.join(', ')}) ${text}`;
}

/** The statement whose one column is the plan of the whole, unlimited read: JSON with the rows that the planner expects. */
export function estimate(read: ReadPlan): Statement {
  const parameters = new Parameters();
  const text = explain({ format: 'json', options: [] }, countQuery(read, parameters));
  return { text, parameters: parameters.values, result: { kind: 'row', body: null } };
}
