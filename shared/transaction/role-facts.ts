/** What the database says of roles: their settings and isolation, and which of them must never be switched to. */
import { isolationLevel } from '../snapshot/build.ts';
import type { IsolationLevel } from '../snapshot/types.ts';

export interface RoleFacts {
  /** The role that we log in as. */
  readonly login: string;
  /** Settings (ALTER ROLE … SET) of the roles granted to the login role that it may set, but for the isolation level. */
  readonly settings: ReadonlyMap<string, readonly (readonly [string, string])[]>;
  /** Their `default_transaction_isolation`. */
  readonly isolation: ReadonlyMap<string, IsolationLevel>;
  /** Superusers, roles with BYPASSRLS and the login role itself. */
  readonly refused: ReadonlySet<string>;
  /** Roles whose privileges the login role has without switching to them: it should be NOINHERIT. All, for a superuser. */
  readonly inherits: readonly string[];
}

/** has_parameter_privilege() and GRANT SET ON PARAMETER came with this version. */
const PARAMETER_PRIVILEGES = 150000;

// Only what the login role may set is asked for: another setting would make every request of the role fail.
// Grants by several grantors are one membership each since PostgreSQL 16.
/** Settings of roles, as one cell of JSON: PostgreSQL 15 and later say more than earlier ones of what may be set. */
export const roleSettingsQuery = (serverVersion: number): string => `
SELECT pg_catalog.json_agg(pg_catalog.json_build_array(r.rolname, r.name, r.value) ORDER BY r.rolname, r.position)::pg_catalog.text
FROM (
  SELECT g.rolname, u.position,
    pg_catalog.split_part(u.setting, '=', 1) AS name,
    pg_catalog.substr(u.setting, pg_catalog.strpos(u.setting, '=') + 1) AS value
  FROM pg_catalog.pg_roles g
  CROSS JOIN pg_catalog.unnest(g.rolconfig) WITH ORDINALITY AS u(setting, position)
  WHERE g.oid IN (
    SELECT m.roleid
    FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles l ON l.oid = m.member
    WHERE l.rolname = CURRENT_USER
  )
) r
JOIN pg_catalog.pg_settings s ON s.name = r.name
WHERE s.context = 'user'${
  serverVersion >= PARAMETER_PRIVILEGES ? " OR pg_catalog.has_parameter_privilege(s.name, 'SET')" : ''
}`;

/** What there is to know of roles, as one cell of JSON. */
export const ROLES = `
SELECT pg_catalog.json_build_array(
  pg_catalog.current_setting('server_version_num')::pg_catalog.int4,
  CURRENT_USER,
  (
    SELECT pg_catalog.json_agg(rolname) FROM pg_catalog.pg_roles
    WHERE rolsuper OR rolbypassrls OR rolname = CURRENT_USER OR rolname = SESSION_USER
  ),
  (
    SELECT pg_catalog.json_agg(rolname ORDER BY rolname) FROM pg_catalog.pg_roles
    WHERE rolname <> CURRENT_USER AND pg_catalog.pg_has_role(CURRENT_USER, oid, 'USAGE')
  )
)::pg_catalog.text`;

export type RolesRow = readonly [
  serverVersion: number,
  login: string,
  refused: readonly string[],
  inherits: readonly string[] | null,
];
export type RoleSettingRow = readonly [role: string, name: string, value: string];

/** The facts that the two queries' rows amount to; without the second one's, roles have no settings. */
export function roleFacts([, login, refused, inherits]: RolesRow, rows: readonly RoleSettingRow[] | null): RoleFacts {
  const settings = new Map<string, (readonly [string, string])[]>();
  const isolation = new Map<string, IsolationLevel>();
  for (const [role, name, value] of rows ?? []) {
    if (name === 'default_transaction_isolation') isolation.set(role, isolationLevel(value));
    else settings.set(role, [...(settings.get(role) ?? []), [name, value]]);
  }
  return { login, settings, isolation, refused: new Set(refused), inherits: inherits ?? [] };
}
