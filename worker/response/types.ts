/**
 * A response as plain data. Header names are spelt as PostgREST spells them; values are byte strings (one character
 * a byte), as node:http and Headers take them. `statusText` is null where the status' usual one will do.
 */
export interface RawResponse {
  readonly status: number;
  readonly statusText: string | null;
  readonly headers: readonly Header[];
  readonly body: Uint8Array | ReadableStream<Uint8Array> | null;
}

export type Header = readonly [name: string, value: string];
