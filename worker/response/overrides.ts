/** What functions say about the response through `response.status` and `response.headers`. */
import { ApiError } from '../error.ts';
import { byteString, isFinalStatus, isHeader } from './bytes.ts';
import type { Header } from './types.ts';

const badHeaders = (): ApiError =>
  new ApiError(500, {
    code: 'PGRST111',
    message: 'response.headers guc must be a JSON array composed of objects with a single key and a string value',
  });

const badStatus = (): ApiError =>
  new ApiError(500, { code: 'PGRST112', message: 'response.status guc must be a valid status code' });

/** The status, read as far as there are digits. Throws PGRST112. */
export function overrideStatus(setting: string | null, status: number): number {
  if (setting === null) return status;
  const digits = /^\d+/.exec(setting);
  const override = Number(digits?.[0]);
  if (!isFinalStatus(override)) throw badStatus();
  return override;
}

/** The headers, those of the setting in place of ours with the same name. Throws PGRST111. */
export function overrideHeaders(setting: string | null, headers: readonly Header[]): readonly Header[] {
  if (setting === null) return headers;
  const overrides = parse(setting);
  const names = new Set(overrides.map(([name]) => name.toLowerCase()));
  return [...headers.filter(([name]) => !names.has(name.toLowerCase())), ...overrides];
}

function parse(setting: string): Header[] {
  let list: unknown;
  try {
    list = JSON.parse(setting);
  } catch {
    throw badHeaders();
  }
  if (!Array.isArray(list)) throw badHeaders();
  return list.map((item: unknown): Header => {
    const [pair, ...more] =
      typeof item === 'object' && item !== null && !Array.isArray(item) ? Object.entries(item) : [];
    if (pair === undefined || more.length > 0) throw badHeaders();
    const [name, value]: [string, unknown] = pair;
    if (typeof value !== 'string' || !isHeader(name, value)) throw badHeaders();
    return [name, byteString(value)];
  });
}
