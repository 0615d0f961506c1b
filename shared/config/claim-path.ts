/**
 * `jwt-role-claim-key` and `edgerest-queue-key`: where in the claims something stands. An RFC 9535 JSONPath (`$.app.roles[0]`,
 * `$['https://example.com/role']`, `$.roles[?search(@, '^app_')]`), or PostgREST's older, deprecated form (`.app.roles[0]`,
 * which may end in a filter like `[?(@ ^== "prefix")]`).
 */
import { type JsonValue as Json, query } from 'jsonpath-rfc9535';
import parseJsonPath from 'jsonpath-rfc9535/parser';

export type { Json };

type Match = '==' | '!=' | '^==' | '==^' | '*==';
type Step =
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'index'; readonly index: number }
  | { readonly kind: 'filter'; readonly match: Match; readonly text: string };

/** A parsed path. */
export type ClaimPath =
  | { readonly kind: 'json-path'; readonly source: string }
  | { readonly kind: 'deprecated'; readonly steps: readonly Step[] };

/** `$.role`, PostgREST's default. */
export const DEFAULT_ROLE_PATH: ClaimPath = { kind: 'json-path', source: '$.role' };

/** Parses a path; null where it is neither of the two forms. */
export function parseClaimPath(text: string): ClaimPath | null {
  if (text.startsWith('.')) {
    const steps = parseDeprecated(text);
    return steps === null ? null : { kind: 'deprecated', steps };
  }
  try {
    parseJsonPath(text);
    return { kind: 'json-path', source: text };
  } catch {
    return null;
  }
}

const STEP = /\.(?:([\p{L}\p{N}_$@]+)|"([^"]*)")|\[(\d+)\]|\[\?\(@\s*(==\^|==|!=|\^==|\*==)\s*"([^"]*)"\)\]/uy;

function parseDeprecated(text: string): readonly Step[] | null {
  const steps: Step[] = [];
  let at = 0;
  while (at < text.length) {
    STEP.lastIndex = at;
    const m = STEP.exec(text);
    // A filter is the last step.
    if (!m || steps.at(-1)?.kind === 'filter') return null;
    at = STEP.lastIndex;
    const name = m[1] ?? m[2];
    if (name !== undefined) steps.push({ kind: 'name', name });
    else if (m[3] !== undefined) steps.push({ kind: 'index', index: Number(m[3]) });
    else steps.push({ kind: 'filter', match: toMatch(m[4]), text: m[5] ?? '' });
  }
  return steps;
}

function toMatch(text: string | undefined): Match {
  switch (text) {
    case '!=':
    case '^==':
    case '==^':
    case '*==':
      return text;
    default:
      return '==';
  }
}

function matches(match: Match, text: string, value: string): boolean {
  switch (match) {
    case '==':
      return value === text;
    case '!=':
      return value !== text;
    case '^==':
      return value.startsWith(text);
    case '==^':
      return value.endsWith(text);
    case '*==':
      return value.includes(text);
  }
}

/** Whether a value is a JSON object. */
export const isObject = (v: Json | undefined): v is { [name: string]: Json } =>
  v !== undefined && v !== null && typeof v === 'object' && !Array.isArray(v);

function follow(steps: readonly Step[], claims: Json): Json | undefined {
  let value: Json | undefined = claims;
  for (const step of steps) {
    if (step.kind === 'name') value = isObject(value) && Object.hasOwn(value, step.name) ? value[step.name] : undefined;
    else if (!Array.isArray(value)) return undefined;
    else if (step.kind === 'index') value = value[step.index];
    else value = value.find((v) => typeof v === 'string' && matches(step.match, step.text, v));
  }
  return value;
}

/** What the path finds, the first of several: a text as it is, another value as JSON; null without one. */
export function claimAt(path: ClaimPath, claims: Json): string | null {
  const value = path.kind === 'json-path' ? query(claims, path.source)[0] : follow(path.steps, claims);
  if (value === undefined) return null;
  return typeof value === 'string' ? value : JSON.stringify(value);
}
