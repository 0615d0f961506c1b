/**
 * The worker's one error: PostgREST's `{code, message, details, hint}` with its HTTP status.
 * https://docs.postgrest.org/en/stable/references/errors.html
 */

import { UntracedError } from '../shared/untraced-error.ts';

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

export interface ErrorBody {
  readonly code: string;
  readonly message: string;
  readonly details: Json;
  readonly hint: Json;
}

export class ApiError extends UntracedError {
  override readonly name = 'ApiError';
  readonly code: string;
  readonly status: number;
  readonly details: Json;
  readonly hint: Json;
  /** Headers that belong to this error besides the usual ones, e.g. WWW-Authenticate. */
  readonly headers: readonly (readonly [string, string])[];
  /** The reason phrase where the database gave one (RAISE SQLSTATE 'PGRST'). */
  readonly statusText: string | null;
  /** The error was decided by the snapshot alone: a newer one may decide otherwise (DESIGN: plan again once). */
  readonly fromSnapshot: boolean;

  constructor(
    status: number,
    body: { code: string; message: string; details?: Json; hint?: Json },
    more: { headers?: readonly (readonly [string, string])[]; statusText?: string; fromSnapshot?: boolean } = {},
  ) {
    super(body.message);
    this.status = status;
    this.code = body.code;
    this.details = body.details ?? null;
    this.hint = body.hint ?? null;
    this.headers = more.headers ?? [];
    this.statusText = more.statusText ?? null;
    this.fromSnapshot = more.fromSnapshot ?? false;
  }
}
