/** What a client has set for its session, to be set again on the next connection. */
import { createHash } from 'node:crypto';
import type { FlightStatement, Row } from '../../wire/index.ts';
import { arrayLiteral } from '../array-literal.ts';

/** Values by name, as set_config takes them. Those that came with the login are not among them: the connection logged in with them. */
export type Settings = ReadonlyMap<string, string>;

export const noSettings: Settings = new Map();

/** Characters of all names and values: more are not carried about. */
const sizeLimit = 16 * 1024;

/**
 * Reads what the session has set. PostgreSQL lists its own settings; of those with a dot in their names only what is named can be asked for,
 * and the role is in no list. A setting's value is in its own unit, which set_config takes for it.
 */
export const readStatement = (custom: Iterable<string>): FlightStatement => ({
  text: `select s.name, s.setting from pg_catalog.pg_show_all_settings() s where s.source operator(pg_catalog.=) 'session'
    union all select n, pg_catalog.current_setting(n, true) from pg_catalog.unnest($1::pg_catalog.text[]) n
    union all select 'role', pg_catalog.current_setting('role')`,
  parameters: [arrayLiteral([...custom])],
  prepare: 'named',
  result: 'rows',
});

/** What readStatement has found. Null when it is too much. */
export function settingsOf(rows: readonly Row[]): Settings | null {
  const found = new Map<string, string>();
  let role: string | null = null;
  let size = 0;
  for (const row of rows) {
    const name = row.text(0);
    const value = row.text(1);
    if (name === null || value === null) continue;
    size += name.length + value.length;
    if (name === 'role') role = value === 'none' ? null : value;
    // One with a dot that has been reset, or was set for a transaction, reads as empty.
    else if (value !== '' || !name.includes('.')) found.set(name, value);
  }
  // Last: another role might not be allowed the others.
  if (role !== null) found.set('role', role);
  return size > sizeLimit ? null : found;
}

/** Sets them, for the session. */
export const writeStatement = (settings: Settings): FlightStatement => ({
  text: `select pg_catalog.set_config(t.name, t.value, false)
    from rows from (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[])) t(name, value)`,
  parameters: [arrayLiteral([...settings.keys()]), arrayLiteral([...settings.values()])],
  prepare: 'named',
  result: 'none',
});

/** What tells one set of settings from another; '' for none. */
export function scopeOf(settings: Settings): string {
  if (settings.size === 0) return '';
  return createHash('sha256')
    .update(JSON.stringify([...settings]))
    .digest('base64');
}
