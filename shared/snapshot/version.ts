/** A snapshot's version: when it was loaded and what is in it. */
import type { Snapshot } from './types.ts';

/** A snapshot without what the version itself adds. */
export type SnapshotContent = Omit<Snapshot, 'version' | 'loadedAt'>;

const HASH_BYTES = 16;

/** SHA-256 of the content's JSON, cut to 128 bits, as hexadecimal digits. The content's fields come in a fixed order. */
async function contentHash(content: SnapshotContent): Promise<string> {
  const { serverVersion, tables, relationships, concealedOrigins, routines, representations, mediaHandlers, settings } =
    content;
  const text = JSON.stringify([
    serverVersion,
    tables,
    relationships,
    concealedOrigins,
    routines,
    representations,
    mediaHandlers,
    settings,
  ]);
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest, 0, HASH_BYTES), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** The version of a content loaded at a time (milliseconds since the epoch): `<time, base 36>-<hash>`. */
export const snapshotVersion = async (content: SnapshotContent, loadedAt: number): Promise<string> =>
  `${loadedAt.toString(36)}-${await contentHash(content)}`;

/** Whether a snapshot's content is the one that its version was made of. */
export const isIntact = async (snapshot: Snapshot): Promise<boolean> =>
  snapshot.version === (await snapshotVersion(snapshot, snapshot.loadedAt));
