/** Loads what a pooler would hand out: configuration, roles and snapshot, through the driver that carries requests. */
import {
  databaseSettings,
  preConfigCall,
  preConfigOf,
  ROLE_SETTINGS,
  SESSION_SETTINGS,
  SETTING_NAMES,
} from '../../../shared/config/database-settings.ts';
import { type Config, resolveConfig } from '../../../shared/config/resolve.ts';
import type { CancelSignal } from '../../../shared/hop/cancellation.ts';
import { type DocumentFacts, documentFacts, factsQueries } from '../../../shared/openapi/facts.ts';
import { hasSchemas, MissingSchemaError } from '../../../shared/snapshot/catalog.ts';
import { catalogQueries, EMPTY_SEARCH_PATH } from '../../../shared/snapshot/queries.ts';
import type { CatalogRows, ServerRow } from '../../../shared/snapshot/rows.ts';
import {
  ROLES,
  type RoleFacts,
  type RoleSettingRow,
  type RolesRow,
  roleFacts,
  roleSettingsQuery,
} from '../../../shared/transaction/role-facts.ts';
import { type Batch, type BatchFailure, type BatchStatement, type DatabaseDriver, textOf } from './batch.ts';

/** Where a worker without a pooler has its configuration from: the runtime's bindings, or the environment. */
export type Bindings = Readonly<Record<string, string | undefined>>;

/** Something is wrong with the configuration: a line for each problem. For the log; the client is told that there is something. */
export class BindingsError extends Error {
  override readonly name = 'BindingsError';

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
  }
}

/** The database could not be asked. */
export class LoadError extends Error {
  override readonly name = 'LoadError';

  constructor(failure: BatchFailure) {
    super(failure.kind === 'cancelled' ? 'The database did not answer in time.' : failure.message);
  }
}

/** The configuration of bindings and database. Throws BindingsError. */
export function configOf(env: Bindings, database?: ReadonlyMap<string, string>): Config {
  const { config, errors } = resolveConfig({ env, ...(database && { database }) });
  if (config === null) throw new BindingsError(errors);
  return config;
}

/** What one load gives, but for the keys. */
export interface LoadedCatalog {
  readonly config: Config;
  readonly roles: RoleFacts;
  readonly rows: CatalogRows;
}

const READ_ONLY = { isolation: 'repeatable read', readOnly: true, end: 'commit' } as const;
const statement = (text: string, ...parameters: readonly string[]): BatchStatement => ({ text, parameters });

/** The first cell of each statement's result, as JSON. */
async function cells(
  driver: DatabaseDriver,
  signal: CancelSignal | null,
  statements: readonly BatchStatement[],
  transaction: Batch['transaction'] = READ_ONLY,
): Promise<readonly (string | null)[]> {
  const outcome = await driver.run({ transaction, statements }, signal);
  if (!outcome.ok) throw new LoadError(outcome.failure);
  return outcome.results.map(({ rows }) => textOf(rows.at(-1)?.[0]));
}

function parsed<T>(json: string | null | undefined): T | null {
  return json === null || json === undefined ? null : JSON.parse(json);
}

/** The database's part of the configuration, and the facts about roles but for their settings. */
async function settingsAndRoles(
  driver: DatabaseDriver,
  signal: CancelSignal | null,
  own: Config,
): Promise<{ readonly settings: ReadonlyMap<string, string>; readonly roles: RolesRow }> {
  const [rolesJson, ofRoleJson] = await cells(driver, signal, [statement(ROLES), statement(ROLE_SETTINGS)]);
  const roles = parsed<RolesRow>(rolesJson);
  if (roles === null) throw new Error('The catalog of roles cannot be read.');
  if (!own.dbConfig) return { settings: new Map(), roles };
  const ofRole = databaseSettings(ofRoleJson ?? null);
  const routine = preConfigOf(ofRole, own.dbPreConfig);
  if (routine === null) return { settings: ofRole, roles };
  const asked = [statement(preConfigCall(routine)), statement(SESSION_SETTINGS, SETTING_NAMES)];
  const [, ofSession] = await cells(driver, signal, asked, { ...READ_ONLY, isolation: 'read committed' });
  return { settings: new Map([...databaseSettings(ofSession ?? null), ...ofRole]), roles };
}

/** Loads it all, until the signal says that it takes too long. Throws BindingsError, LoadError or MissingSchemaError. */
export async function loadCatalog(
  driver: DatabaseDriver,
  env: Bindings,
  signal: CancelSignal | null,
): Promise<LoadedCatalog> {
  const { settings, roles } = await settingsAndRoles(driver, signal, configOf(env));
  const config = configOf(env, settings);
  const queries = catalogQueries({
    schemas: config.dbSchemas,
    extraSearchPath: config.dbExtraSearchPath,
    hoistedSettings: config.dbHoistedTxSettings,
  });
  const { server, ...lists } = queries;
  const [roleSettings, , serverJson, ...rest] = await cells(driver, signal, [
    statement(roleSettingsQuery(roles[0])),
    statement(EMPTY_SEARCH_PATH),
    server,
    ...Object.values(lists),
  ]);
  const serverRow = parsed<ServerRow>(serverJson);
  if (!hasSchemas(serverRow, config.dbSchemas)) throw new MissingSchemaError(serverRow, config.dbSchemas);
  const found = new Map(Object.keys(lists).map((name, i) => [name, rest[i]]));
  const list = <K extends Exclude<keyof CatalogRows, 'server'>>(name: K): CatalogRows[K] | [] =>
    parsed<CatalogRows[K]>(found.get(name)) ?? [];
  return {
    config,
    roles: roleFacts(roles, config.dbConfig ? parsed<readonly RoleSettingRow[]>(roleSettings) : null),
    rows: {
      server: serverRow,
      relations: list('relations'),
      constraints: list('constraints'),
      views: list('views'),
      routines: list('routines'),
      computedRelationships: list('computedRelationships'),
      representations: list('representations'),
      mediaHandlers: list('mediaHandlers'),
    },
  };
}

/** Loads what only the OpenAPI document needs; null where it is switched off. Throws LoadError. */
export async function loadDocumentFacts(driver: DatabaseDriver, config: Config): Promise<DocumentFacts | null> {
  const queries = factsQueries(config);
  if (queries === null) return null;
  const [, ...found] = await cells(driver, null, [statement(EMPTY_SEARCH_PATH), ...queries]);
  return documentFacts(config, found);
}
