/** GET /v1/snapshot: the snapshot as JSON, encoded once per version. */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Snapshot } from '../../shared/snapshot/types.ts';
import { contentOf } from '../../shared/snapshot/version.ts';

const compress = promisify(gzip);

/** A snapshot as it is sent. */
export interface EncodedSnapshot {
  readonly json: Buffer;
  /** The same, compressed. */
  readonly gzip: Buffer;
}

/** The snapshot's content as an entity tag: weak, since the time of the load may be another one, and the coding. */
export const etagOf = (snapshot: Snapshot): string => `W/"${contentOf(snapshot.version)}"`;

/** Keeps the encoded form of the last snapshot that was asked for. */
export class SnapshotEncoder {
  #snapshot: Snapshot | null = null;
  #encoded: Promise<EncodedSnapshot> | null = null;

  encode(snapshot: Snapshot): Promise<EncodedSnapshot> {
    if (this.#snapshot !== snapshot || this.#encoded === null) {
      this.#snapshot = snapshot;
      this.#encoded = encodeSnapshot(snapshot);
    }
    return this.#encoded;
  }
}

async function encodeSnapshot(snapshot: Snapshot): Promise<EncodedSnapshot> {
  const json = Buffer.from(JSON.stringify(snapshot));
  return { json, gzip: await compress(json) };
}

const opaque = (etag: string): string => etag.replace(/^W\//, '');

/** If-None-Match with this tag in its list (RFC 9110, 13.1.2: weak comparison). */
export const matches = (header: string | undefined, etag: string): boolean =>
  (header ?? '').split(',').some((item) => opaque(item.trim()) === opaque(etag));

/** Whether gzip may be sent (RFC 9110, 12.5.3). */
export const acceptsGzip = (header: string | undefined): boolean =>
  (header ?? '').split(',').some((item) => /^\s*(gzip|\*)\s*(;\s*q=(1(\.0*)?|0\.0*[1-9]\d*))?\s*$/i.test(item));
