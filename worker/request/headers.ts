/** Request headers as RawRequest has them: lower-case names, byte strings. */

type Headers = readonly (readonly [string, string])[];

/** The first value of a header; null without one. */
export function headerValue(headers: Headers, name: string): string | null {
  for (const [key, value] of headers) if (key === name) return value;
  return null;
}

/**
 * The token of `Authorization: Bearer <token>`, the scheme in any case, as a byte string; null without that scheme,
 * '' when nothing follows it.
 */
export function bearerToken(headers: Headers): string | null {
  const value = headerValue(headers, 'authorization');
  if (value === null || value.slice(0, 6).toLowerCase() !== 'bearer') return null;
  const isBlank = (at: number): boolean => {
    const byte = value.charCodeAt(at);
    return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d) || byte === 0xa0;
  };
  if (value.length > 6 && !isBlank(6)) return null;
  let start = 6;
  while (isBlank(start)) start++;
  return value.slice(start);
}

/** The bearer token; with `EDGEREST_APIKEY_HEADER`, where there is no Authorization, what `apikey` holds (supabase-js). */
export function tokenOf(headers: Headers, apikey: boolean): string | null {
  if (!apikey || headerValue(headers, 'authorization') !== null) return bearerToken(headers);
  return headerValue(headers, 'apikey');
}

/** The cookies of a Cookie header: leading blanks dropped from names, double quotes around values taken off. */
export function parseCookies(header: string): readonly (readonly [string, string])[] {
  const cookies: [string, string][] = [];
  const parts = header.split(';');
  // A semicolon at the very end begins no further cookie.
  if (parts.at(-1) === '') parts.pop();
  for (const part of parts) {
    const equals = part.indexOf('=');
    const name = equals < 0 ? part : part.slice(0, equals);
    const value = equals < 0 ? '' : part.slice(equals + 1);
    let start = 0;
    while (name.charCodeAt(start) === 0x20) start++;
    const isQuoted = value.length > 1 && value.startsWith('"') && value.endsWith('"');
    cookies.push([name.slice(start), isQuoted ? value.slice(1, -1) : value]);
  }
  return cookies;
}
