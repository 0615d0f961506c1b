/** Requests and results for tests, with everything that a test does not speak of left at its default. */
import type { StatementResult, TransactionResult } from '../../../shared/hop/types.ts';
import type { ApiRequest, Preferences } from '../../request/types.ts';
import { NO_PREFERENCES } from '../../request/types.ts';
import type { ResponseSettings } from '../respond.ts';
import type { RawResponse } from '../types.ts';

export const SETTINGS: ResponseSettings = {
  dbMaxRows: null,
  clientErrorVerbosity: 'verbose',
  urlUseLegacyTargetNames: true,
};

export const request = (preferences: Partial<Preferences> = {}, more: Partial<ApiRequest> = {}): ApiRequest => ({
  action: { kind: 'schema-info' },
  method: 'GET',
  path: '/',
  schema: 'api',
  negotiatedByProfile: false,
  query: {
    canonical: '',
    params: [],
    ranges: [],
    order: [],
    logic: [],
    columns: null,
    select: [],
    filters: [],
    filterFields: [],
    onConflict: null,
  },
  topLevelRange: { offset: 0n, limit: null },
  ranges: [],
  payload: null,
  columns: [],
  preferences: { ...NO_PREFERENCES, ...preferences },
  headers: [],
  cookies: [],
  accept: [],
  contentType: { kind: 'json' },
  ...more,
});

export interface Row {
  readonly total?: string | null;
  readonly page?: string | null;
  readonly headers?: string | null;
  readonly status?: string | null;
  readonly inserted?: string | null;
  readonly location?: string | null;
}

/** A main row with its body, and the columns of the statements that follow. */
export function result(body: string, row: Row = {}, ...more: readonly (string | null)[][]): TransactionResult {
  const { total = null, page = '1', headers = null, status = null, inserted = '', location = null } = row;
  const main: StatementResult = { rows: 1, columns: [total, page, inserted, location, null, headers, status, null] };
  const bytes = new TextEncoder().encode(body);
  const statements = [main, ...more.map((columns) => ({ rows: 1, columns }))];
  return { ok: true, snapshot: 'v', statements, body: bytes, length: bytes.length };
}

/** A response with its headers by name and its body as text. */
export function plain({ status, statusText, headers, body }: RawResponse) {
  const text = body instanceof Uint8Array ? new TextDecoder().decode(body) : body;
  return { status, statusText, headers: Object.fromEntries(headers), body: text };
}
