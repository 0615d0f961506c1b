/**
 * The statement that gives a transaction its role and its settings: PostgREST's, in PostgREST's order. Values are always
 * parameters; the text depends on the shape alone, so that the database prepares it once.
 */
import type { Config } from '../config/resolve.ts';
import { quoteIdent } from '../sql/identifiers.ts';

/** Names and values, e.g. a role's or a function's settings. */
export type Settings = readonly (readonly [string, string])[];

export interface TransactionSettings {
  readonly schema: string;
  readonly role: string;
  readonly roleSettings: Settings;
  readonly claims: string;
  readonly method: string;
  readonly path: string;
  readonly headers: string;
  readonly cookies: string;
  readonly timezone: string | null;
  readonly functionSettings: Settings;
  /** Sets `transaction_read_only`, for a transaction whose beginning does not say it. */
  readonly readOnly: boolean;
}

export interface SettingsStatement {
  readonly text: string;
  readonly parameters: readonly string[];
}

/** Texts that are kept: shapes differ by a few counts, so this is only reached by messages made to reach it. */
const TEXT_LIMIT = 500;

/** Writes the settings' statement for one configuration. */
export class SettingsWriter {
  readonly #extraSearchPath: string;
  readonly #searchPaths: ReadonlyMap<string, string>;
  readonly #appSettings: Settings;
  readonly #texts = new Map<string, string>();

  constructor(config: Pick<Config, 'dbSchemas' | 'dbExtraSearchPath' | 'appSettings'>) {
    // In a search_path a name may be empty (`public,,other`): nothing is found there.
    const names = config.dbExtraSearchPath.map((schema) => (schema === '' ? '""' : quoteIdent(schema)));
    this.#extraSearchPath = names.map((name) => `, ${name}`).join('');
    this.#searchPaths = new Map(config.dbSchemas.map((schema) => [schema, this.#searchPath(schema)]));
    this.#appSettings = config.appSettings;
  }

  #searchPath(schema: string): string {
    return quoteIdent(schema) + this.#extraSearchPath;
  }

  write(settings: TransactionSettings): SettingsStatement {
    const { schema, roleSettings, functionSettings, timezone, readOnly } = settings;
    // Role settings go before the role: GRANT SET on a parameter is then needed for the login role alone (PostgREST #3045).
    const parameters: string[] = [this.#searchPaths.get(schema) ?? this.#searchPath(schema)];
    for (const [name, value] of roleSettings) parameters.push(name, value);
    parameters.push(settings.role, settings.claims, settings.method, settings.path, settings.headers, settings.cookies);
    if (timezone !== null) parameters.push(timezone);
    for (const [name, value] of functionSettings) parameters.push(name, value);
    for (const [name, value] of this.#appSettings) parameters.push(name, value);

    const key = `${roleSettings.length} ${functionSettings.length} ${timezone !== null} ${readOnly}`;
    let text = this.#texts.get(key);
    if (text === undefined) {
      text = this.#text(roleSettings.length, functionSettings.length, timezone !== null, readOnly);
      if (this.#texts.size < TEXT_LIMIT) this.#texts.set(key, text);
    }
    return { text, parameters };
  }

  #text(roleSettings: number, functionSettings: number, timezone: boolean, readOnly: boolean): string {
    const calls: string[] = [];
    let parameter = 0;
    // Always qualified: a search_path that a function left behind could put another set_config in front.
    const set = (name: string): number => calls.push(`pg_catalog.set_config(${name}, $${++parameter}, true)`);
    const setNamed = (count: number): void => {
      for (let i = 0; i < count; i++) set(`$${++parameter}`);
    };
    if (readOnly) calls.push(`pg_catalog.set_config('transaction_read_only', 'on', true)`);
    set(`'search_path'`);
    setNamed(roleSettings);
    set(`'role'`);
    set(`'request.jwt.claims'`);
    set(`'request.method'`);
    set(`'request.path'`);
    set(`'request.headers'`);
    set(`'request.cookies'`);
    if (timezone) set(`'timezone'`);
    setNamed(functionSettings);
    setNamed(this.#appSettings.length);
    return `select ${calls.join(', ')}`;
  }
}
