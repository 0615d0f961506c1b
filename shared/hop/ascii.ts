/** JSON that fits in an HTTP header. */

/** DEL and everything beyond ASCII; JSON.stringify itself escapes the other control characters. */
const NOT_ASCII = /[\u007f-\uffff]/g;

const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** JSON text in which every character outside printable ASCII is a `\u` escape: safe as a field value (RFC 9110, 5.5). */
export function encodeAsciiJson(value: unknown): string {
  const text = JSON.stringify(value);
  return text.search(NOT_ASCII) < 0 ? text : text.replace(NOT_ASCII, escaped);
}
