/**
 * How a parameter's text becomes its value. The coercions are PostgREST's (Config.hs), except that text which it would
 * silently replace by the default is an error here: it stops the start and says what is allowed.
 */

import { type QualifiedIdentifier, qualified } from '../sql/identifiers.ts';
import { parseClaimPath } from './claim-path.ts';

export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly allowed: string };

/** Reads a parameter's text. It is never called with an empty one, which means "not set" (`Parameter.emptyable` apart). */
export type Parse<T> = (text: string) => Parsed<T>;

const accept = <T>(value: T): Parsed<T> => ({ ok: true, value });
const reject = (allowed: string): { readonly ok: false; readonly allowed: string } => ({ ok: false, allowed });

const INTEGER = /^\s*-?\d+\s*$/;

/** `true`, `True`, `"true"`: only the letters count; a number is true when it is greater than zero. */
export const flag: Parse<boolean> = (text) => {
  const letters = text.replace(/[^\p{L}]/gu, '').toLowerCase();
  if (letters === 'true' || letters === 'false') return accept(letters === 'true');
  return INTEGER.test(text) ? accept(Number(text) > 0) : reject('true or false');
};

/** A whole number within bounds, both included. */
export const integer =
  (min: number, max: number = Number.MAX_SAFE_INTEGER): Parse<number> =>
  (text) => {
    const value = INTEGER.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return accept(value);
    return reject(
      max === Number.MAX_SAFE_INTEGER ? `a whole number, at least ${min}` : `a whole number from ${min} to ${max}`,
    );
  };

export const string: Parse<string> = accept;

/** One of a fixed set of words. */
export const word =
  <T extends string>(...allowed: readonly T[]): Parse<T> =>
  (text) => {
    const found = allowed.find((candidate) => candidate === text);
    return found === undefined ? reject(`one of ${allowed.join(', ')}`) : accept(found);
  };

/** Names with commas between, spaces around them dropped. Empty text (where it may be set) is the empty list. */
export const commaList: Parse<readonly string[]> = (text) =>
  accept(text === '' ? [] : text.split(',').map((item) => item.trim()));

/** `schema.name` or a bare name, split at the first dot and otherwise taken as it is. */
export const identifier: Parse<QualifiedIdentifier> = (text) => {
  const dot = text.indexOf('.');
  const name = text.slice(dot + 1);
  if (name === '') return reject("a function's name, such as api.root");
  return accept(qualified(dot < 0 ? '' : text.slice(0, dot), name));
};

const FORBIDDEN_SCHEMAS = ['pg_catalog', 'information_schema'];

/** The exposed schemas. At least one, none of the catalogs. */
export const schemas: Parse<readonly string[]> = (text) => {
  const names = text.split(',').map((item) => item.trim());
  if (names.some((name) => FORBIDDEN_SCHEMAS.includes(name))) {
    return reject(`a list of schemas without ${FORBIDDEN_SCHEMAS.join(' and ')}`);
  }
  return names.includes('') ? reject('a list of schemas without empty names') : accept(names);
};

/** Octal permissions of a socket file. */
export const fileMode: Parse<number> = (text) => {
  const mode = /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : 0;
  return mode >= 0o600 && mode <= 0o777 ? accept(mode) : reject('an octal file mode from 600 to 777');
};

/** `aud` of a token: any text; with a colon it must be a URI (RFC 7519, StringOrURI). */
export const stringOrUri: Parse<string> = (text) =>
  !text.includes(':') || /^[A-Za-z][A-Za-z0-9+.-]*:(?:[^\s<>"{}|\\^`%]|%[0-9A-Fa-f]{2})*$/.test(text)
    ? accept(text)
    : reject('a text or a URI');

/** An absolute http or https URI without user, query and fragment. */
export const proxyUri: Parse<string> = (text) => {
  const allowed = 'an absolute http or https URI without query, such as https://example.com:8443/basePath';
  if (!/^https?:\/\/[^/?#@\s]+(\/[^?#\s]*)?$/i.test(text) || !URL.canParse(text)) return reject(allowed);
  return new URL(text).port === '0' ? reject(allowed) : accept(text);
};

const isPoolerUrl = (text: string): boolean => /^(https?|wss?):\/\/[^/?#@\s]+\/?$/i.test(text) && URL.canParse(text);

/** Where the poolers are, with commas between. Whether plain http is safe there is the worker's to judge. */
export const poolerUrl: Parse<string> = (text) => {
  const urls = text.split(',').map((url) => url.trim());
  return urls.every(isPoolerUrl)
    ? accept(urls.map((url) => url.replace(/\/$/, '')).join(','))
    : reject('https or wss URLs without path, with commas between, such as https://pooler.example.com');
};

/** An endpoint that takes SQL over HTTP. Whether plain http is safe there is the worker's to judge. */
export const sqlUrl: Parse<string> = (text) =>
  /^https?:\/\/[^/?#@\s]+\/[^?#\s]*$/i.test(text) && URL.canParse(text)
    ? accept(text)
    : reject('an http or https URL with a path, such as https://api.example.com/sql');

/** A path to be mounted under: `/rest/v1`, its slash at the end dropped; the root is ''. */
export const mountPath: Parse<string> = (text) => {
  const path = text.replace(/\/+$/, '');
  return /^(\/[A-Za-z0-9._~!$&'()*+,;=:@-]+)*$/.test(path) ? accept(path) : reject('a path such as /rest/v1');
};

/** Where in a token's claims something stands. */
export const claimPath =
  (example: string): Parse<string> =>
  (text) =>
    parseClaimPath(text) === null ? reject(`a path like ${example}`) : accept(text);

/** A shared secret: at least 32 bytes. */
export const secret: Parse<string> = (text) =>
  new TextEncoder().encode(text).length >= 32 ? accept(text) : reject('at least 32 bytes, best made at random');

const TARGET = /^(?:[^\s=,/:[\]]+=)?(?:\[[0-9A-Fa-f:.]+\]|[^\s=,/:[\]]+)(?::\d{1,5})?$/;

/** Servers with commas between: `host`, `host:port`, or either behind a name of its own, `name=host:port`. */
export const driverTargets: Parse<readonly string[]> = (text) => {
  const items = text.split(',').map((item) => item.trim());
  return items.every((item) => TARGET.test(item))
    ? accept(items)
    : reject('servers with commas between, such as db.internal:5432 or name=db.internal:5432');
};
