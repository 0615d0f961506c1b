/** The hop over HTTP: docs/hop.md, the client's side. Web APIs only; nothing is kept between requests. */
import { abortSignalOf, type CancelSignal } from '../../shared/hop/cancellation.ts';
import {
  decodeFailure,
  encodePieces,
  encodeRequest,
  FAILURE_HEADER,
  REQUEST_TYPE,
  SNAPSHOT_HEADER,
} from '../../shared/hop/codec.ts';
import type {
  Hop,
  TransactionError,
  TransactionFailure,
  TransactionOutcome,
  TransactionPayload,
  TransactionRequest,
} from '../../shared/hop/types.ts';
import type { Snapshot } from '../../shared/snapshot/types.ts';
import type { KeySet } from '../auth/keys.ts';
import { readAnswer } from './answer.ts';
import { readKeys, readSnapshot } from './snapshot.ts';
import { UploadStream } from './upload.ts';

/** The pooler's address or the secret cannot be used. The message names neither. */
export class HopConfigError extends Error {
  override readonly name = 'HopConfigError';
}

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export interface HttpHopOptions {
  /** `EDGEREST_POOLER_URL`. */
  readonly url: string;
  /** `EDGEREST_POOLER_SECRET`. */
  readonly secret: string;
  /** For tests and for service bindings; the global one otherwise. */
  readonly fetch?: Fetch;
}

/** What asking for a snapshot gave. `same`: the pooler has none newer; `none`: it has none at all yet. */
export type FetchedSnapshot =
  | { readonly kind: 'new'; readonly snapshot: Snapshot }
  | { readonly kind: 'same' }
  | { readonly kind: 'none' }
  | FetchFailure;

/** Why there was no answer. `refusal`: the reason where the pooler does not accept us. */
export interface FetchFailure {
  readonly kind: 'failed';
  readonly message: string;
  readonly refusal: string | null;
}

export type FetchedKeys =
  /** `snapshot`: the version that they belong to. */
  { readonly kind: 'keys'; readonly keys: KeySet | null; readonly snapshot: string | null } | FetchFailure;

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/** Error codes of runtimes that tell why a connection was not made: then nothing was sent. */
const NEVER_SENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);

function neverSent(error: unknown): boolean {
  const cause: unknown = error instanceof Error ? error.cause : null;
  if (typeof cause !== 'object' || cause === null || !('code' in cause)) return false;
  return typeof cause.code === 'string' && NEVER_SENT.has(cause.code);
}

/** The pooler gave no answer that is its own. A transaction that only reads has no outcome that could be unknown. */
function transportFailure(request: TransactionRequest, sent: boolean, message: string): TransactionError {
  const failure: TransactionFailure =
    sent && request.access === 'read write'
      ? { kind: 'unknown outcome', message: 'The pooler did not answer: the transaction may have been committed.' }
      : { kind: 'unavailable', reason: sent ? 'lost' : 'connect', message, detail: message };
  return { ok: false, snapshot: null, failure };
}

const cancelled = (): TransactionError => ({
  ok: false,
  snapshot: null,
  failure: { kind: 'cancelled', message: 'The caller went away.' },
});

const failed = (message: string, refusal: string | null = null): FetchFailure => ({ kind: 'failed', message, refusal });

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What the pooler says in place of a snapshot or of keys. */
async function noAnswer(response: Response): Promise<FetchFailure | { readonly kind: 'none' }> {
  await response.body?.cancel();
  const failure = decodeFailure(response.headers.get(FAILURE_HEADER) ?? '')?.failure;
  if (failure?.kind === 'unavailable') return { kind: 'none' };
  if (failure?.kind === 'refused') return failed(failure.message, failure.reason);
  return failed(`An answer with status ${response.status} that is not the pooler's.`);
}

/** The address without a trailing slash. Over plain http the secret and the tokens could be read by anyone on the way. */
function checkedBase(url: string): string {
  if (!URL.canParse(url)) throw new HopConfigError('EDGEREST_POOLER_URL is not a URL.');
  const { protocol, hostname, origin, pathname, username, search } = new URL(url);
  if (protocol !== 'https:' && protocol !== 'http:') {
    throw new HopConfigError('EDGEREST_POOLER_URL must begin with https:// or http://.');
  }
  if (protocol === 'http:' && !LOOPBACK.test(hostname)) {
    throw new HopConfigError('EDGEREST_POOLER_URL must be https, except on loopback.');
  }
  if (username !== '' || search !== '') throw new HopConfigError('EDGEREST_POOLER_URL has no place for credentials.');
  return origin + pathname.replace(/\/$/, '');
}

export class HttpHop implements Hop {
  readonly #base: string;
  readonly #authorization: string;
  readonly #fetch: Fetch;

  /** Throws HopConfigError: plain http beyond loopback, something that is no URL, a secret that is too short. */
  constructor({ url, secret, fetch }: HttpHopOptions) {
    this.#base = checkedBase(url);
    if (new TextEncoder().encode(secret).length < 32) {
      throw new HopConfigError('EDGEREST_POOLER_SECRET must be at least 32 bytes long.');
    }
    this.#authorization = `Bearer ${secret}`;
    // Called through a function: workerd's fetch wants no other `this`.
    this.#fetch = fetch ?? ((target, init) => globalThis.fetch(target, init));
  }

  async transaction(
    request: TransactionRequest,
    payload: TransactionPayload | null,
    signal: CancelSignal | null,
  ): Promise<TransactionOutcome> {
    if (payload === null || payload instanceof Uint8Array) {
      return await this.#post(request, encodeRequest(request, payload), signal);
    }
    const upload = new UploadStream(encodePieces(request, payload));
    const outcome = await this.#post(request, upload.stream, signal);
    // What is wrong with the payload broke the message off: it has no end, so nothing has run, whatever the answer says.
    if (upload.failure !== null) throw upload.failure;
    return outcome;
  }

  async #post(
    request: TransactionRequest,
    body: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>,
    signal: CancelSignal | null,
  ): Promise<TransactionOutcome> {
    const init = {
      method: 'POST',
      headers: { authorization: this.#authorization, 'content-type': REQUEST_TYPE },
      body,
      // Fetch standard: a stream is sent before the answer is read. Node insists on the word.
      duplex: 'half',
      redirect: 'manual',
      signal: abortSignalOf(signal) ?? null,
    } as const;
    let response: Response;
    try {
      response = await this.#fetch(`${this.#base}/v1/transaction`, init);
    } catch (error) {
      if (signal?.aborted) return cancelled();
      return transportFailure(request, !neverSent(error), 'The pooler cannot be reached.');
    }
    try {
      const outcome = await readAnswer(response);
      return (
        outcome ?? transportFailure(request, true, `An answer with status ${response.status} that is not the pooler's.`)
      );
    } catch {
      if (signal?.aborted) return cancelled();
      return transportFailure(request, true, 'The answer of the pooler broke off.');
    }
  }

  /** The pooler's snapshot, if its version is another one than `known`. Never throws. */
  async fetchSnapshot(known: string | null, signal: AbortSignal | null): Promise<FetchedSnapshot> {
    try {
      const response = await this.#get('/v1/snapshot', known === null ? {} : { 'if-none-match': `"${known}"` }, signal);
      if (response.status === 304) return { kind: 'same' };
      if (response.status === 200) {
        const snapshot = readSnapshot(parsed(await response.text()));
        return snapshot ? { kind: 'new', snapshot } : failed('The pooler answered with something else.');
      }
      return await noAnswer(response);
    } catch {
      return failed('The pooler cannot be reached.');
    }
  }

  /** The keys that verify tokens; null where the pooler has none. For memory only. Never throws. */
  async fetchKeys(signal: AbortSignal | null): Promise<FetchedKeys> {
    try {
      const response = await this.#get('/v1/keys', {}, signal);
      if (response.status !== 200) {
        const answer = await noAnswer(response);
        return answer.kind === 'none' ? failed('The schema cache has not been loaded yet.') : answer;
      }
      const keys = readKeys(parsed(await response.text()));
      if (keys === undefined) return failed('The pooler answered with something else.');
      return { kind: 'keys', keys, snapshot: response.headers.get(SNAPSHOT_HEADER) };
    } catch {
      return failed('The pooler cannot be reached.');
    }
  }

  #get(path: string, headers: Readonly<Record<string, string>>, signal: AbortSignal | null): Promise<Response> {
    return this.#fetch(this.#base + path, {
      headers: { ...headers, authorization: this.#authorization },
      redirect: 'manual',
      signal,
    });
  }
}
