/** What a worker is shown of the keys. */
import { createHash } from 'node:crypto';
import type { KeySet } from '../../shared/config/key-set.ts';

/**
 * The set without its symmetric keys: whoever has one can make tokens for any role. What stands for them tells as much as a token does to
 * somebody who guesses.
 */
export function shownKeys(set: KeySet): KeySet {
  const secret = set.keys.filter(({ kty }) => kty === 'oct');
  if (secret.length === 0) return set;
  const withheld = createHash('sha256').update(JSON.stringify(secret)).digest('base64url');
  return { ...set, keys: set.keys.filter(({ kty }) => kty !== 'oct'), withheld };
}
