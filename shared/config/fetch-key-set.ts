/** Fetches an issuer's key set, within limits: an issuer that is broken, or in other hands, costs us nothing but a message. */
import { parsedJson } from '../json.ts';
import { type IssuedKeys, isKeySetUrl, issuedKeys } from './key-set.ts';

/** Why there was no set. The message names neither path nor query of the URL. */
export class KeySetError extends Error {
  override readonly name = 'KeySetError';
}

/** Bytes of a set, unpacked. The largest in use (with certificates in it) have some 20 KiB. */
const SIZE_LIMIT = 256 * 1024;
/** Milliseconds for the whole answer. */
const TIMEOUT = 5000;
const REDIRECT_LIMIT = 3;

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

async function discard(response: Response): Promise<void> {
  await response.body?.cancel();
}

/** Where an answer refers to. A redirect may not lead to where the configuration could not: nor from https to http. */
function redirected(response: Response, from: string): string {
  const location = response.headers.get('location') ?? '';
  const base = new URL(from);
  if (!URL.canParse(location, base)) throw new KeySetError('it redirects to no URL');
  const target = new URL(location, base);
  if (!isKeySetUrl(target.href) || (base.protocol === 'https:' && target.protocol !== 'https:')) {
    throw new KeySetError('it redirects to a URL that is not https');
  }
  return target.href;
}

async function answered(url: string, signal: AbortSignal): Promise<Response> {
  let target = url;
  for (let redirects = 0; redirects <= REDIRECT_LIMIT; redirects++) {
    const response = await fetch(target, { headers: { accept: 'application/json' }, redirect: 'manual', signal });
    if (!REDIRECTS.has(response.status)) return response;
    await discard(response);
    target = redirected(response, target);
  }
  throw new KeySetError(`it redirects more than ${REDIRECT_LIMIT} times`);
}

async function readText(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    // Leaving the loop cancels the body.
    if (size > SIZE_LIMIT) throw new KeySetError(`its answer is larger than ${SIZE_LIMIT} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

/** fetch's own words are `fetch failed`; what happened is in the cause. */
function reason(error: unknown): string {
  if (error instanceof Error && error.name === 'TimeoutError')
    return `it did not answer within ${TIMEOUT / 1000} seconds`;
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  if (cause instanceof AggregateError && 'code' in cause) return `it cannot be reached (${String(cause.code)})`;
  return `it cannot be reached (${cause instanceof Error ? cause.message : String(cause)})`;
}

/** The keys that an issuer publishes there; the signal ends the attempt. Throws KeySetError. */
export async function fetchKeySet(url: string, ended: AbortSignal | null): Promise<IssuedKeys> {
  let response: Response;
  let text: string;
  try {
    const signal = AbortSignal.any([AbortSignal.timeout(TIMEOUT), ...(ended === null ? [] : [ended])]);
    response = await answered(url, signal);
    if (response.status !== 200) {
      await discard(response);
      throw new KeySetError(`it answered with status ${response.status}`);
    }
    text = await readText(response);
  } catch (error) {
    throw error instanceof KeySetError ? error : new KeySetError(reason(error));
  }
  const keys = issuedKeys(parsedJson(text));
  if (keys === null) throw new KeySetError('its answer is not a JSON Web Key Set');
  return keys;
}
