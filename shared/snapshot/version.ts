/**
 * A snapshot's version: when it was loaded, what is in it, and which keys belong to it. Whoever loads the same, be it
 * another pooler, gets the same content; only the time differs, and says which of two contents is the newer one.
 */
import type { Snapshot } from './types.ts';

/** A snapshot without what the version itself adds. */
export type SnapshotContent = Omit<Snapshot, 'version' | 'loadedAt'>;

const HASH_BYTES = 16;
const KEYS_HASH_BYTES = 8;

/** SHA-256 of a value's JSON, cut to some bytes, as hexadecimal digits. */
async function hashOf(value: unknown, bytes: number): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(JSON.stringify(value)));
  return Array.from(new Uint8Array(digest, 0, bytes), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** The content's fields come in a fixed order. */
function contentHash(content: SnapshotContent): Promise<string> {
  const { serverVersion, tables, relationships, concealedOrigins, routines, representations, mediaHandlers, settings } =
    content;
  const fields = [
    serverVersion,
    tables,
    relationships,
    concealedOrigins,
    routines,
    representations,
    mediaHandlers,
    settings,
  ];
  return hashOf(fields, HASH_BYTES);
}

/**
 * The version of a content loaded at a time (milliseconds since the epoch, by the database's clock), with the keys that
 * tokens are verified with, as JSON: `<time, base 36>-<hash of the content>-<hash of the keys>`. A token lets anybody who has
 * one try guesses of a shared secret; this hash of it is no more of a help.
 */
export async function snapshotVersion(content: SnapshotContent, loadedAt: number, keys: unknown): Promise<string> {
  const hashes = await Promise.all([contentHash(content), hashOf(keys, KEYS_HASH_BYTES)]);
  return `${loadedAt.toString(36)}-${hashes.join('-')}`;
}

/** What a version says of the content and the keys: equal for equal ones, whoever loaded them and when. */
export const contentOf = (version: string): string => version.slice(version.indexOf('-') + 1);

/** Whether two versions are of the same content and the same keys. */
export const sameContent = (one: string, other: string): boolean =>
  one === other || contentOf(one) === contentOf(other);

/** When the content of a version was loaded, in milliseconds since the epoch; NaN where that is not a version. */
export const timeOf = (version: string): number => Number.parseInt(version.slice(0, version.indexOf('-')), 36);

/** The same content with other keys, as of another time. */
export async function withKeys(snapshot: Snapshot, keys: unknown, loadedAt: number): Promise<Snapshot> {
  const [content] = contentOf(snapshot.version).split('-', 1);
  const version = `${loadedAt.toString(36)}-${content}-${await hashOf(keys, KEYS_HASH_BYTES)}`;
  return { ...snapshot, version, loadedAt };
}

/** Whether a snapshot's content is the one that its version was made of. */
export const isIntact = async (snapshot: Snapshot): Promise<boolean> =>
  contentOf(snapshot.version).split('-', 1)[0] === (await contentHash(snapshot));
