/** An API that is mounted below a path, as supabase-js wants it below `/rest/v1`. */
import { ApiError } from '../error.ts';
import { splitTarget } from './path.ts';
import type { RawRequest } from './types.ts';

/**
 * The request as it is asked below the base: its target begins at the root. Without a base ('') it is the same. Throws
 * EDGE010 where the target is not below the base.
 */
export function mounted(raw: RawRequest, base: string): RawRequest {
  if (base === '') return raw;
  const { path, query } = splitTarget(raw.target);
  const rest = path.startsWith(base) ? path.slice(base.length) : null;
  if (rest !== '' && rest?.startsWith('/') !== true) {
    throw new ApiError(404, {
      code: 'EDGE010',
      message: 'There is nothing at this path',
      hint: `The API is below ${base}.`,
    });
  }
  return { ...raw, target: (rest || '/') + query };
}
