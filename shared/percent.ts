/** Percent-encoding, RFC 3986, section 2.1. */

function hexValue(unit: number): number {
  if (unit >= 0x30 && unit <= 0x39) return unit - 0x30;
  const lower = unit | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/** Percent-decodes a byte string; what is no escape stays as it is. `plusIsSpace` for queries and forms. */
export function percentDecode(text: string, plusIsSpace: boolean): string {
  if (!text.includes('%') && !(plusIsSpace && text.includes('+'))) return text;
  let decoded = '';
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit === 0x25) {
      const high = hexValue(text.charCodeAt(at + 1));
      const low = hexValue(text.charCodeAt(at + 2));
      if (high >= 0 && low >= 0) {
        decoded += String.fromCharCode(high * 16 + low);
        at += 2;
        continue;
      }
    }
    decoded += plusIsSpace && unit === 0x2b ? ' ' : text.charAt(at);
  }
  return decoded;
}
