/** A configuration file, read: imports followed, groups flattened, `$(name)` replaced. */
import { dirname, isAbsolute, join } from 'node:path';
import { isParameterName } from '../../shared/config/names.ts';
import { type Directive, FileSyntaxError, type FileValue, interpolation, parseFile } from './syntax.ts';

/** The file cannot be used. The message names the file, the line where there is one, and no value. */
export class ConfigFileError extends Error {
  override readonly name = 'ConfigFileError';
}

export interface FileContext {
  /** Reads a file; whatever it throws becomes a ConfigFileError. */
  readonly readFile: (path: string) => string;
  /** Where `$(name)` looks for what the file itself does not set. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

const APP_SETTINGS = 'app.settings.';

/** Reads the files, each of which may import others. */
class Loader {
  readonly values = new Map<string, FileValue>();
  readonly #context: FileContext;
  readonly #open: string[] = [];

  constructor(context: FileContext) {
    this.#context = context;
  }

  load(path: string, prefix: string): void {
    if (this.#open.includes(path)) throw new ConfigFileError(`${path} imports itself.`);
    this.#open.push(path);
    this.#apply(this.#parse(path), path, prefix);
    this.#open.pop();
  }

  #parse(path: string): readonly Directive[] {
    let text: string;
    try {
      text = this.#context.readFile(path);
    } catch {
      throw new ConfigFileError(`the configuration file ${path} cannot be read.`);
    }
    try {
      return parseFile(text);
    } catch (error) {
      if (!(error instanceof FileSyntaxError)) throw error;
      throw new ConfigFileError(`${path}, line ${error.line}, column ${error.column}: ${error.message}.`);
    }
  }

  #apply(directives: readonly Directive[], path: string, prefix: string): void {
    for (const directive of directives) {
      switch (directive.kind) {
        case 'bind': {
          const { key, value, line } = directive;
          const place = `${path}, line ${line}`;
          this.values.set(prefix + key, typeof value === 'string' ? this.#interpolate(value, prefix, place) : value);
          break;
        }
        case 'group':
          this.#apply(directive.directives, path, `${prefix}${directive.key}.`);
          break;
        case 'import':
          this.load(isAbsolute(directive.path) ? directive.path : join(dirname(path), directive.path), prefix);
          break;
        default:
          directive satisfies never;
      }
    }
  }

  #interpolate(text: string, prefix: string, place: string): string {
    const pieces = interpolation(text);
    if (pieces === null) throw new ConfigFileError(`${place}: after a dollar sign there is $ or (name).`);
    return pieces.map(({ kind, value }) => (kind === 'text' ? value : this.#lookup(value, prefix, place))).join('');
  }

  /** A name means the nearest group's that has it, then the environment's. */
  #lookup(name: string, prefix: string, place: string): string {
    const groups = prefix.split('.').slice(0, -1);
    for (let depth = groups.length; depth >= 0; depth--) {
      const value = this.values.get([...groups.slice(0, depth), name].join('.'));
      if (typeof value === 'string' || typeof value === 'number') return String(value);
      if (value !== undefined) throw new ConfigFileError(`${place}: ${name} is neither a text nor a number.`);
    }
    const variable = this.#context.env[name];
    if (variable === undefined) throw new ConfigFileError(`${place}: there is no ${name}, nor such a variable.`);
    return variable;
  }
}

/** What `app.settings.*` that are not texts become in PostgREST: Haskell's way to show them, which functions have seen. */
function shown(value: number | boolean): string {
  if (typeof value === 'boolean') return value ? 'Bool True' : 'Bool False';
  if (value >= 0.1 && value < 1e7) return `Number ${Number.isInteger(value) ? `${value}.0` : value}`;
  if (value === 0) return 'Number 0.0';
  const [mantissa = '', exponent = ''] = value.toExponential().split('e');
  return `Number ${mantissa.includes('.') ? mantissa : `${mantissa}.0`}e${exponent.replace('+', '')}`;
}

function textOf(key: string, value: FileValue): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'object') throw new ConfigFileError(`${key} is a list: it must be one text, with commas in it.`);
  return key.startsWith(APP_SETTINGS) ? shown(value) : String(value);
}

/**
 * Reads a configuration file: what it sets, as the text that a variable would have. Throws ConfigFileError.
 * Keys that are no parameters are kept, but for lists: other values may refer to them.
 */
export function readConfigFile(path: string, context: FileContext): ReadonlyMap<string, string> {
  const loader = new Loader(context);
  loader.load(path, '');
  const texts = new Map<string, string>();
  for (const [key, value] of loader.values) {
    const ours = isParameterName(key) || key.startsWith(APP_SETTINGS);
    if (ours || typeof value !== 'object') texts.set(key, textOf(key, value));
  }
  return texts;
}
