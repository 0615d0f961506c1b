/** `RAISE SQLSTATE 'PGRST'`: a function that makes the whole error response, as JSON in MESSAGE and DETAIL. */
import { isObject, parsedJson } from '../../shared/json.ts';
import { ApiError } from '../error.ts';
import { isFinalStatus, isHeader } from './bytes.ts';
import type { Header } from './types.ts';

interface Message {
  readonly code: string;
  readonly message: string;
  readonly details: string | null;
  readonly hint: string | null;
}

interface Detail {
  readonly status: number;
  readonly statusText: string | null;
  readonly headers: readonly Header[];
}

/** The error that was raised, or PGRST121 when its JSON is not as it must be. */
export function raisedError(message: string, detail: string | null): ApiError {
  const body = readMessage(message);
  if (body === null) {
    return unreadable(
      `Invalid JSON value for MESSAGE: '${message}'`,
      "MESSAGE must be a JSON object with obligatory keys: 'code', 'message' and optional keys: 'details', 'hint'.",
    );
  }
  const response = detail === null ? null : readDetail(detail);
  if (response === null) {
    return unreadable(
      detail === null ? 'DETAIL is missing in the RAISE statement' : `Invalid JSON value for DETAIL: '${detail}'`,
      "DETAIL must be a JSON object with obligatory keys: 'status', 'headers' and optional key: 'status_text'.",
    );
  }
  const { status, statusText, headers } = response;
  return new ApiError(status, body, { headers, ...(statusText === null ? {} : { statusText }) });
}

const unreadable = (details: string, hint: string): ApiError =>
  new ApiError(500, {
    code: 'PGRST121',
    message: 'Could not parse JSON in the "RAISE SQLSTATE \'PGRST\'" error',
    details,
    hint,
  });

function readMessage(json: string): Message | null {
  const fields = object(json);
  if (fields === null) return null;
  const code = fields.get('code');
  const message = fields.get('message');
  const details = fields.get('details') ?? null;
  const hint = fields.get('hint') ?? null;
  if (typeof code !== 'string' || typeof message !== 'string') return null;
  return isOptionalText(details) && isOptionalText(hint) ? { code, message, details, hint } : null;
}

function readDetail(json: string): Detail | null {
  const fields = object(json);
  if (fields === null) return null;
  const status = fields.get('status');
  const statusText = fields.get('status_text') ?? null;
  const given = fields.get('headers');
  if (typeof status !== 'number' || !isFinalStatus(status) || !isOptionalText(statusText)) return null;
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return null;
  const headers: Header[] = [];
  for (const [name, value] of Object.entries(given)) {
    if (typeof value !== 'string' || !isHeader(name, value)) return null;
    headers.push([name, value]);
  }
  return { status, statusText, headers };
}

const isOptionalText = (value: unknown): value is string | null => value === null || typeof value === 'string';

/** The members of a JSON object; null when it is something else. */
function object(json: string): ReadonlyMap<string, unknown> | null {
  const value = parsedJson(json);
  return isObject(value) ? new Map(Object.entries(value)) : null;
}
