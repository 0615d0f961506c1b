/** From the sources of configuration to one checked, frozen value. Pure: whoever calls it reads the environment and the files. */
import { keySetUrl } from './key-set.ts';
import { type VerificationKey, verificationKeys } from './keys.ts';
import {
  APP_SETTINGS_VARIABLE,
  classifyVariable,
  isParameterName,
  isServiceLink,
  suggestName,
  suggestVariable,
} from './names.ts';
import { type Parameter, type ParameterValues, parameters, settingOf, variableOf } from './parameters.ts';
import type { Parsed } from './values.ts';

/** Where values come from, the weakest first: file, environment, database. Names in `file` and `database` are the parameters' own. */
export interface ConfigSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly file?: ReadonlyMap<string, string>;
  readonly database?: ReadonlyMap<string, string>;
  /** Reads the file that `@path` names, for `db-uri` and `jwt-secret`. Whatever it throws becomes an error of the parameter. */
  readonly readFile?: (path: string) => Uint8Array;
  /** For a reload: what the program started with. Parameters that a reload cannot change keep these values. */
  readonly started?: ParameterValues;
}

export interface Config extends ParameterValues {
  /** `app.settings.*`, sorted by name. */
  readonly appSettings: readonly (readonly [string, string])[];
  /** What `jwt-secret` stands for; null without one, or where it is a URL. */
  readonly jwtKeys: readonly VerificationKey[] | null;
  /** Where `jwt-secret` says that the keys are; null where it says itself. */
  readonly jwtKeysUrl: string | null;
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
  if (database !== undefined) return { text: database, label: settingOf(name) };
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

/** Whether a source sets the parameter. */
export const isSet = <T>(sources: ConfigSources, parameter: Parameter<T>): boolean => find(sources, parameter) !== null;

const wrong = (found: Found, parameter: { readonly secret: boolean }, allowed: string): string =>
  parameter.secret
    ? `${found.label} is not right: it must be ${allowed}.`
    : `${found.label} is ${JSON.stringify(found.text)}: it must be ${allowed}.`;

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** Reads the table against the sources, gathering what is wrong. */
class Reader {
  readonly errors: string[] = [];
  /** What is set to something else than the program started with, to no effect before it starts anew. */
  readonly late: string[] = [];
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
    return parsed.value;
  }

  /** What stands in the file that a value names with `@path`; the value's own bytes where it names none. */
  content<T>(parameter: Parameter<T>, value: string): Uint8Array {
    const own = new TextEncoder().encode(value);
    if (!value.startsWith('@')) return own;
    const label = this.label(parameter);
    const path = value.slice(1);
    if (!this.#sources.readFile) {
      this.errors.push(`${label} names a file, and there are no files here.`);
      return own;
    }
    try {
      return this.#sources.readFile(path);
    } catch {
      this.errors.push(`${label} names the file ${path}, which cannot be read.`);
      return own;
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

/** The values with those that a reload cannot change as they were at the start. */
function keepFixed(values: ParameterValues, started: ParameterValues, reader: Reader): ParameterValues {
  const kept: Incomplete = { ...values };
  const keep = <K extends keyof ParameterValues>(key: K): void => {
    if (table[key].reloadable) return;
    const value: unknown = values[key];
    // The content of a file was taken at the start: it may have been there for that only.
    const isFile = typeof value === 'string' && value.startsWith('@');
    if (!isFile && !same(value, started[key])) reader.late.push(reader.label(table[key]));
    kept[key] = started[key];
  };
  for (const key of keys) keep(key);
  return isComplete(kept) ? kept : values;
}

const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

const APP_SETTING = /^app\.settings\.[^.]+$/;

function appSettings(sources: ConfigSources): readonly (readonly [string, string])[] {
  const settings = new Map<string, string>();
  for (const [name, value] of sources.file ?? []) {
    if (APP_SETTING.test(name)) settings.set(name, value);
  }
  for (const [name, value] of Object.entries(sources.env)) {
    if (value === undefined || !name.startsWith(APP_SETTINGS_VARIABLE)) continue;
    settings.set(`app.settings.${name.slice(APP_SETTINGS_VARIABLE.length)}`, value);
  }
  return [...settings].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

/** Names that are no parameters: errors in the environment, where the prefix makes them ours. Returns those that are ignored. */
function checkNames(sources: ConfigSources, reader: Reader): readonly string[] {
  const ignored: string[] = [];
  for (const [name, value] of Object.entries(sources.env)) {
    const kind = value === undefined ? 'foreign' : classifyVariable(name, value);
    if (kind === 'retired') ignored.push(name);
    if (kind !== 'unknown') continue;
    const meant = suggestVariable(name);
    reader.errors.push(`${name} is not a parameter.${meant ? ` Did you mean ${meant}?` : ''}`);
  }
  // A file may have names of its own, for other values to refer to.
  for (const name of sources.file?.keys() ?? []) {
    if (isParameterName(name) || APP_SETTING.test(name)) continue;
    const meant = suggestName(name);
    ignored.push(meant ? `${name} (did you mean ${meant}?)` : name);
  }
  return ignored;
}

/** What has to fit together between parameters. */
function checkTogether(config: ParameterValues, reader: Reader): void {
  // 0 is any port: never the same.
  if (config.adminServerPort !== null && config.adminServerPort !== 0 && config.adminServerPort === config.serverPort) {
    reader.errors.push(`${reader.label(parameters.adminServerPort)} cannot be the same as the server's port.`);
  }
  if ((config.poolerTlsCert === null) !== (config.poolerTlsKey === null)) {
    const names = [parameters.poolerTlsCert, parameters.poolerTlsKey].map((p) => variableOf(p.name));
    reader.errors.push(`${names.join(' and ')} belong together: set both or none.`);
  }
}

type Keys = Pick<Config, 'jwtKeys' | 'jwtKeysUrl'>;
const NO_KEYS: Keys = { jwtKeys: null, jwtKeysUrl: null };

function jwtKeys(secret: Uint8Array, isBase64: boolean, reader: Reader): Keys {
  const url = isBase64 ? null : keySetUrl(textOf(secret));
  if (url?.ok) return { jwtKeys: null, jwtKeysUrl: url.value };
  const keys: Parsed<readonly VerificationKey[]> = url ?? verificationKeys(secret, isBase64);
  if (keys.ok) return { jwtKeys: keys.value, jwtKeysUrl: null };
  reader.errors.push(`${reader.label(parameters.jwtSecret)} is not right: it must be ${keys.allowed}.`);
  return NO_KEYS;
}

const NEWLINE = 10;

/** `jwt-secret`, which need not be text when it stands in a file; a newline at its end is the editor's. */
function secretBytes(values: ParameterValues, reader: Reader): Uint8Array | null {
  if (values.jwtSecret === null) return null;
  const bytes = reader.content(parameters.jwtSecret, values.jwtSecret);
  return values.jwtSecret.startsWith('@') && bytes.at(-1) === NEWLINE ? bytes.subarray(0, -1) : bytes;
}

/** Resolves the configuration. Never throws. */
export function resolveConfig(sources: ConfigSources): Resolved {
  const reader = new Reader(sources);
  const ignored = checkNames(sources, reader);
  const { started } = sources;
  const read = readTable(reader);
  const kept = started ? keepFixed(read, started, reader) : read;
  const secret = secretBytes(kept, reader);
  const values: ParameterValues = {
    ...kept,
    dbUri: started ? kept.dbUri : textOf(reader.content(parameters.dbUri, kept.dbUri)).trim(),
    jwtSecret: secret && textOf(secret),
  };
  checkTogether(values, reader);
  const checked = reader.errors.length === 0;
  const config: Config = Object.freeze({
    ...values,
    appSettings: appSettings(sources),
    ...(secret && checked ? jwtKeys(secret, values.jwtSecretIsBase64, reader) : NO_KEYS),
  });
  const warnings = [
    ...(ignored.length > 0 ? [`Ignored, since this version has no such parameter: ${ignored.join(', ')}.`] : []),
    ...(reader.late.length > 0 ? [`Set to something else, which takes a restart: ${reader.late.join(', ')}.`] : []),
  ];
  const { errors } = reader;
  return errors.length > 0 ? { config: null, warnings, errors } : { config, warnings, errors: [] };
}
