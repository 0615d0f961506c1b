/** The hop over HTTP: docs/hop.md, the client's side. Web APIs only; nothing is kept between requests. */
import { abortSignalOf, type CancelSignal } from '../../shared/hop/cancellation.ts';
import {
  ALTERNATIVES_HEADER,
  decodeFailure,
  encodePieces,
  encodeRequest,
  FAILURE_HEADER,
  REQUEST_TYPE,
  SNAPSHOT_HEADER,
} from '../../shared/hop/codec.ts';
import type { TransactionOutcome, TransactionPayload, TransactionRequest } from '../../shared/hop/types.ts';
import { parsedJson } from '../../shared/json.ts';
import { contentOf } from '../../shared/snapshot/version.ts';
import { checkedSecret, HopConfigError, isOfSocket, poolerAddresses } from './address.ts';
import { readAnswer } from './answer.ts';
import { type FetchedKeys, type FetchedSnapshot, type FetchFailure, fetchFailed, type Judgement } from './fetched.ts';
import { readJudgement } from './judgement.ts';
import { isNeverSent, isNeverSentAnswer } from './never-sent.ts';
import { cancelled, type PoolerClient, transportFailure } from './pooler-client.ts';
import { sentOnce } from './sent-once.ts';
import { readKeys, readSnapshot } from './snapshot.ts';
import { UploadStream } from './upload.ts';

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export interface HttpHopOptions {
  /** One of `EDGEREST_POOLER_URL`. */
  readonly url: string;
  /** `EDGEREST_POOLER_SECRET`. */
  readonly secret: string;
  /** Whether the worker knows other poolers; by default it does not. */
  readonly alternatives?: boolean;
  /** For tests and for service bindings; the global one otherwise. */
  readonly fetch?: Fetch;
}

/** What the pooler says in place of a snapshot or of keys. */
async function noAnswer(response: Response): Promise<FetchFailure | { readonly kind: 'none' }> {
  await response.body?.cancel();
  const failure = decodeFailure(response.headers.get(FAILURE_HEADER) ?? '')?.failure;
  if (failure?.kind === 'unavailable') return { kind: 'none' };
  if (failure?.kind === 'refused') return fetchFailed(failure.message, failure.reason);
  return fetchFailed(`An answer with status ${response.status} that is not the pooler's.`);
}

export class HttpHop implements PoolerClient {
  readonly #base: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #fetch: Fetch;

  /** Throws HopConfigError: plain http beyond loopback, something that is not one URL, a secret that is too short. */
  constructor({ url, secret, alternatives = false, fetch }: HttpHopOptions) {
    const [base, ...others] = poolerAddresses(url);
    if (base === undefined || others.length > 0 || isOfSocket(base)) {
      throw new HopConfigError('EDGEREST_POOLER_URL is not a URL.');
    }
    this.#base = base;
    const authorization = `Bearer ${checkedSecret(secret)}`;
    this.#headers = { authorization, ...(alternatives ? { [ALTERNATIVES_HEADER]: '1' } : {}) };
    // Called through a function: workerd's fetch wants no other `this`.
    this.#fetch = fetch ?? ((target, init) => globalThis.fetch(target, init));
  }

  async transaction(
    request: TransactionRequest,
    payload: TransactionPayload | null,
    signal: CancelSignal | null,
  ): Promise<TransactionOutcome> {
    if (payload === null || payload instanceof Uint8Array) {
      const message = encodeRequest(request, payload);
      return await this.#post(request, request.access === 'read write' ? sentOnce(message) : message, signal);
    }
    const upload = new UploadStream(encodePieces(request, payload));
    const outcome = await this.#post(request, upload.stream, signal);
    // What is wrong with the payload broke the message off: it has no end, so nothing has run, whatever the answer says.
    if (upload.failure !== null) throw upload.failure;
    return outcome;
  }

  async #post(
    request: TransactionRequest,
    body: Uint8Array<ArrayBuffer> | Blob | ReadableStream<Uint8Array>,
    signal: CancelSignal | null,
  ): Promise<TransactionOutcome> {
    const init = {
      method: 'POST',
      headers: { ...this.#headers, 'content-type': REQUEST_TYPE },
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
      return transportFailure(request, !isNeverSent(error), 'The pooler cannot be reached.');
    }
    try {
      const outcome = await readAnswer(response);
      if (outcome !== null) return outcome;
      const { status } = response;
      const sent = !isNeverSentAnswer(response);
      return transportFailure(request, sent, `An answer with status ${status} that is not the pooler's.`);
    } catch {
      if (signal?.aborted) return cancelled();
      return transportFailure(request, true, 'The answer of the pooler broke off.');
    }
  }

  async fetchSnapshot(known: readonly string[], signal: AbortSignal | null): Promise<FetchedSnapshot> {
    try {
      const tags = known.map((version) => `W/"${contentOf(version)}"`).join(', ');
      const response = await this.#get('/v1/snapshot', tags === '' ? {} : { 'if-none-match': tags }, signal);
      if (response.status === 304) {
        const version = response.headers.get(SNAPSHOT_HEADER);
        return version === null ? fetchFailed('The pooler answered with something else.') : { kind: 'same', version };
      }
      if (response.status === 200) {
        const snapshot = readSnapshot(parsedJson(await response.text()));
        return snapshot ? { kind: 'new', snapshot } : fetchFailed('The pooler answered with something else.');
      }
      return await noAnswer(response);
    } catch {
      return fetchFailed('The pooler cannot be reached.');
    }
  }

  async fetchKeys(signal: AbortSignal | null, unknown: string | null = null): Promise<FetchedKeys> {
    try {
      const query = unknown === null ? '' : `?${new URLSearchParams({ unknown })}`;
      const response = await this.#get(`/v1/keys${query}`, {}, signal);
      if (response.status !== 200) {
        const answer = await noAnswer(response);
        return answer.kind === 'none' ? fetchFailed('The schema cache has not been loaded yet.') : answer;
      }
      const keys = readKeys(parsedJson(await response.text()));
      if (keys === undefined) return fetchFailed('The pooler answered with something else.');
      return { kind: 'keys', keys, snapshot: response.headers.get(SNAPSHOT_HEADER) };
    } catch {
      return fetchFailed('The pooler cannot be reached.');
    }
  }

  async judge(token: string, signal: AbortSignal | null): Promise<Judgement> {
    try {
      const init = { method: 'POST', headers: this.#headers, body: token, redirect: 'manual', signal } as const;
      const response = await this.#fetch(`${this.#base}/v1/token`, init);
      if (response.status !== 200) {
        const answer = await noAnswer(response);
        return answer.kind === 'none' ? fetchFailed('The schema cache has not been loaded yet.') : answer;
      }
      return (
        readJudgement(parsedJson(await response.text())) ?? fetchFailed('The pooler answered with something else.')
      );
    } catch {
      return fetchFailed('The pooler cannot be reached.');
    }
  }

  async isLive(signal: AbortSignal | null): Promise<boolean> {
    try {
      const response = await this.#get('/v1/live', {}, signal);
      await response.body?.cancel();
      return response.status === 200;
    } catch {
      return false;
    }
  }

  #get(path: string, headers: Readonly<Record<string, string>>, signal: AbortSignal | null): Promise<Response> {
    return this.#fetch(this.#base + path, {
      headers: { ...headers, ...this.#headers },
      redirect: 'manual',
      signal,
    });
  }
}
