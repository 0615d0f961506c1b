/** Text and byte strings: what lies between the bytes of a request and the names and values in it. */

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
const strictUtf8 = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true });
const utf8Encoder = new TextEncoder();

/** The bytes of a byte string (one character a byte). */
export function bytesOfByteString(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** The byte string (one character a byte) of some bytes. */
export function byteStringOfBytes(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return text;
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}

/** Decodes a byte string as UTF-8; bytes that are not become U+FFFD. */
export const decodeByteString = (text: string): string => (isAscii(text) ? text : utf8.decode(bytesOfByteString(text)));

/** Decodes bytes as UTF-8; those that are not become U+FFFD. */
export const decodeBytes = (bytes: Uint8Array): string => utf8.decode(bytes);

/** Decodes bytes as UTF-8; null when they are not. */
export function decodeExactly(bytes: Uint8Array): string | null {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return null;
  }
}

/** Encodes text as UTF-8. */
export const encodeText = (text: string): Uint8Array => utf8Encoder.encode(text);

/** Compares by code points, as UTF-8 bytes compare; JavaScript's own order is by UTF-16 units. */
function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    const xIsSurrogate = x >= 0xd800 && x <= 0xdfff;
    const yIsSurrogate = y >= 0xd800 && y <= 0xdfff;
    // A surrogate stands for a code point above every unit of the basic plane.
    if (xIsSurrogate !== yIsSurrogate) return xIsSurrogate ? 1 : -1;
    return x - y;
  }
  return a.length - b.length;
}

/** The distinct names in code point order. */
export function sortedSet(names: readonly string[]): readonly string[] {
  return names.length < 2 ? names : [...new Set(names)].sort(compareCodePoints);
}

/** Whether a UTF-16 unit is white space: ASCII's and Unicode's space separators, not line and paragraph separators. */
export function isSpace(unit: number): boolean {
  if (unit < 0x80) return unit === 0x20 || (unit >= 0x09 && unit <= 0x0d);
  return (
    unit === 0xa0 ||
    unit === 0x1680 ||
    (unit >= 0x2000 && unit <= 0x200a) ||
    unit === 0x202f ||
    unit === 0x205f ||
    unit === 0x3000
  );
}

/** Text without the white space at both ends. */
export function strip(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isSpace(text.charCodeAt(start))) start++;
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--;
  return end - start === text.length ? text : text.slice(start, end);
}

const CONTROL_NAMES =
  'NUL SOH STX ETX EOT ENQ ACK a b t n v f r SO SI DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US'.split(
    ' ',
  );

/** How PostgREST shows a character in an error: ASCII as it is, all else escaped with its decimal code. */
export function showCharacter(character: string, quote: '"' | "'"): string {
  const code = character.codePointAt(0) ?? 0;
  if (character === quote || character === '\\') return `${quote}\\${character}${quote}`;
  if (code < 0x20) return `${quote}\\${CONTROL_NAMES[code]}${quote}`;
  if (code === 0x7f) return `${quote}\\DEL${quote}`;
  return code < 0x7f ? `${quote}${character}${quote}` : `${quote}\\${code}${quote}`;
}

/** As showCharacter, for a whole byte string: a number's or a name's end is marked with `\&` where it is ambiguous. */
export function showByteString(text: string): string {
  let shown = '"';
  for (let i = 0; i < text.length; i++) {
    const character = text.charAt(i);
    const next = text.charCodeAt(i + 1);
    shown += showCharacter(character, '"').slice(1, -1);
    const code = character.charCodeAt(0);
    if (code > 0x7f && next >= 0x30 && next <= 0x39) shown += '\\&';
    if (code === 0x0e && next === 0x48) shown += '\\&';
  }
  return `${shown}"`;
}
