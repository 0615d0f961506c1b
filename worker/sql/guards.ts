/**
 * Guards: what must hold before the commit is asked in the same flight, by a statement that fails where it does not.
 * The main statement leaves its number of rows in a transaction-local setting. The failure is a cast of text that
 * names the condition and the number; it depends on the setting, so the planner cannot evaluate it in advance.
 */
import type { Statement } from '../../shared/hop/types.ts';
import { GUARD_MARK, notOne, tooMany } from '../../shared/sql/fragments.ts';
import type { Preferences } from '../request/types.ts';
import { Parameters } from './parameters.ts';

/** What may have to hold, by the code of the error where it does not. */
export interface Guard {
  /** Exactly one row: PGRST116 for a singular answer, PGRST115 for a PUT. */
  readonly one: 'PGRST115' | 'PGRST116' | null;
  /** At most so many rows: PGRST124. */
  readonly most: bigint | null;
}

/** The guard that a write or a volatile call needs; null when anything goes. */
export function guardOf(one: Guard['one'], preferences: Preferences | null): Guard | null {
  const most = preferences?.handling === 'strict' ? preferences.maxAffected : null;
  return one === null && most === null ? null : { one, most };
}

/** The statement that fails unless the guard holds. */
export function guardStatement(guard: Guard): Statement {
  const parameters = new Parameters();
  let cases = '';
  if (guard.one !== null) cases += notOne(guard.one);
  if (guard.most !== null) cases += tooMany(parameters.bind(guard.most.toString()));
  return { text: `SELECT CASE${cases} END`, parameters: parameters.values, result: { kind: 'none' } };
}

const FAILED = new RegExp(`${GUARD_MARK} (PGRST115|PGRST116|PGRST124) (\\d+)`);

/**
 * Reads a guard's failure: the code of the condition and the number of rows; null when the error is another one.
 * The message's own words depend on the server's language, the quoted text does not.
 */
export function readGuardFailure(
  sqlstate: string,
  message: string,
): { readonly code: 'PGRST115' | 'PGRST116' | 'PGRST124'; readonly count: string } | null {
  if (sqlstate !== '22P02') return null;
  const [, code, count] = FAILED.exec(message) ?? [];
  if (count === undefined) return null;
  return code === 'PGRST115' || code === 'PGRST116' || code === 'PGRST124' ? { code, count } : null;
}
