/** What the command line has to say of `jwt-role-claim-key`. */
import { type ClaimPath, parseClaimPath } from '../../shared/config/claim-path.ts';
import type { Config } from '../../shared/config/resolve.ts';

type Step = Extract<ClaimPath, { kind: 'deprecated' }>['steps'][number];
type Filter = Extract<Step, { kind: 'filter' }>;

const quoted = (text: string): string => JSON.stringify(text);
/** Text as an I-Regexp (RFC 9485) that matches it. */
const literally = (text: string): string => text.replace(/[.*+?|()[\]{}\\^$]/g, '\\$&');

function condition({ match, text }: Filter): string {
  switch (match) {
    case '==':
    case '!=':
      return `@ ${match} ${quoted(text)}`;
    case '^==':
      return `search(@, ${quoted(`^${literally(text)}`)})`;
    case '==^':
      return `search(@, ${quoted(`${literally(text)}$`)})`;
    case '*==':
      return `search(@, ${quoted(literally(text))})`;
    default:
      return match satisfies never;
  }
}

/** The same path as RFC 9535 writes it. */
function jsonPath(steps: readonly Step[]): string {
  const parts = steps.map((step) => {
    if (step.kind === 'index') return `[${step.index}]`;
    if (step.kind === 'filter') return `[?${condition(step)}]`;
    return /^[\p{L}_][\p{L}\p{N}_]*$/u.test(step.name) ? `.${step.name}` : `[${quoted(step.name)}]`;
  });
  return `$${parts.join('')}`;
}

/** Warns of a path in the old form. */
export function rolePathWarnings({ jwtRoleClaimKey: text }: Config): readonly string[] {
  const path = parseClaimPath(text);
  if (path?.kind !== 'deprecated') return [];
  const better = jsonPath(path.steps);
  return [`jwt-role-claim-key is in an old form, which PostgREST is about to drop. As JSONPath it is ${better}.`];
}

/** The path as `--dump-config` shows it: an old one with every name in quotes, as PostgREST does. */
export function showRolePath(text: string): string {
  const path = parseClaimPath(text);
  if (path?.kind !== 'deprecated') return text.replaceAll('$', '$$$$');
  const parts = path.steps.map((step) => {
    if (step.kind === 'index') return `[${step.index}]`;
    return step.kind === 'name' ? `."${step.name}"` : `[?(@ ${step.match} "${step.text}")]`;
  });
  return parts.join('');
}
