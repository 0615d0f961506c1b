/** What is noted of a request while it is answered, and what PostgREST writes about it in the log. */
import { formatTime, type LogLevel, lowestLogged, singleLine } from '../shared/log.ts';
import type { ApiError } from './error.ts';
import { splitTarget } from './request/path.ts';
import { decodeByteString } from './request/text.ts';
import { encodeJson } from './response/json.ts';
import type { RawResponse } from './response/types.ts';

/** One for each request that somebody observes: `handle` fills it in. */
export class Exchange {
  /** `log-level`, as of the settings that the request was answered with. */
  logLevel: LogLevel = 'error';
  /** Null until the token was accepted. */
  role: string | null = null;
  /** The answer to a preflight is the browser's business: the access log has none of them. */
  preflight = false;
  /** Embedded relations that the query names by their target although they have an alias: "`name` to `alias`" each. */
  legacyNames: readonly string[] = [];
  /** With `log-query`, the statements that this process sent to the database. */
  queries: readonly string[] = [];
  /** Why the transaction, or the schema cache, was not to be had. */
  failure: ApiError | null = null;
}

/** What the transport knows of a request. Texts are byte strings. */
export interface Client {
  /** Null where there is none, as on a unix socket. */
  readonly address: string | null;
  readonly method: string;
  readonly target: string;
  /** `HTTP/1.1` */
  readonly protocol: string;
  readonly referer: string | undefined;
  readonly userAgent: string | undefined;
}

/** An error as the database's errors are logged: the body that a client gets. */
const errorLine = ({ code, message, details, hint }: ApiError): string => encodeJson({ code, message, details, hint });

/** Lines for the server's own log, without a time, in the order in which they came about. */
export function diagnostics(client: Client, response: RawResponse, exchange: Exchange): readonly string[] {
  const { legacyNames, failure, queries, logLevel } = exchange;
  const lines: string[] = [];
  if (legacyNames.length > 0) {
    const { path, query } = splitTarget(client.target);
    lines.push(
      'WARNING: Embedded resource was referenced by relation name even though it has an alias. This is deprecated and will stop working in a future release.',
      `Update filters, orders or limits that use ${legacyNames.join(', ')} in \`${client.method} ${decodeByteString(path + query)}\``,
    );
  }
  if (failure !== null && failure.status >= 500 && logLevel !== 'crit') lines.push(errorLine(failure));
  if (response.status >= lowestLogged(logLevel)) lines.push(...queries.map(singleLine));
  return lines;
}

/** Whether the access log has a line for an answer. */
export const isLogged = ({ status }: RawResponse, { preflight, logLevel }: Exchange): boolean =>
  !preflight && status >= lowestLogged(logLevel);

// Apache escapes these as well; PostgREST does not, so that its lines can be forged.
const UNSAFE = /["\\\p{Cc}]/gu;
const escapes = (character: string): string =>
  character === '"' || character === '\\'
    ? `\\${character}`
    : `\\x${(character.codePointAt(0) ?? 0).toString(16).padStart(2, '0')}`;
const field = (value: string): string => decodeByteString(value).replace(UNSAFE, escapes);

function lengthOf({ headers }: RawResponse): string {
  for (const [name, value] of headers) if (name.toLowerCase() === 'content-length') return value;
  return '-';
}

/**
 * The access log's line: Apache's combined form with the role for the user, and the path as it was asked for.
 *
 *     127.0.0.1 - web_anon [26/Jul/2021:01:56:38 -0500] "GET /clients HTTP/1.1" 200 56 "" "curl/7.64.0"
 */
export function accessLine(client: Client, response: RawResponse, { role }: Exchange, time: Date): string {
  const { path, query } = splitTarget(client.target);
  const request = `${field(client.method)} ${field(path + query)} ${client.protocol}`;
  const who = `${client.address ?? '-'} - ${role === null ? '-' : role.replace(UNSAFE, escapes)}`;
  const from = `"${field(client.referer ?? '')}" "${field(client.userAgent ?? '')}"`;
  return `${who} [${formatTime(time)}] "${request}" ${response.status} ${lengthOf(response)} ${from}`;
}
