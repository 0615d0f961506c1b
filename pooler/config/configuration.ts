/** The configuration of a program that runs: read at the start, and again when it may have changed. */
import { readFileSync, statSync } from 'node:fs';
import postgres, { type Sql } from 'postgres';
import type { Parameter } from '../../shared/config/parameters.ts';
import { type Config, type ConfigSources, isSet, type Resolved, resolveConfig } from '../../shared/config/resolve.ts';
import type { QualifiedIdentifier } from '../../shared/sql/identifiers.ts';
import { StartError } from '../start-error.ts';
import { readDatabaseSettings } from './database.ts';
import { ConfigFileError, readConfigFile } from './file.ts';

/** Something is wrong with the configuration. The message has a line for each problem. */
export class ConfigurationError extends StartError {
  override readonly name = 'ConfigurationError';

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
  }
}

/** Where a program has its configuration from. */
export interface ConfigSource {
  /** The one in effect, or about to be. */
  readonly current: Config;
  /**
   * The configuration for a load of the schema cache. With `db-config` it is read anew each time, since a part of it is in the
   * database; without, only where `reread` asks for it. Rejects when there was no complete one yet and this is none.
   */
  read(sql: Sql, reread: boolean): Promise<Config>;
}

export interface ConfigurationOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The path of a file in PostgREST's format. */
  readonly file: string | null;
  /** Judges what the table of parameters cannot. */
  readonly check?: (config: Config) => { readonly errors: readonly string[]; readonly warnings: readonly string[] };
  /** Told, in one line each, of what comes up after the start. */
  readonly report: (message: string) => void;
}

type Texts = ReadonlyMap<string, string>;
const none: Texts = new Map();

/** An error of a statement; what ends the connection, or keeps it from being made, is another matter. */
const isRefusal = (error: unknown): error is postgres.PostgresError =>
  error instanceof postgres.PostgresError && error.severity === 'ERROR';

export class Configuration implements ConfigSource {
  /** What there was to say at the start. */
  readonly warnings: readonly string[];
  /** Whether the environment or the file sets a parameter, as of the start. */
  readonly isSet: <T>(parameter: Parameter<T>) => boolean;
  readonly #options: ConfigurationOptions;
  readonly #started: Config;
  #current: Config;
  /** What the database said last. */
  #database = none;
  /** Whether the database has been asked, where it is to be. */
  #complete = false;
  /** What the last reading had to say. */
  #warnings: readonly string[] = [];
  /** Content of what can be read only once, such as a pipe. */
  readonly #pipes = new Map<string, Buffer>();

  /** Reads environment and file. Throws ConfigurationError. */
  constructor(options: ConfigurationOptions) {
    this.#options = options;
    const file = this.#file();
    const { config, errors, warnings } = this.#resolve(file, none);
    if (config === null) throw new ConfigurationError(errors);
    this.#started = config;
    this.#current = config;
    this.warnings = this.#news(warnings);
    this.isSet = (parameter) => isSet({ env: options.env, file }, parameter);
  }

  get current(): Config {
    return this.#current;
  }

  async read(sql: Sql, reread: boolean): Promise<Config> {
    if (!reread && !this.#current.dbConfig) return this.#current;
    const result = await this.#readAll(sql);
    if (result.config === null) {
      if (!this.#complete) throw new ConfigurationError(result.errors);
      this.#options.report(`Failed reloading config: ${result.errors.join(' ')}`);
      return this.#current;
    }
    this.#complete = true;
    this.#current = result.config;
    for (const warning of this.#news(result.warnings)) this.#options.report(`Warning: ${warning}`);
    return result.config;
  }

  async #readAll(sql: Sql): Promise<Resolved> {
    let file: Texts;
    try {
      file = this.#file();
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      return { config: null, errors: [error.message], warnings: [] };
    }
    const own = this.#resolve(file, none, this.#started);
    if (own.config === null || !own.config.dbConfig) return own;
    this.#database = await this.#askDatabase(sql, own.config.dbPreConfig);
    return this.#resolve(file, this.#database, this.#started);
  }

  /** A refusal is told, and what the database said before counts. PostgREST goes on without it. */
  async #askDatabase(sql: Sql, preConfig: QualifiedIdentifier | null): Promise<Texts> {
    try {
      return await readDatabaseSettings(sql, preConfig);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      this.#options.report(`Failed to query database settings for the config parameters: ${error.message}`);
      return this.#database;
    }
  }

  #file(): Texts {
    const { file, env } = this.#options;
    if (file === null) return none;
    try {
      return readConfigFile(file, { env, readFile: (path) => this.#readFile(path).toString('utf8') });
    } catch (error) {
      if (error instanceof ConfigFileError) throw new ConfigurationError([error.message]);
      throw error;
    }
  }

  #resolve(file: Texts, database: Texts, started?: Config): Resolved {
    const { env, check } = this.#options;
    const sources: ConfigSources = { env, file, database, readFile: (path) => this.#readFile(path) };
    const resolved = resolveConfig(started ? { ...sources, started } : sources);
    if (resolved.config === null || check === undefined) return resolved;
    const { errors, warnings: more } = check(resolved.config);
    const warnings = [...resolved.warnings, ...more];
    return errors.length > 0 ? { config: null, errors, warnings } : { ...resolved, warnings };
  }

  #readFile(path: string): Buffer {
    const kept = this.#pipes.get(path);
    if (kept) return kept;
    // By its number: where it is a socket it cannot be opened by name.
    const content = readFileSync(path === '/dev/stdin' ? 0 : path);
    if (!statSync(path).isFile()) this.#pipes.set(path, content);
    return content;
  }

  /** Those that the reading before did not have. */
  #news(warnings: readonly string[]): readonly string[] {
    const before = this.#warnings;
    this.#warnings = warnings;
    return warnings.filter((warning) => !before.includes(warning));
  }
}

/** A configuration that never changes. */
export const fixedConfig = (config: Config): ConfigSource => ({ current: config, read: async () => config });
