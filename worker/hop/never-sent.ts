/** Telling a message that never left from one that may have arrived: only the first may be sent to another pooler when it writes. */

/** Codes of errors that tell why a connection was not made: Node's and undici's, then Bun's. */
const NEVER_SENT: ReadonlySet<unknown> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
  'ConnectionRefused',
]);

const codeOf = (error: unknown): unknown =>
  typeof error === 'object' && error !== null && 'code' in error ? error.code : null;

/** Whether a fetch failed before a connection was made. Where a runtime does not tell (workerd), it counts as sent. */
export function isNeverSent(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (NEVER_SENT.has(codeOf(error.cause)) || NEVER_SENT.has(codeOf(error))) return true;
  // Deno's HTTP client has no codes.
  return [error, error.cause].some((each) => each instanceof Error && each.message.includes('client error (Connect)'));
}

/**
 * Cloudflare's own answers for an origin that it could not connect to: refused, not routed, no TLS, a certificate that is
 * wrong, no such name or no tunnel. The others of its kind (520, 522, 524) may come after the request was sent.
 */
const UNREACHED: ReadonlySet<number> = new Set([521, 523, 525, 526, 530]);

/** Whether an answer that is not the pooler's says that nothing has reached it. */
export const isNeverSentAnswer = ({ status, headers }: Response): boolean =>
  UNREACHED.has(status) && headers.get('server') === 'cloudflare';
