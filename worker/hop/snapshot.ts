/** What the pooler sends besides answers, checked on its surface: the secret and TLS vouch for the rest. */
import type { KeySet } from '../../shared/config/key-set.ts';
import { isObject } from '../../shared/json.ts';
import type { Snapshot } from '../../shared/snapshot/types.ts';

const LISTS = ['tables', 'relationships', 'concealedOrigins', 'routines', 'representations', 'mediaHandlers'];

const isSnapshot = (json: unknown): json is Snapshot =>
  isObject(json) &&
  typeof json.version === 'string' &&
  typeof json.loadedAt === 'number' &&
  isObject(json.settings) &&
  LISTS.every((name) => Array.isArray(json[name]));

const isKeySet = (json: unknown): json is KeySet =>
  isObject(json) &&
  Array.isArray(json.keys) &&
  json.keys.every(isObject) &&
  (json.withheld === undefined || typeof json.withheld === 'string');

/** A snapshot; null when the JSON is none. */
export const readSnapshot = (json: unknown): Snapshot | null => (isSnapshot(json) ? json : null);

/** A key set, null where the pooler has none; undefined when the JSON is neither. */
export function readKeys(json: unknown): KeySet | null | undefined {
  if (json === null) return null;
  return isKeySet(json) ? json : undefined;
}
