/**
 * `jwt-role-claim-key`: where in the claims the role stands. RFC 9535 paths of names and indexes (`$.app.roles[0]`,
 * `$['https://example.com/role']`), and PostgREST's older form (`.app.roles[0]`, ending in a filter like
 * `[?(@ ^== "prefix")]`).
 */

type Match = '==' | '!=' | '^==' | '==^' | '*==';
type Step =
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'index'; readonly index: number }
  | { readonly kind: 'filter'; readonly match: Match; readonly text: string };

/** A parsed path. */
export type RolePath = readonly Step[];

const STEP =
  /\.([\p{L}\p{N}_$@-]+)|\."([^"]*)"|\[(-?\d+)\]|\['((?:[^'\\]|\\.)*)'\]|\["((?:[^"\\]|\\.)*)"\]|\[\?\(?\s*@\s*(==\^|==|!=|\^==|\*==)\s*(?:"([^"]*)"|'([^']*)')\s*\)?\]/uy;

/** Parses a path; null where it is neither of the two forms. The empty path has no steps and is refused too. */
export function parseRolePath(text: string): RolePath | null {
  const source = text.trim();
  const steps: Step[] = [];
  let at = source.startsWith('$') ? 1 : 0;
  while (at < source.length) {
    STEP.lastIndex = at;
    const m = STEP.exec(source);
    if (!m || steps.at(-1)?.kind === 'filter') return null;
    at = STEP.lastIndex;
    const name = m[1] ?? m[2] ?? m[4]?.replace(/\\(.)/g, '$1') ?? m[5]?.replace(/\\(.)/g, '$1');
    if (name !== undefined) steps.push({ kind: 'name', name });
    else if (m[3] !== undefined) steps.push({ kind: 'index', index: Number(m[3]) });
    else steps.push({ kind: 'filter', match: toMatch(m[6]), text: m[7] ?? m[8] ?? '' });
  }
  return steps.length > 0 ? steps : null;
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

const isObject = (v: unknown): v is Readonly<Record<string, unknown>> =>
  v !== null && typeof v === 'object' && !Array.isArray(v);

/** The role that the path finds: a text as it is, another value as JSON; null without one. */
export function roleAt(path: RolePath, claims: unknown): string | null {
  let value: unknown = claims;
  for (const step of path) {
    if (step.kind === 'name') value = isObject(value) && Object.hasOwn(value, step.name) ? value[step.name] : undefined;
    else if (!Array.isArray(value)) return null;
    else if (step.kind === 'index') value = value.at(step.index);
    else value = value.find((v) => typeof v === 'string' && matches(step.match, step.text, v));
    if (value === undefined) return null;
  }
  return typeof value === 'string' ? value : JSON.stringify(value);
}
