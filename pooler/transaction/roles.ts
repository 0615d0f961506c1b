/** Which roles a request may have, and what each brings along. */
import { type Refused, refuse } from '../../shared/hop/codec.ts';
import type { IsolationLevel } from '../../shared/snapshot/types.ts';

/** What the catalog says of a role that the login role is a member of. */
export interface RoleFact {
  /** Superuser or BYPASSRLS: row-level security does not hold it. */
  readonly privileged: boolean;
  /** Its settings (ALTER ROLE … SET) that the login role may set, in the order of the catalog. */
  readonly settings: readonly (readonly [string, string])[];
  /** Its `default_transaction_isolation`. */
  readonly isolation: IsolationLevel | null;
}

/** The roles as they were at the last load. */
export interface RoleFacts {
  /** The role that the connections log in as. */
  readonly login: string;
  /** By name. A role that is not here was made since, or the login role is no member of it. */
  readonly roles: ReadonlyMap<string, RoleFact>;
  /** The session's own defaults are read committed and read write, so that an implicit transaction has them. */
  readonly plainDefaults: boolean;
  /** Whether the login role inherits what its roles may do: then forgetting to switch would go unnoticed. */
  readonly inherits: boolean;
}

/**
 * `switch`: this role, of which `fact` is known. `guard`: it is not known yet whether the role is privileged, which has to be
 * asked in the same flight.
 */
export type RoleDecision =
  | { readonly kind: 'switch'; readonly fact: RoleFact | null }
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

/**
 * The rule for a role in a process that verified the token itself: membership decides, as in PostgREST. What would leave
 * the statements running as the login role is never sent.
 */
export function decideTrusted(role: string, facts: RoleFacts): RoleDecision {
  if (isNoRole(role)) return refused('A request needs a role.');
  return { kind: 'switch', fact: facts.roles.get(role) ?? null };
}

/** The rule for a role that came over the hop: also neither the login role nor a privileged one, unless it is named. */
export function decideForeign(role: string, facts: RoleFacts, allowed: AllowedRoles): RoleDecision {
  if (isNoRole(role)) return refused('A request needs a role.');
  if (!allowed.allows(role)) return refused('EDGEREST_ALLOWED_ROLES does not list this role.');
  const fact = facts.roles.get(role) ?? null;
  if (allowed.names(role)) return { kind: 'switch', fact };
  if (role === facts.login) return refused('The login role is not for requests; EDGEREST_ALLOWED_ROLES may name it.');
  if (fact === null) return { kind: 'guard' };
  if (fact.privileged) {
    return refused('Superusers and roles with BYPASSRLS are not for requests; EDGEREST_ALLOWED_ROLES may name them.');
  }
  return { kind: 'switch', fact };
}
