/** What a pooler says of a token, as JSON: null where it accepts it, otherwise the error that the client gets. */
import { isObject } from '../../shared/json.ts';
import { ApiError } from '../error.ts';
import type { Judgement } from './fetched.ts';

/** The error as the pooler sends it. */
export const writeRefusal = ({ status, code, message, details, headers }: ApiError): string =>
  JSON.stringify({ status, code, message, details, headers });

const isText = (value: unknown): value is string => typeof value === 'string';
const isHeader = (value: unknown): value is readonly [string, string] =>
  Array.isArray(value) && value.length === 2 && value.every(isText);

/** Reads it; null when the JSON is neither. */
export function readJudgement(json: unknown): Judgement | null {
  if (json === null) return { kind: 'accepted' };
  if (!isObject(json)) return null;
  const { status, code, message, details, headers } = json;
  if (typeof status !== 'number' || status < 400 || status > 599 || !isText(code) || !isText(message)) return null;
  if ((details !== null && !isText(details)) || !Array.isArray(headers) || !headers.every(isHeader)) return null;
  return { kind: 'refused', error: new ApiError(status, { code, message, details }, { headers }) };
}
