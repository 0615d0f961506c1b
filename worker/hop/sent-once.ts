/** A message that must not arrive twice. */
import { isDeno } from '../runtime.ts';

/**
 * The body of a request that may change something. Where a kept connection breaks before the answer, Deno's fetch sends a text or
 * bytes once more by itself, though they may have arrived (the Fetch standard allows it, others do not do it). It does not so with a Blob.
 */
export const sentOnce = <Body extends string | Uint8Array<ArrayBuffer>>(body: Body): Body | Blob =>
  isDeno ? new Blob([body]) : body;
