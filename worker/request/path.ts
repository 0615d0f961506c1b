/** The request target: its path, its query, and the resource that the path names. */

import { percentDecode } from '../../shared/percent.ts';
import type { WorkerSettings } from '../../shared/snapshot/types.ts';
import { pathError, rootDisabledError } from './errors.ts';
import { decodeByteString } from './text.ts';

export type Resource = { readonly kind: 'relation' | 'routine'; readonly name: string } | { readonly kind: 'schema' };

/** Splits a raw target into path and query (with its question mark); an absolute form loses scheme and authority. */
export function splitTarget(target: string): { readonly path: string; readonly query: string } {
  const mark = target.indexOf('?');
  const whole = mark < 0 ? target : target.slice(0, mark);
  const query = mark < 0 ? '' : target.slice(mark);
  const authority = whole.startsWith('http://') ? 7 : whole.startsWith('https://') ? 8 : -1;
  if (authority < 0) return { path: whole === '' ? '/' : whole, query };
  const slash = whole.indexOf('/', authority);
  return { path: slash < 0 ? '/' : whole.slice(slash), query };
}

/**
 * The resource of a path: `/`, `/relation` or `/rpc/routine`; segments are percent-decoded UTF-8.
 * Throws PGRST125 for any other path (a trailing slash counts), PGRST126 for the root where it is switched off.
 */
export function resourceOf(path: string, settings: Pick<WorkerSettings, 'openapiMode' | 'dbRootSpec'>): Resource {
  if (path === '/' || path === '') {
    if (settings.openapiMode === 'disabled') throw rootDisabledError();
    return settings.dbRootSpec === null ? { kind: 'schema' } : { kind: 'routine', name: settings.dbRootSpec.name };
  }
  const start = path.startsWith('/') ? 1 : 0;
  const slash = path.indexOf('/', start);
  const decode = (segment: string): string => decodeByteString(percentDecode(segment, false));
  const first = decode(slash < 0 ? path.slice(start) : path.slice(start, slash));
  if (slash < 0) return { kind: 'relation', name: first };
  if (first !== 'rpc' || path.includes('/', slash + 1)) throw pathError();
  return { kind: 'routine', name: decode(path.slice(slash + 1)) };
}
