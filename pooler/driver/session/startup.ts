/** The startup packet: who wants in, and with which settings. */
import { ProtocolViolation } from '../../wire/index.ts';
import { withoutEndpoint } from '../credentials.ts';
import { type DriverError, driverError } from '../errors.ts';
import { stringAt } from './frontend.ts';

export interface Startup {
  readonly user: string;
  readonly database: string;
  readonly applicationName: string | null;
  /** Settings as command-line options. */
  readonly options: string | null;
  /** Of the protocol, that we do not know. */
  readonly unknown: readonly string[];
  /** Whether the client speaks a newer minor version. */
  readonly newer: boolean;
}

const fatal = (code: string, message: string, hint?: string): DriverError =>
  driverError(code, message, { severity: 'FATAL', ...(hint !== undefined && { hint }) });

const settingName = /^[a-z_][\w$]*(\.[a-z_][\w$]*)*$/i;
/** As PostgreSQL reads the name of an encoding: by its letters and digits. */
const isUtf8 = (encoding: string): boolean => /^(utf8|unicode)$/i.test(encoding.replace(/[^a-z\d]/gi, ''));
const off = /^(f(a(l(se?)?)?)?|no?|of(f)?|0)$/i;
/** Of protocol 3 we know the first one. */
const minorMask = 0xffff;

/** As libpq's options wants a value: in one word. */
const escaped = (value: string): string => value.replace(/[\\\s]/g, '\\$&');

/**
 * Reads a startup packet's payload, which begins with the protocol's version. Throws a DriverError for what is refused, a ProtocolViolation
 * for what cannot be read.
 */
export function readStartup(payload: Buffer): Startup {
  const version = payload.readInt32BE(0);
  if (version >>> 16 !== 3)
    throw fatal('0A000', `unsupported frontend protocol ${version >>> 16}.${version & minorMask}`);
  const given = parametersOf(payload);
  const user = given.get('user') ?? '';
  if (user === '') throw fatal('28000', 'no PostgreSQL user name specified in startup packet');
  const replication = given.get('replication');
  if (replication !== undefined && !off.test(replication)) {
    throw fatal('0A000', 'replication is not possible through a pooler', 'Connect to the database itself.');
  }
  const encoding = given.get('client_encoding');
  if (encoding !== undefined && !isUtf8(encoding)) {
    throw fatal('0A000', 'client_encoding must be UTF8', 'Leave it out of the connection string.');
  }
  const options = withoutEndpoint(given.get('options') ?? '');
  const settings: string[] = options === '' ? [] : [options];
  const unknown: string[] = [];
  for (const [name, value] of given) {
    if (known.has(name)) continue;
    if (name.startsWith('_pq_.')) unknown.push(name);
    else if (settingName.test(name)) settings.push(`-c ${name}=${escaped(value)}`);
    else throw fatal('42704', `unrecognized configuration parameter "${name}"`);
  }
  return {
    user,
    database: given.get('database') || user,
    applicationName: given.get('application_name') || null,
    options: settings.length === 0 ? null : settings.join(' '),
    unknown,
    newer: (version & minorMask) > 0,
  };
}

const known: ReadonlySet<string> = new Set([
  'user',
  'database',
  'application_name',
  'options',
  'client_encoding',
  'replication',
]);

function parametersOf(payload: Buffer): ReadonlyMap<string, string> {
  const given = new Map<string, string>();
  let at = 4;
  while (at < payload.length && payload[at] !== 0) {
    const name = stringAt(payload, at);
    const value = stringAt(payload, name.next);
    given.set(name.text, value.text);
    at = value.next;
  }
  if (at !== payload.length - 1) throw new ProtocolViolation('a startup packet with something behind its end');
  return given;
}
