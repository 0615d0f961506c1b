/** The Prefer header. RFC 7240; https://docs.postgrest.org/en/stable/references/api/preferences.html */

import { readInteger } from './read-number.ts';
import { NO_PREFERENCES, type Preferences, type RawRequest } from './types.ts';

/** White space of a byte string at both ends, the no-break space included. */
function stripBytes(text: string): string {
  const isBlank = (at: number): boolean => {
    const byte = text.charCodeAt(at);
    return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d) || byte === 0xa0;
  };
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(start)) start++;
  while (end > start && isBlank(end - 1)) end--;
  return text.slice(start, end);
}

type Known = Pick<
  { readonly [Name in keyof Preferences]: NonNullable<Preferences[Name]> },
  'resolution' | 'representation' | 'count' | 'transaction' | 'missing' | 'handling'
>;

const KNOWN: ReadonlyMap<string, Partial<Known>> = new Map<string, Partial<Known>>([
  ['resolution=merge-duplicates', { resolution: 'merge-duplicates' }],
  ['resolution=ignore-duplicates', { resolution: 'ignore-duplicates' }],
  ['return=representation', { representation: 'representation' }],
  ['return=headers-only', { representation: 'headers-only' }],
  ['return=minimal', { representation: 'minimal' }],
  ['count=exact', { count: 'exact' }],
  ['count=planned', { count: 'planned' }],
  ['count=estimated', { count: 'estimated' }],
  ['tx=commit', { transaction: 'commit' }],
  ['tx=rollback', { transaction: 'rollback' }],
  ['missing=default', { missing: 'default' }],
  ['missing=null', { missing: 'null' }],
  ['handling=strict', { handling: 'strict' }],
  ['handling=lenient', { handling: 'lenient' }],
]);

const TIMEZONE = 'timezone=';
const MAX_AFFECTED = 'max-affected=';

/**
 * The preferences of all Prefer headers; of equal ones the first counts. `tx=` counts only where `txAllowOverride` is on
 * (and is valid all the same). The time zone is a byte string, unchecked.
 */
export function parsePreferences(headers: RawRequest['headers'], txAllowOverride: boolean): Preferences {
  let known: Partial<Known> = {};
  let timezone: string | null = null;
  let maxAffected: string | null = null;
  const invalid: string[] = [];
  let isEmpty = true;
  for (const [name, value] of headers) {
    if (name !== 'prefer' || value === '') continue;
    isEmpty = false;
    for (const item of value.split(',')) {
      const preference = stripBytes(item);
      const found = KNOWN.get(preference);
      if (found !== undefined) known = { ...found, ...known };
      else if (preference.startsWith(TIMEZONE)) timezone ??= preference.slice(TIMEZONE.length);
      else if (preference.startsWith(MAX_AFFECTED)) maxAffected ??= preference.slice(MAX_AFFECTED.length);
      else invalid.push(preference);
    }
  }
  if (isEmpty) return NO_PREFERENCES;
  const most = maxAffected === null ? null : readInteger(maxAffected);
  return {
    ...NO_PREFERENCES,
    ...known,
    transaction: txAllowOverride ? (known.transaction ?? null) : null,
    timezone,
    maxAffected: most === null ? null : BigInt.asIntN(64, most),
    invalid,
  };
}
