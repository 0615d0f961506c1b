/** Ranges of code points, first and last. */
type Ranges = readonly (readonly [number, number])[];

// RFC 3454, tables C.1.2 and B.1.
const nonAsciiSpaces: Ranges = [
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200b],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
];
const mappedToNothing: Ranges = [
  [0xad, 0xad],
  [0x34f, 0x34f],
  [0x1806, 0x1806],
  [0x180b, 0x180d],
  [0x200c, 0x200d],
  [0x2060, 0x2060],
  [0xfe00, 0xfe0f],
  [0xfeff, 0xfeff],
];
// Tables C.2.1 to C.9. Controls, surrogates, private use and non-characters go by their Unicode property.
const byProperty = /[\p{Cc}\p{Cs}\p{Co}\p{Noncharacter_Code_Point}]/u;
const prohibited: Ranges = [
  [0x340, 0x341],
  [0x6dd, 0x6dd],
  [0x70f, 0x70f],
  [0x180e, 0x180e],
  [0x200c, 0x200f],
  [0x2028, 0x202e],
  [0x2060, 0x2063],
  [0x206a, 0x206f],
  [0x2ff0, 0x2ffb],
  [0xfeff, 0xfeff],
  [0xfff9, 0xfffd],
  [0x1d173, 0x1d17a],
  [0xe0001, 0xe0001],
  [0xe0020, 0xe007f],
];

/**
 * A password as SCRAM hashes it (RFC 4013). Like libpq and the server, one that SASLprep prohibits is taken as it is.
 *
 * Two of its rules are left out: code points that were unassigned in Unicode 3.2 and mixed writing directions (RFC 3454, sections 6 and
 * 7). A password that breaks one of them is normalised here and taken as it is by the server, which differs only if it is not in
 * normal form KC.
 */
export function saslPrepared(password: string): string {
  if (/^[ -~]*$/.test(password)) return password;
  let mapped = '';
  for (const character of password) {
    const code = character.codePointAt(0) ?? 0;
    if (within(nonAsciiSpaces, code)) mapped += ' ';
    else if (!within(mappedToNothing, code)) mapped += character;
  }
  mapped = mapped.normalize('NFKC');
  if (mapped === '' || byProperty.test(mapped)) return password;
  for (const character of mapped) if (within(prohibited, character.codePointAt(0) ?? 0)) return password;
  return mapped;
}

function within(ranges: Ranges, code: number): boolean {
  return ranges.some(([first, last]) => code >= first && code <= last);
}
