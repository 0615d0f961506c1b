/** Which roles a request may have, and what each brings along. */
import { type Refused, refuse } from '../hop/codec.ts';
import { privilegedRole } from './failures.ts';
import type { RoleFacts } from './role-facts.ts';

/** `guard`: whether the role is privileged is not known, and has to be asked in the same flight. */
export type RoleDecision =
  | { readonly kind: 'switch' }
  | { readonly kind: 'guard' }
  | { readonly kind: 'refused'; readonly failure: Refused };

const refused = (message: string): RoleDecision => ({ kind: 'refused', failure: refuse(403, 'role', message) });

/** `service_*` with `*` for any characters. */
function patternOf(text: string): RegExp {
  const parts = text.split('*').map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 's');
}

/** `EDGEREST_ALLOWED_ROLES`: names, which may be of privileged roles, and patterns, which never match these. */
export class AllowedRoles {
  readonly #names: ReadonlySet<string>;
  readonly #patterns: readonly RegExp[];
  readonly #anonymous: string | null;

  constructor(allowed: readonly string[], anonymous: string | null) {
    const entries = allowed.filter((entry) => entry !== '');
    this.#names = new Set(entries.filter((entry) => !entry.includes('*')));
    this.#patterns = entries.filter((entry) => entry.includes('*')).map(patternOf);
    this.#anonymous = anonymous;
  }

  /** Without a list every role is allowed that is not privileged; the anonymous one needs no entry. */
  allows(role: string): boolean {
    if (this.#names.size === 0 && this.#patterns.length === 0) return true;
    return this.names(role) || role === this.#anonymous || this.#patterns.some((pattern) => pattern.test(role));
  }

  /** Whether the list names the role exactly. */
  names(role: string): boolean {
    return this.#names.has(role);
  }
}

/** NULL, '' and `none` are taken by set_config and leave the statement running as the login role. */
const isNoRole = (role: string): boolean => role === '' || role === 'none';

/** Roles of which a flight has found that they are not privileged; more than this is not worth remembering. */
const HARMLESS_LIMIT = 10_000;

/** The rule for roles, with what was learnt since the facts were loaded. */
export class RoleRule {
  readonly #facts: RoleFacts;
  /** Null where the process verified the token itself: membership decides, as in PostgREST. */
  readonly #allowed: AllowedRoles | null;
  readonly #harmless = new Set<string>();

  constructor(facts: RoleFacts, allowed: AllowedRoles | null) {
    this.#facts = facts;
    this.#allowed = allowed;
  }

  /**
   * Whether requests may run as the role. What would leave the statements running as the login role is never sent. A role
   * that came over the hop may also be neither the login role nor a privileged one, unless it is named; one that is not
   * known as privileged is asked for in its first flight, since it may have been made after the facts were loaded.
   */
  decide(role: string): RoleDecision {
    if (isNoRole(role)) return refused('A request needs a role.');
    const allowed = this.#allowed;
    if (allowed === null || this.#harmless.has(role)) return { kind: 'switch' };
    if (!allowed.allows(role)) return refused('EDGEREST_ALLOWED_ROLES does not list this role.');
    if (allowed.names(role)) return { kind: 'switch' };
    if (role === this.#facts.login) return refused('The login role is not for requests.');
    if (this.#facts.refused.has(role)) return { kind: 'refused', failure: privilegedRole };
    return { kind: 'guard' };
  }

  /** A flight with the guard has passed. */
  passed(role: string): void {
    if (this.#harmless.size < HARMLESS_LIMIT) this.#harmless.add(role);
  }
}
