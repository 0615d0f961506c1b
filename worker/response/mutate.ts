/** Responses to writes. */
import type { StatementResult } from '../../shared/hop/types.ts';
import { COLUMN } from '../../shared/sql/columns.ts';
import type { ApiRequest } from '../request/types.ts';
import type { DatabasePlan } from '../sql/statements.ts';
import { byteString } from './bytes.ts';
import { columnOf, insertedTotal, pageTotal } from './counts.ts';
import { bodyHeaders, contentLength } from './headers.ts';
import { preferenceApplied } from './preferences.ts';
import { contentRange } from './range.ts';
import type { Header } from './types.ts';

type MutatePlan = DatabasePlan & { readonly kind: 'mutate' };

/** Status and headers of a write's response; `length` is the body's, in bytes. */
export function mutateHead(
  plan: MutatePlan,
  request: ApiRequest,
  main: StatementResult,
  length: number,
): { readonly status: number; readonly headers: readonly Header[]; readonly body: 'result' | null } {
  const { preferences } = request;
  const full = preferences.representation === 'representation';
  const applied = preferenceApplied(plan, request);
  const page = pageTotal(main);
  const total = preferences.count === 'exact' || preferences.count === 'estimated' ? page : null;
  const headers: Header[] = [];
  switch (plan.mutation) {
    case 'create': {
      headers.push(contentLength(full ? length : 0));
      const location = locationOf(plan.target.name, columnOf(main, COLUMN.location));
      if (location !== null) headers.push(location);
      headers.push(contentRange(1n, 0n, total));
      break;
    }
    case 'update':
      headers.push(contentRange(0n, page - 1n, total));
      break;
    case 'delete':
      headers.push(contentRange(1n, 0n, total));
      break;
    case 'single-upsert':
      break;
    default:
      return plan.mutation satisfies never;
  }
  if (applied !== null) headers.push(applied);
  if (full) {
    if (plan.mutation !== 'create') headers.push(contentLength(length));
    headers.push(...bodyHeaders(plan, request));
  }
  return { status: mutateStatus(plan, request, main, full), headers, body: full ? 'result' : null };
}

function mutateStatus(plan: MutatePlan, request: ApiRequest, main: StatementResult, full: boolean): number {
  switch (plan.mutation) {
    // An upsert that only updated has created nothing.
    case 'create': {
      const inserted = insertedTotal(main);
      if (inserted === null) return 200;
      return inserted <= 0n && request.preferences.resolution === 'merge-duplicates' ? 200 : 201;
    }
    case 'single-upsert':
      if (!full) return 204;
      return (insertedTotal(main) ?? 0n) > 0n ? 201 : 200;
    case 'update':
    case 'delete':
      return full ? 200 : 204;
    default:
      return plan.mutation satisfies never;
  }
}

/** Where the inserted row is: `/name?key=eq.value`. */
function locationOf(name: string, keys: string | null): Header | null {
  if (keys === null) return null;
  const list: unknown = JSON.parse(keys);
  if (!Array.isArray(list) || list.length === 0) return null;
  const query = list.map((item: unknown) => {
    const pair = String(item);
    const end = pair.indexOf('=');
    return `${encodeQuery(pair.slice(0, end))}=${encodeQuery(pair.slice(end + 1))}`;
  });
  return ['Location', byteString(`/${name}?${query.join('&')}`)];
}

/** Percent-encodes all but the unreserved characters of RFC 3986, 2.3. */
const encodeQuery = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
