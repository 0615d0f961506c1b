/**
 * JSON text in the form that PostgREST gives `request.jwt.claims`: compact, keys sorted, and every number with the
 * digits that the token carries, also those beyond 2^53.
 */

interface SourceText {
  readonly source?: string;
}
/** ECMAScript's JSON.parse with source text access and JSON.rawJSON, which the type library does not know yet. */
interface LosslessJson {
  parse(text: string, reviver: (key: string, value: unknown, context: SourceText) => unknown): unknown;
  rawJSON(text: string): unknown;
  isRawJSON(value: unknown): boolean;
}
const isLossless = (json: object): json is LosslessJson => 'rawJSON' in json && 'isRawJSON' in json;

/** Parses JSON; numbers are kept as raw JSON where the runtime can, so that canonicalJson writes their own digits. */
export function parseLossless(text: string): unknown {
  const json: object = JSON;
  if (!isLossless(json)) return JSON.parse(text);
  return json.parse(text, (_key, value, context) =>
    typeof value === 'number' && context.source !== undefined ? json.rawJSON(canonicalNumber(context.source)) : value,
  );
}

/**
 * A number as aeson writes a Scientific: integers in plain digits, fractions with at least one decimal,
 * an exponent outside [0.1, 10^7).
 */
function canonicalNumber(source: string): string {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(source);
  if (!match) return source;
  const [, sign = '', whole = '0', fraction = '', exponentText = '0'] = match;
  const exponent = Number(exponentText) - fraction.length;
  if (exponent > 1024 || exponent < -1024) return source;
  const digits = (whole + fraction).replace(/^0+(?=\d)/, '');
  if (exponent >= 0) return digits === '0' ? '0' : `${sign}${digits}${'0'.repeat(exponent)}`;
  const significant = digits.replace(/0+$/, '');
  if (significant === '') return `${sign}0.0`;
  const point = digits.length + exponent; // digits in front of the decimal point
  if (point < 0 || point > 7) return `${sign}${significant[0]}.${significant.slice(1) || '0'}e${point - 1}`;
  const padded = significant.padEnd(point, '0');
  return `${sign}${padded.slice(0, point) || '0'}.${padded.slice(point) || '0'}`;
}

/** Writes a parsed value compactly with its objects' keys sorted. */
export function canonicalJson(value: unknown): string {
  const json: object = JSON;
  const raw = isLossless(json) ? json.isRawJSON.bind(json) : () => false;
  const write = (v: unknown): string => {
    if (v === null || typeof v !== 'object' || raw(v)) return JSON.stringify(v);
    if (Array.isArray(v)) return `[${v.map(write).join(',')}]`;
    const entries = Object.entries(v).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    return `{${entries.map(([k, item]) => `${JSON.stringify(k)}:${write(item)}`).join(',')}}`;
  };
  return write(value);
}

/**
 * Whether an object's text has two members of one name on its top level. RFC 7519, section 4: names of claims must be
 * unique; two programs may otherwise read two different roles from one token. `text` is valid JSON.
 */
export function hasDuplicateNames(text: string): boolean {
  const names = new Set<string>();
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const c = text[at];
    if (c === '{' || c === '[') depth++;
    else if (c === '}' || c === ']') depth--;
    else if (c === '"') {
      const end = endOfString(text, at);
      if (depth === 1 && isName(text, end + 1)) {
        const name: unknown = JSON.parse(text.slice(at, end + 1));
        if (typeof name !== 'string' || names.has(name)) return true;
        names.add(name);
      }
      at = end;
    }
  }
  return false;
}

/** Whether a colon follows: the string before it is a name. */
function isName(text: string, after: number): boolean {
  let at = after;
  while (text[at] === ' ' || text[at] === '\n' || text[at] === '\r' || text[at] === '\t') at++;
  return text[at] === ':';
}

/** The place of the quote that ends the string which begins at `start`. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at;
}
