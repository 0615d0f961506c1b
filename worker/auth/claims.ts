/** What a token's claims say: times, audience and the role. RFC 7519, section 4.1, and PostgREST's tolerance. */
import type { WorkerSettings } from '../../shared/snapshot/types.ts';
import { badClaim } from './errors.ts';

/** The registered claims that are checked on each use, already of the right types. */
export interface TimeClaims {
  readonly exp: number | null;
  readonly nbf: number | null;
  readonly iat: number | null;
}

/** Clocks may differ by this many seconds. */
const ALLOWED_SKEW = 30;

const INT64_LIMIT = 2 ** 63;

function numericDate(claims: Readonly<Record<string, unknown>>, name: 'exp' | 'nbf' | 'iat'): number | null {
  const value = claims[name];
  if (value === undefined || value === null) return null;
  if (typeof value !== 'number') throw badClaim(`The JWT '${name}' claim must be a number`);
  // PostgREST reads the dates as 64 bit integers; one that is none counts as 0.
  return Number.isInteger(value) && Math.abs(value) < INT64_LIMIT ? value : 0;
}

/** Throws where the token is too old or too young for `now` (seconds since the epoch). */
export function checkTimes(times: TimeClaims, now: number): void {
  if (times.exp !== null && now - ALLOWED_SKEW > times.exp) throw badClaim('JWT expired');
  if (times.nbf !== null && now + ALLOWED_SKEW < times.nbf) throw badClaim('JWT not yet valid');
  if (times.iat !== null && now + ALLOWED_SKEW < times.iat) throw badClaim('JWT issued at future');
}

function checkAudience(aud: unknown, expected: string | null): void {
  if (aud === undefined || aud === null) return;
  const matches = (a: string): boolean => expected === null || a === expected;
  if (typeof aud === 'string') {
    if (!matches(aud)) throw badClaim('JWT not in audience');
    return;
  }
  const isText = (a: unknown): a is string => typeof a === 'string';
  if (!Array.isArray(aud) || !aud.every(isText)) {
    throw badClaim("The JWT 'aud' claim must be a string or an array of strings");
  }
  if (aud.length > 0 && !aud.some(matches)) throw badClaim('JWT not in audience');
}

/**
 * Checks the claims' types, the times against `now`, and the audience, in PostgREST's order (exp, nbf, iat, aud),
 * so that the same error wins. Gives the times for later checks.
 */
export function checkClaims(
  claims: Readonly<Record<string, unknown>>,
  settings: Pick<WorkerSettings, 'jwtAud'>,
  now: number,
): TimeClaims {
  const none = { exp: null, nbf: null, iat: null };
  const exp = numericDate(claims, 'exp');
  checkTimes({ ...none, exp }, now);
  const nbf = numericDate(claims, 'nbf');
  checkTimes({ ...none, nbf }, now);
  const iat = numericDate(claims, 'iat');
  checkTimes({ ...none, iat }, now);
  checkAudience(claims.aud, settings.jwtAud);
  return { exp, nbf, iat };
}
