/** From the sources of configuration to one checked, frozen value. Pure: whoever calls it reads the environment and the files. */
import { type VerificationKey, verificationKeys } from './keys.ts';
import { APP_SETTINGS_VARIABLE, classifyVariable, isParameterName, isServiceLink, suggestVariable } from './names.ts';
import { type Parameter, type ParameterValues, parameters, variableOf } from './parameters.ts';
import type { Parsed } from './values.ts';

/** Where values come from, the weakest first: file, environment, database. Names in `file` and `database` are the parameters' own. */
export interface ConfigSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly file?: ReadonlyMap<string, string>;
  readonly database?: ReadonlyMap<string, string>;
  /** Reads the file that `@path` names, for `db-uri` and `jwt-secret`. Whatever it throws becomes an error of the parameter. */
  readonly readFile?: (path: string) => string;
}

export interface Config extends ParameterValues {
  /** `app.settings.*`, sorted by name. */
  readonly appSettings: readonly (readonly [string, string])[];
  /** What `jwt-secret` stands for; null without one. */
  readonly jwtKeys: readonly VerificationKey[] | null;
}

/** `config` is null exactly when there are errors. Errors and warnings are single lines without secrets. */
export type Resolved =
  | { readonly config: Config; readonly warnings: readonly string[]; readonly errors: readonly [] }
  | { readonly config: null; readonly warnings: readonly string[]; readonly errors: readonly string[] };

interface Found {
  readonly text: string;
  /** What the user called it: the variable's or the parameter's name. */
  readonly label: string;
}

function lookup(sources: ConfigSources, name: string): Found | null {
  const database = sources.database?.get(name);
  if (database !== undefined) return { text: database, label: name };
  const variable = variableOf(name);
  const env = sources.env[variable];
  if (env !== undefined && !isServiceLink(variable, env)) return { text: env, label: variable };
  const file = sources.file?.get(name);
  return file === undefined ? null : { text: file, label: name };
}

/** The strongest source of a parameter, its own name before its aliases. Empty text counts only where it means something. */
function find<T>(sources: ConfigSources, parameter: Parameter<T>): Found | null {
  for (const name of [parameter.name, ...parameter.aliases]) {
    const found = lookup(sources, name);
    if (found && (found.text !== '' || parameter.emptyable)) return found;
  }
  return null;
}

const wrong = (found: Found, parameter: { readonly secret: boolean }, allowed: string): string =>
  parameter.secret
    ? `${found.label} is not right: it must be ${allowed}.`
    : `${found.label} is ${JSON.stringify(found.text)}: it must be ${allowed}.`;

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** Reads the table against the sources, gathering what is wrong and what is set without effect. */
class Reader {
  readonly errors: string[] = [];
  readonly idle: string[] = [];
  readonly #sources: ConfigSources;

  constructor(sources: ConfigSources) {
    this.#sources = sources;
  }

  value<T>(parameter: Parameter<T>): T {
    const found = find(this.#sources, parameter);
    if (!found) return parameter.default;
    const parsed = parameter.parse(found.text);
    if (!parsed.ok) {
      this.errors.push(wrong(found, parameter, parsed.allowed));
      return parameter.default;
    }
    if (!parameter.inEffect && !same(parsed.value, parameter.default)) this.idle.push(found.label);
    return parsed.value;
  }

  /** Text that may stand in a file instead: `@path`. */
  content<T extends string | null>(parameter: Parameter<T>, value: T, tidy: (text: string) => string): T | string {
    if (value === null || !value.startsWith('@')) return value;
    const label = find(this.#sources, parameter)?.label ?? parameter.name;
    const path = value.slice(1);
    if (!this.#sources.readFile) {
      this.errors.push(`${label} names a file, and there are no files here.`);
      return value;
    }
    try {
      return tidy(this.#sources.readFile(path));
    } catch {
      this.errors.push(`${label} names the file ${path}, which cannot be read.`);
      return value;
    }
  }

  label<T>(parameter: Parameter<T>): string {
    return find(this.#sources, parameter)?.label ?? parameter.name;
  }
}

type Table = { readonly [K in keyof ParameterValues]: Parameter<ParameterValues[K]> };
type Incomplete = { -readonly [K in keyof ParameterValues]?: ParameterValues[K] };

const table: Table = parameters;
const isKey = (key: string): key is keyof ParameterValues => key in table;
const keys = Object.keys(table).filter(isKey);
const isComplete = (values: Incomplete): values is ParameterValues => keys.every((key) => key in values);

function readTable(reader: Reader): ParameterValues {
  const values: Incomplete = {};
  const read = <K extends keyof ParameterValues>(key: K): void => {
    values[key] = reader.value(table[key]);
  };
  for (const key of keys) read(key);
  if (!isComplete(values)) throw new Error('The table of parameters lacks a value.');
  return values;
}

function appSettings(sources: ConfigSources): readonly (readonly [string, string])[] {
  const settings = new Map<string, string>();
  for (const [name, value] of sources.file ?? []) {
    if (name.startsWith('app.settings.')) settings.set(name, value);
  }
  for (const [name, value] of Object.entries(sources.env)) {
    if (value === undefined || !name.startsWith(APP_SETTINGS_VARIABLE)) continue;
    settings.set(`app.settings.${name.slice(APP_SETTINGS_VARIABLE.length)}`, value);
  }
  return [...settings].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

function checkNames(sources: ConfigSources, reader: Reader): readonly string[] {
  const retired: string[] = [];
  for (const [name, value] of Object.entries(sources.env)) {
    const kind = value === undefined ? 'foreign' : classifyVariable(name, value);
    if (kind === 'retired') retired.push(name);
    if (kind !== 'unknown') continue;
    const meant = suggestVariable(name);
    reader.errors.push(`${name} is not a parameter.${meant ? ` Did you mean ${meant}?` : ''}`);
  }
  for (const name of sources.file?.keys() ?? []) {
    const known = name.startsWith('app.settings.') || isParameterName(name);
    if (!known) reader.errors.push(`${name} is not a parameter.`);
  }
  return retired;
}

/** What has to fit together between parameters. */
function checkTogether(config: ParameterValues, reader: Reader): void {
  if (config.adminServerPort !== null && config.adminServerPort === config.serverPort) {
    reader.errors.push(`${reader.label(parameters.adminServerPort)} cannot be the same as the server's port.`);
  }
  if ((config.poolerTlsCert === null) !== (config.poolerTlsKey === null)) {
    const names = [parameters.poolerTlsCert, parameters.poolerTlsKey].map((p) => variableOf(p.name));
    reader.errors.push(`${names.join(' and ')} belong together: set both or none.`);
  }
}

function jwtKeys(config: ParameterValues, reader: Reader): readonly VerificationKey[] | null {
  if (config.jwtSecret === null) return null;
  const keys: Parsed<readonly VerificationKey[]> = verificationKeys(config.jwtSecret, config.jwtSecretIsBase64);
  if (keys.ok) return keys.value;
  reader.errors.push(`${reader.label(parameters.jwtSecret)} is not right: it must be ${keys.allowed}.`);
  return null;
}

const chompNewline = (text: string): string => (text.endsWith('\n') ? text.slice(0, -1) : text);

/** Resolves the configuration. Never throws. */
export function resolveConfig(sources: ConfigSources): Resolved {
  const reader = new Reader(sources);
  const retired = checkNames(sources, reader);
  const raw = readTable(reader);
  const values: ParameterValues = {
    ...raw,
    dbUri: reader.content(parameters.dbUri, raw.dbUri, (text) => text.trim()),
    jwtSecret: reader.content(parameters.jwtSecret, raw.jwtSecret, chompNewline),
  };
  checkTogether(values, reader);
  const config: Config = Object.freeze({
    ...values,
    appSettings: appSettings(sources),
    jwtKeys: reader.errors.length === 0 ? jwtKeys(values, reader) : null,
  });
  const warnings = [
    ...(retired.length > 0 ? [`Ignored, since this version has no such parameter: ${retired.join(', ')}.`] : []),
    ...(reader.idle.length > 0 ? [`Set, but not yet in effect: ${reader.idle.join(', ')}.`] : []),
  ];
  const { errors } = reader;
  return errors.length > 0 ? { config: null, warnings, errors } : { config, warnings, errors: [] };
}
