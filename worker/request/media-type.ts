/** Media types: those with a meaning here, and all others by name. */

import type { MediaType, PlanOption } from './types.ts';

type SimpleKind = 'json' | 'geojson' | 'csv' | 'text' | 'xml' | 'openapi' | 'urlencoded' | 'octet-stream' | 'any';

const NAMES = {
  json: 'application/json',
  geojson: 'application/geo+json',
  csv: 'text/csv',
  text: 'text/plain',
  xml: 'text/xml',
  openapi: 'application/openapi+json',
  urlencoded: 'application/x-www-form-urlencoded',
  'octet-stream': 'application/octet-stream',
  any: '*/*',
} as const satisfies Record<SimpleKind, string>;

const SIMPLE_KINDS: readonly SimpleKind[] = [
  'json',
  'geojson',
  'csv',
  'text',
  'xml',
  'openapi',
  'urlencoded',
  'octet-stream',
  'any',
];

const simpleTypes: ReadonlyMap<string, MediaType> = new Map(SIMPLE_KINDS.map((kind) => [NAMES[kind], { kind }]));

export const JSON_TYPE: MediaType = { kind: 'json' };
const ARRAY_STRIPPED: MediaType = { kind: 'array-stripped' };
const SINGULAR: MediaType = { kind: 'singular', stripped: false };
const SINGULAR_STRIPPED: MediaType = { kind: 'singular', stripped: true };

const PLAN_OPTIONS: readonly PlanOption[] = ['analyze', 'verbose', 'settings', 'buffers', 'wal'];

const letterOrNumber = /[\p{L}\p{N}]/u;

function isAlphanumeric(unit: number): boolean {
  if (unit >= 0x80) return letterOrNumber.test(String.fromCharCode(unit));
  const lower = unit | 0x20;
  return (lower >= 0x61 && lower <= 0x7a) || (unit >= 0x30 && unit <= 0x39);
}

/** Where a run of letters, digits and some other characters ends. */
function runEnd(text: string, start: number, others: string): number {
  let at = start;
  while (at < text.length && (isAlphanumeric(text.charCodeAt(at)) || others.includes(text.charAt(at)))) at++;
  return at;
}

function skipSpaces(text: string, start: number): number {
  let at = start;
  for (; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit !== 0x20 && !(unit >= 0x09 && unit <= 0x0d) && unit !== 0xa0) break;
  }
  return at;
}

/** The parameter at `start`, a semicolon's place: its lower-case name, its value and where it ends; null when malformed. */
function parameterAt(text: string, start: number): { name: string; value: string; end: number } | null {
  const semicolon = skipSpaces(text, start);
  if (text.charAt(semicolon) !== ';') return null;
  const nameStart = skipSpaces(text, semicolon + 1);
  const nameEnd = runEnd(text, nameStart, '-');
  const equals = skipSpaces(text, nameEnd);
  if (nameEnd === nameStart || text.charAt(equals) !== '=') return null;
  const name = text.slice(nameStart, nameEnd).toLowerCase();
  const valueStart = skipSpaces(text, equals + 1);
  if (text.charAt(valueStart) === '"') {
    const close = text.indexOf('"', valueStart + 1);
    return close < 0 ? null : { name, value: text.slice(valueStart + 1, close), end: close + 1 };
  }
  const valueEnd = runEnd(text, valueStart, '|-');
  return valueEnd === valueStart ? null : { name, value: text.slice(valueStart, valueEnd), end: valueEnd };
}

/** Type and subtype in lower case, and the parameters up to the first malformed one (of equal names the last). */
function tokenize(text: string): { type: string; parameters: ReadonlyMap<string, string> } | null {
  const slash = runEnd(text, 0, '.*');
  const end = runEnd(text, slash + 1, '.*+-');
  if (slash === 0 || text.charAt(slash) !== '/' || end === slash + 1) return null;
  const parameters = new Map<string, string>();
  for (let found = parameterAt(text, end); found !== null; found = parameterAt(text, found.end)) {
    parameters.set(found.name, found.value);
  }
  return { type: text.slice(0, end).toLowerCase(), parameters };
}

/** A media type as a header names it (a byte string); one that is not known keeps its name, parameters included. */
export function parseMediaType(text: string): MediaType {
  const exact = simpleTypes.get(text);
  if (exact !== undefined) return exact;
  const tokens = tokenize(text);
  if (tokens === null) return { kind: 'other', name: text };
  const { type, parameters } = tokens;
  const simple = simpleTypes.get(type);
  if (simple !== undefined) return simple;
  const isStripped = parameters.get('nulls') === 'stripped';
  switch (type) {
    case 'application/vnd.pgrst.object':
    case 'application/vnd.pgrst.object+json':
      return isStripped ? SINGULAR_STRIPPED : SINGULAR;
    case 'application/vnd.pgrst.array':
    case 'application/vnd.pgrst.array+json':
      return isStripped ? ARRAY_STRIPPED : JSON_TYPE;
    case 'application/vnd.pgrst.plan':
    case 'application/vnd.pgrst.plan+text':
    case 'application/vnd.pgrst.plan+json': {
      const asked = (parameters.get('options') ?? '').split('|');
      return {
        kind: 'plan',
        for: parseMediaType(parameters.get('for') ?? NAMES.json),
        format: type.endsWith('+json') ? 'json' : 'text',
        options: PLAN_OPTIONS.filter((option) => asked.includes(option)),
      };
    }
    default:
      return { kind: 'other', name: text };
  }
}

/** A media type's name, as text. */
export function mediaTypeName(mediaType: MediaType): string {
  switch (mediaType.kind) {
    case 'array-stripped':
      return 'application/vnd.pgrst.array+json;nulls=stripped';
    case 'singular':
      return `application/vnd.pgrst.object+json${mediaType.stripped ? ';nulls=stripped' : ''}`;
    case 'plan': {
      const { format, options } = mediaType;
      const suffix = options.length === 0 ? '' : `; options=${options.join('|')}`;
      return `application/vnd.pgrst.plan+${format}; for="${mediaTypeName(mediaType.for)}"${suffix}`;
    }
    case 'other':
      return mediaType.name;
    default:
      return NAMES[mediaType.kind];
  }
}
