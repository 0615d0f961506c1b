import { existsSync } from 'node:fs';
import { userInfo } from 'node:os';
import type { ConnectionConfig, Endpoint, SslMode, TargetSession, TlsConfig } from './config.ts';
import { Secret } from './secret.ts';

/** The connection string cannot be used. The message names the parameter and never the value. */
export class ConnectionStringError extends Error {
  override readonly name = 'ConnectionStringError';
}

/** libpq's parameters that mean something here, and the environment variable that stands in for each. */
const variables: Readonly<Record<string, string | null>> = {
  host: 'PGHOST',
  hostaddr: 'PGHOSTADDR',
  port: 'PGPORT',
  user: 'PGUSER',
  password: 'PGPASSWORD',
  dbname: 'PGDATABASE',
  sslmode: 'PGSSLMODE',
  sslrootcert: 'PGSSLROOTCERT',
  sslcert: 'PGSSLCERT',
  sslkey: 'PGSSLKEY',
  ssl_min_protocol_version: 'PGSSLMINPROTOCOLVERSION',
  channel_binding: 'PGCHANNELBINDING',
  connect_timeout: 'PGCONNECT_TIMEOUT',
  application_name: 'PGAPPNAME',
  fallback_application_name: null,
  options: 'PGOPTIONS',
  target_session_attrs: 'PGTARGETSESSIONATTRS',
};

/** libpq's parameters that change nothing here: transport details, and what needs Kerberos. */
const ignored: ReadonlySet<string> = new Set([
  'keepalives',
  'keepalives_idle',
  'keepalives_interval',
  'keepalives_count',
  'tcp_user_timeout',
  'client_encoding',
  'gssencmode',
  'gsslib',
  'krbsrvname',
  'sslcompression',
  'sslsni',
  'sslnegotiation',
  'load_balance_hosts',
]);

const sslModes: readonly SslMode[] = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'];
const targets: readonly TargetSession[] = ['any', 'read-write', 'read-only', 'primary', 'standby', 'prefer-standby'];
const unixFolders = ['/var/run/postgresql', '/tmp'];

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads a libpq connection string, either a URI or `key=value` pairs (PostgreSQL docs, "Connection Strings"). What it does not say comes
 * from the PG* variables, then from libpq's defaults. Throws a ConnectionStringError.
 */
export function parseConnectionString(text: string, environment: Environment = process.env): ConnectionConfig {
  const given = /^postgres(?:ql)?:\/\//.test(text) ? parseUri(text) : parsePairs(text);
  const value = (name: string): string | null => {
    const variable = variables[name];
    return given.get(name) || (variable ? environment[variable] : undefined) || null;
  };
  const user = value('user') ?? userInfo().username;
  const password = value('password');
  const seconds = integer('connect_timeout', value('connect_timeout') ?? '0', 0, 2_000_000);
  return {
    endpoints: endpoints(value('host'), value('hostaddr'), value('port')),
    user,
    password: password === null ? null : new Secret(password),
    database: value('dbname') ?? user,
    tls: tlsConfig(value),
    connectTimeout: seconds * 1000,
    applicationName: value('application_name') ?? value('fallback_application_name'),
    options: value('options'),
    targetSession: choice('target_session_attrs', value('target_session_attrs') ?? 'any', targets),
  };
}

function tlsConfig(value: (name: string) => string | null): TlsConfig {
  const root = value('sslrootcert');
  const mode = choice('sslmode', value('sslmode') ?? (root === 'system' ? 'verify-full' : 'prefer'), sslModes);
  // As libpq: the system's certificates are only worth something when the name is checked too.
  if (root === 'system' && mode !== 'verify-full')
    throw new ConnectionStringError('sslrootcert=system wants sslmode=verify-full');
  return {
    mode,
    rootCertificate: root,
    certificate: value('sslcert'),
    key: value('sslkey'),
    minimumVersion: choice('ssl_min_protocol_version', value('ssl_min_protocol_version') ?? 'TLSv1.2', [
      'TLSv1.2',
      'TLSv1.3',
    ]),
    channelBinding: choice('channel_binding', value('channel_binding') ?? 'prefer', ['disable', 'prefer', 'require']),
  };
}

/** One endpoint for each item of the host list (or address list), with the port of the same place or the only one. */
function endpoints(hosts: string | null, addresses: string | null, ports: string | null): readonly Endpoint[] {
  const hostList = hosts?.split(',') ?? [];
  const addressList = addresses?.split(',') ?? [];
  const portList = ports?.split(',') ?? [''];
  const count = Math.max(hostList.length, addressList.length, 1);
  if (hostList.length > 0 && addressList.length > 0 && hostList.length !== addressList.length) {
    throw new ConnectionStringError('host and hostaddr name different numbers of hosts');
  }
  if (portList.length !== 1 && portList.length !== count) {
    throw new ConnectionStringError('port and host name different numbers of hosts');
  }
  return Array.from({ length: count }, (_, i) => {
    const port = integer('port', portList[portList.length === 1 ? 0 : i] || '5432', 1, 65_535);
    const address = addressList[i] || null;
    const host =
      hostList[i] || address || unixFolders.find((folder) => existsSync(`${folder}/.s.PGSQL.${port}`)) || 'localhost';
    if (address === null && host.startsWith('/')) return { kind: 'unix', path: `${host}/.s.PGSQL.${port}` };
    return { kind: 'tcp', host, address, port };
  });
}

function parseUri(text: string): Map<string, string> {
  const rest = text.slice(text.indexOf('//') + 2);
  const [, authority = '', path = '', query = ''] = /^([^/?]*)(?:\/([^?]*))?(?:\?(.*))?$/s.exec(rest) ?? [];
  const given = new Map<string, string>();
  const at = authority.lastIndexOf('@');
  if (at >= 0) {
    const [user = '', password] = split(authority.slice(0, at), ':');
    given.set('user', decoded('user', user));
    if (password !== undefined) given.set('password', decoded('password', password));
  }
  const hosts: string[] = [];
  const ports: string[] = [];
  for (const item of authority.slice(at + 1).split(',')) {
    const [, v6, name, port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(.*))?$/.exec(item) ?? [];
    if (v6 === undefined && name === undefined)
      throw new ConnectionStringError('the host list of the connection URI is malformed');
    hosts.push(decoded('host', v6 ?? name ?? ''));
    ports.push(port ?? '');
  }
  if (hosts.some((host) => host !== '')) given.set('host', hosts.join(','));
  if (ports.some((port) => port !== '')) given.set('port', ports.map((port) => port || '5432').join(','));
  if (path !== '') given.set('dbname', decoded('dbname', path));
  for (const pair of query === '' ? [] : query.split('&')) {
    const [name = '', value] = split(pair, '=');
    if (value === undefined) throw new ConnectionStringError('a parameter of the connection URI has no value');
    accept(given, decoded('parameter', name), decoded(name, value));
  }
  return given;
}

function parsePairs(text: string): Map<string, string> {
  const given = new Map<string, string>();
  const pair = /\s*([^\s=]+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s'\\]|\\.)*))(?=\s|$)/gsy;
  let end = 0;
  while (text.slice(end).trim() !== '') {
    pair.lastIndex = end;
    const found = pair.exec(text);
    if (found === null) throw new ConnectionStringError('the connection string is neither a URI nor key=value pairs');
    const [, name = '', quoted, plain = ''] = found;
    accept(given, name, (quoted ?? plain).replace(/\\(.)/gs, '$1'));
    end = pair.lastIndex;
  }
  return given;
}

function accept(given: Map<string, string>, name: string, value: string): void {
  // JDBC's spelling, which libpq takes in URIs.
  if (name === 'ssl' && value === 'true') given.set('sslmode', 'require');
  else if (Object.hasOwn(variables, name)) given.set(name, value);
  else if (!ignored.has(name))
    throw new ConnectionStringError(`the connection parameter ${JSON.stringify(name)} is not supported`);
}

function split(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

function decoded(name: string, text: string): string {
  try {
    const value = decodeURIComponent(text);
    if (!value.includes('\0')) return value;
  } catch {
    // said below
  }
  throw new ConnectionStringError(`the connection URI's ${name} is not percent-encoded correctly`);
}

function choice<T extends string>(name: string, value: string, all: readonly T[]): T {
  const found = all.find((each) => each === value);
  if (found === undefined) throw new ConnectionStringError(`${name} must be one of ${all.join(', ')}`);
  return found;
}

function integer(name: string, text: string, minimum: number, maximum: number): number {
  const value = /^\s*[0-9]{1,9}\s*$/.test(text) ? Number(text) : -1;
  if (value < minimum || value > maximum)
    throw new ConnectionStringError(`${name} must be a number from ${minimum} to ${maximum}`);
  return value;
}
