/** The configuration that is in the database: how it is asked for, and what the answers mean. */
import { type QualifiedIdentifier, quoteQualified } from '../sql/identifiers.ts';
import { parameters, settingOf } from './parameters.ts';

/** The parameters that may be set there, by the setting's name. */
const namesBySetting: ReadonlyMap<string, string> = new Map(
  Object.values(parameters)
    .filter((parameter) => parameter.inDatabase)
    .map(({ name }) => [settingOf(name), name]),
);

/**
 * What is set for the login role, as one cell of JSON. What is for this database alone comes last, since it is stronger. ALTER DATABASE … SET
 * is no role's and does not count.
 */
export const ROLE_SETTINGS = `
SELECT pg_catalog.json_agg(pg_catalog.json_build_array(
    pg_catalog.split_part(u.setting, '=', 1),
    pg_catalog.substr(u.setting, pg_catalog.strpos(u.setting, '=') + 1)
  ) ORDER BY s.setdatabase)::pg_catalog.text
FROM pg_catalog.pg_db_role_setting s
CROSS JOIN pg_catalog.unnest(s.setconfig) AS u(setting)
WHERE s.setrole = (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = CURRENT_USER)
  AND s.setdatabase IN (0, (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()))`;

/** What is set in the transaction, as one cell of JSON; the parameter is SETTING_NAMES. */
export const SESSION_SETTINGS = `
SELECT pg_catalog.json_agg(pg_catalog.json_build_array(n.name, pg_catalog.current_setting(n.name, true)))::pg_catalog.text
FROM pg_catalog.unnest(pg_catalog.string_to_array($1, ',')) AS n(name)
WHERE pg_catalog.current_setting(n.name, true) IS NOT NULL`;

/** The settings that SESSION_SETTINGS is asked for. */
export const SETTING_NAMES: string = [...namesBySetting.keys()].join(',');

type Row = readonly [setting: string, value: string];

/** What a query's cell of JSON sets, by the parameters' names; null for none. */
export function databaseSettings(json: string | null): ReadonlyMap<string, string> {
  const rows: readonly Row[] = json === null ? [] : JSON.parse(json);
  return new Map(
    rows.flatMap(([setting, value]): readonly (readonly [string, string])[] => {
      const name = namesBySetting.get(setting);
      return name === undefined ? [] : [[name, value]];
    }),
  );
}

/** The function that sets configuration, where there is one: the database may name it as well. */
export function preConfigOf(
  ofRole: ReadonlyMap<string, string>,
  preConfig: QualifiedIdentifier | null,
): QualifiedIdentifier | null {
  const named = ofRole.get('db-pre-config');
  const parsed = named ? parameters.dbPreConfig.parse(named) : null;
  return parsed?.ok ? parsed.value : preConfig;
}

/** Calls it. To be followed by SESSION_SETTINGS in the same transaction. */
export const preConfigCall = (routine: QualifiedIdentifier): string => `SELECT ${quoteQualified(routine)}()`;
