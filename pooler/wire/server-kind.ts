import type { TargetSession } from './config.ts';

/** What target_session_attrs chooses by (libpq docs, "Connection Parameters"). */
export type ServerKind = { readonly standby: boolean; readonly readOnly: boolean };

/** What a server says of itself at login and whenever it changes, from PostgreSQL 14 on; null where it does not. */
export function reportedKind(parameters: ReadonlyMap<string, string>): ServerKind | null {
  const standby = parameters.get('in_hot_standby');
  const readOnly = parameters.get('default_transaction_read_only');
  if (standby === undefined || readOnly === undefined) return null;
  return { standby: standby === 'on', readOnly: standby === 'on' || readOnly === 'on' };
}

/** Whether a server of this kind will do. */
export function isWanted(target: TargetSession, { standby, readOnly }: ServerKind): boolean {
  switch (target) {
    case 'any':
      return true;
    case 'read-write':
      return !readOnly;
    case 'read-only':
      return readOnly;
    case 'primary':
      return !standby;
    case 'standby':
    case 'prefer-standby':
      return standby;
  }
}
