/** The configuration that is in the database: settings of the login role, and those of the function `db-pre-config`. */
import type { Sql, TransactionSql } from 'postgres';
import { parameters, settingOf } from '../../shared/config/parameters.ts';
import { type QualifiedIdentifier, quoteQualified } from '../../shared/sql/identifiers.ts';

/** The parameters that may be set there, by the setting's name. */
const namesBySetting: ReadonlyMap<string, string> = new Map(
  Object.values(parameters)
    .filter((parameter) => parameter.inDatabase)
    .map(({ name }) => [settingOf(name), name]),
);

// What is for this database alone comes last, since it is stronger. ALTER DATABASE … SET is no role's and does not count.
const ROLE_SETTINGS = `
SELECT pg_catalog.json_agg(pg_catalog.json_build_array(
    pg_catalog.split_part(u.setting, '=', 1),
    pg_catalog.substr(u.setting, pg_catalog.strpos(u.setting, '=') + 1)
  ) ORDER BY s.setdatabase)::pg_catalog.text
FROM pg_catalog.pg_db_role_setting s
CROSS JOIN pg_catalog.unnest(s.setconfig) AS u(setting)
WHERE s.setrole = (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = CURRENT_USER)
  AND s.setdatabase IN (0, (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()))`;

const SESSION_SETTINGS = `
SELECT pg_catalog.json_agg(pg_catalog.json_build_array(n.name, pg_catalog.current_setting(n.name, true)))::pg_catalog.text
FROM pg_catalog.unnest(pg_catalog.string_to_array($1, ',')) AS n(name)
WHERE pg_catalog.current_setting(n.name, true) IS NOT NULL`;

type Row = readonly [setting: string, value: string];

async function settingsOf(
  transaction: TransactionSql,
  text: string,
  parameters: string[] = [],
): Promise<ReadonlyMap<string, string>> {
  const [row] = await transaction.unsafe(text, parameters).values();
  const json: unknown = row?.[0];
  const rows: readonly Row[] = typeof json === 'string' ? JSON.parse(json) : [];
  return new Map(
    rows.flatMap(([setting, value]): readonly (readonly [string, string])[] => {
      const name = namesBySetting.get(setting);
      return name === undefined ? [] : [[name, value]];
    }),
  );
}

/**
 * Reads what the database sets, by the parameters' names. The strongest is `ALTER ROLE … IN DATABASE … SET pgrst.…`, then
 * `ALTER ROLE … SET`, then what the function sets, which these may name as well. Throws PostgreSQL's error.
 */
export async function readDatabaseSettings(
  sql: Sql,
  preConfig: QualifiedIdentifier | null,
): Promise<ReadonlyMap<string, string>> {
  return await sql.begin('read only', async (transaction) => {
    const ofRole = await settingsOf(transaction, ROLE_SETTINGS);
    const named = ofRole.get('db-pre-config');
    const parsed = named ? parameters.dbPreConfig.parse(named) : null;
    const routine = parsed?.ok ? parsed.value : preConfig;
    if (routine === null) return ofRole;
    await transaction.unsafe(`SELECT ${quoteQualified(routine)}()`);
    const ofSession = await settingsOf(transaction, SESSION_SETTINGS, [[...namesBySetting.keys()].join(',')]);
    return new Map([...ofSession, ...ofRole]);
  });
}
