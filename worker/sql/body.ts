/** The aggregate that makes the response's body of the rows. */

import type { Routine } from '../../shared/snapshot/types.ts';
import { CSV, GEOJSON, list, NO_BODY, ROWS, SCALAR, single } from '../../shared/sql/fragments.ts';
import { quoteQualified } from '../../shared/sql/identifiers.ts';
import type { BodyHandler } from '../plan/types.ts';

function json(routine: Routine | null, strip: boolean): string {
  if (routine === null) return list(ROWS, strip);
  const { set, kind } = routine.returns;
  const value = kind === 'scalar' ? SCALAR : ROWS;
  return set ? list(value, strip) : single(value, strip);
}

/** The body's expression. `routine` is the function whose rows they are; null for relations. */
export function bodyAggregate(handler: BodyHandler, routine: Routine | null): string {
  switch (handler.kind) {
    case 'none':
      return NO_BODY;
    case 'json':
      return json(routine, false);
    case 'array-stripped':
      return json(routine, true);
    case 'singular': {
      const scalar = routine !== null && !routine.returns.set && routine.returns.kind === 'scalar';
      return single(scalar ? SCALAR : ROWS, handler.stripped);
    }
    case 'csv':
      return CSV;
    case 'geojson':
      return GEOJSON;
    case 'custom': {
      const name = quoteQualified(handler.function);
      if (routine !== null && !routine.returns.set && routine.returns.kind === 'scalar') return `${name}(${SCALAR})`;
      return handler.target === null ? `${name}(${ROWS})` : `${name}(${ROWS}::${quoteQualified(handler.target)})`;
    }
    default:
      return handler satisfies never;
  }
}
