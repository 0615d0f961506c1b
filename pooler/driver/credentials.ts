/** The connection string of a client: where it wants to go, and as whom. */
import { Secret } from '../wire/index.ts';
import { driverError } from './errors.ts';

export interface Credentials {
  /** The name, in small letters, and the port that the client gave: which server that is, the targets say. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: Secret;
  readonly database: string;
  readonly applicationName: string | null;
  /** Settings for the session, such as `-c statement_timeout=5s`. */
  readonly options: string | null;
}

const DEFAULT_PORT = 5432;
/** PostgreSQL cuts names off at 63 bytes; nothing sensible is near this. */
const LONGEST = 1024;

const malformed = (what: string) =>
  driverError('08001', `the connection string is not right: ${what}`, {
    hint: 'It looks like postgresql://user:password@host/database.',
  });

function decoded(text: string, what: string): string {
  try {
    const value = decodeURIComponent(text);
    if (!value.includes('\0') && value.length <= LONGEST) return value;
  } catch {
    // said below
  }
  throw malformed(`its ${what} cannot be used`);
}

/** Endpoints are named in the options where the server name does not name them; here the host does. */
export const withoutEndpoint = (options: string): string =>
  options
    .split(/\s+/)
    .filter((word) => !/^(endpoint|project)=/.test(word))
    .join(' ');

/**
 * Reads a connection string as drivers send it: a URI. What it says of TLS concerns the way to the door and is not looked at. Throws a
 * DriverError that does not repeat it.
 */
export function parseCredentials(text: string): Credentials {
  if (!/^postgres(ql)?:\/\//.test(text) || !URL.canParse(text)) throw malformed('it is not a URI');
  const uri = new URL(text);
  const user = decoded(uri.username, 'user');
  if (user === '') throw malformed('it names no user');
  const password = decoded(uri.password, 'password');
  if (password === '') throw malformed('it has no password');
  const given = (name: string): string | null => {
    const value = uri.searchParams.get(name) || null;
    if (value !== null && (value.includes('\0') || value.length > LONGEST))
      throw malformed(`its ${name} cannot be used`);
    return value;
  };
  return {
    host: decoded(uri.hostname, 'host').toLowerCase(),
    port: Number(uri.port || DEFAULT_PORT),
    user,
    password: new Secret(password),
    database: decoded(uri.pathname.slice(1), 'database') || user,
    applicationName: given('application_name'),
    options: withoutEndpoint(given('options') ?? '') || null,
  };
}
