/** Text as the bytes of headers. */

const encoder = new TextEncoder();

/** UTF-8 bytes. */
export const utf8 = (text: string): Uint8Array => encoder.encode(text);

const BEYOND_ASCII = /[^ -~\t]/;

/**
 * A header's value as a byte string: characters beyond ASCII become their UTF-8 bytes, control characters blanks
 * (RFC 9110, 5.5 Field Values: CR, LF and NUL are replaced with SP).
 */
export function byteString(text: string): string {
  if (!BEYOND_ASCII.test(text)) return text;
  let value = '';
  for (const byte of encoder.encode(text)) value += byte < 0x20 || byte === 0x7f ? ' ' : String.fromCharCode(byte);
  return value;
}

// RFC 9110, 5.6.2 Tokens.
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const FORBIDDEN = new Set(['\r', '\n', '\0']);

/** Whether name and value can be a header at all. */
export function isHeader(name: string, value: string): boolean {
  if (!TOKEN.test(name)) return false;
  for (const character of value) if (FORBIDDEN.has(character)) return false;
  return true;
}

/** Whether a number can be the status of a final response. */
export const isFinalStatus = (status: number): boolean => Number.isInteger(status) && status >= 200 && status <= 999;
