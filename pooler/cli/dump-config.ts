/** `--dump-config`: the configuration that results from all sources, in the format of a configuration file. */
import { type ParameterValues, parameters } from '../../shared/config/parameters.ts';
import type { Config } from '../../shared/config/resolve.ts';
import type { QualifiedIdentifier } from '../../shared/sql/identifiers.ts';
import { showRolePath } from './role-path.ts';

type Value = ParameterValues[keyof ParameterValues];

const isList = (value: Value): value is readonly string[] => Array.isArray(value);
const quoted = (text: string): string => `"${text.replaceAll('"', '\\"')}"`;
const dotted = ({ schema, name }: QualifiedIdentifier): string => (schema === '' ? name : `${schema}.${name}`);

function shown(value: Value): string {
  if (value === null) return '""';
  if (typeof value === 'string') return quoted(value);
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return quoted(isList(value) ? value.join(',') : dotted(value));
}

/** Base64 as everybody writes it, from the variants that are accepted. */
const plainBase64 = (text: string): string =>
  Buffer.from(text.trim().replaceAll('.', '='), 'base64').toString('base64');

/** The values that are not shown as they are. */
function special(key: keyof ParameterValues, config: Config): string | null {
  switch (key) {
    case 'adminServerHost':
      return quoted(config.adminServerHost ?? config.serverHost);
    case 'adminServerUnixSocketMode':
    case 'serverUnixSocketMode':
      return quoted(config[key].toString(8));
    case 'jwtRoleClaimKey':
      return quoted(showRolePath(config.jwtRoleClaimKey));
    case 'jwtSecret':
      return config.jwtSecret !== null && config.jwtSecretIsBase64 ? quoted(plainBase64(config.jwtSecret)) : null;
    default:
      return null;
  }
}

const isKey = (key: string): key is keyof ParameterValues => key in parameters;
const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/**
 * The text, byte for byte PostgREST's where its own parameters are all that is set: sorted lines, secrets and all. Our own
 * parameters are in it when they differ from their defaults, hidden ones never.
 */
export function dumpConfig(config: Config): string {
  const lines = Object.keys(parameters)
    .filter(isKey)
    .flatMap((key) => {
      const { name, default: usual } = parameters[key];
      const value = config[key];
      if (name.startsWith('internal-') || (name.startsWith('edgerest-') && same(value, usual))) return [];
      return [`${name} = ${special(key, config) ?? shown(value)}`];
    });
  const settings = config.appSettings.map(([name, value]) => `${name} = ${quoted(value)}`);
  return [...lines, ...settings]
    .sort((a, b) => (a < b ? -1 : 1))
    .map((line) => `${line}\n`)
    .join('');
}
