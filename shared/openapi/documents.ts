/** Documents on demand: the hop's requests for one are answered here, all others go on. */
import { joined } from '../bytes.ts';
import type { Config } from '../config/resolve.ts';
import type { CancelSignal } from '../hop/cancellation.ts';
import type { Hop, TransactionOutcome, TransactionRequest } from '../hop/types.ts';
import { Schema } from '../snapshot/schema.ts';
import type { Snapshot } from '../snapshot/types.ts';
import { addressOf } from './address.ts';
import { type Api, documentPieces } from './document.ts';
import type { DocumentFacts } from './facts.ts';
import { readVisible, type Visible, visibleStatement } from './visible.ts';

/** What documents are written from. */
export interface DocumentSource {
  readonly snapshot: Snapshot;
  readonly documentFacts: DocumentFacts;
  readonly config: Config;
}

/** What there is of that: without facts there is no document. */
export type DocumentParts = Omit<DocumentSource, 'documentFacts'> & { readonly documentFacts: DocumentFacts | null };

export interface DocumentOptions {
  /** Null before the first load. What it rejects with, the hop does. */
  readonly source: () => DocumentParts | null | Promise<DocumentParts | null>;
  /** Lets other requests have their turn while a large document is written. */
  readonly turn: () => Promise<unknown>;
}

/** The PostgREST whose API a document describes. */
const POSTGREST_VERSION = '16.2';

/** Characters that are written before other requests have their turn. */
const TURN = 64 * 1024;

const encoder = new TextEncoder();

/** Joins the pieces; after 64 Ki of them others have their turn. */
async function gathered(pieces: Iterable<string>, turn: () => Promise<unknown>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let pending: string[] = [];
  let length = 0;
  const flush = (): void => {
    chunks.push(encoder.encode(pending.join('')));
    pending = [];
    length = 0;
  };
  for (const piece of pieces) {
    pending.push(piece);
    length += piece.length;
    if (length < TURN) continue;
    flush();
    await turn();
  }
  flush();
  return joined(chunks);
}

/** What the caller sees of a schema, with what is known of it here. `schema` is the source's snapshot. */
export function apiOf(source: DocumentSource, schema: Schema, name: string, visible: Visible): Api {
  const { config, documentFacts: facts } = source;
  const tables = source.snapshot.tables.filter(
    (table) => table.schema === name && (visible.tables === null || visible.tables.has(table.name)),
  );
  return {
    address: addressOf(config),
    version: POSTGREST_VERSION,
    comment: visible.comment,
    tables: tables.map((table) => ({
      table,
      facts: facts.table(table),
      relationships: schema.relationships(table, table.schema),
    })),
    functions: visible.functions ?? facts.functions.get(name) ?? [],
    security: config.openapiSecurityActive,
  };
}

/**
 * A hop that writes documents from `source`. What the caller sees is asked for in the request's own transaction, as the hop
 * runs any: role, settings and pre-request apply.
 */
export function withDocuments(hop: Hop, { source, turn }: DocumentOptions): Hop {
  let schema: Schema | null = null;

  async function answer(request: TransactionRequest, signal: CancelSignal | null): Promise<TransactionOutcome> {
    const loaded = await source();
    const mode = loaded?.config.openapiMode ?? 'disabled';
    if (loaded === null || loaded.documentFacts === null || mode === 'disabled') {
      return await hop.transaction({ ...request, statements: [] }, null, signal);
    }
    const { snapshot, documentFacts, config } = loaded;
    const statements = [visibleStatement(request.schema, mode)];
    const outcome = await hop.transaction({ ...request, access: 'read only', statements }, null, signal);
    if (!outcome.ok) return outcome;
    const visible = readVisible(outcome.statements[0], mode);
    if (schema?.snapshot !== snapshot) schema = new Schema(snapshot);
    const api = apiOf({ snapshot, documentFacts, config }, schema, request.schema, visible);
    const body = await gathered(documentPieces(api), turn);
    return { ...outcome, statements: [], body, length: body.length };
  }

  return {
    transaction: (request, payload, signal) =>
      request.document === true ? answer(request, signal) : hop.transaction(request, payload, signal),
  };
}
