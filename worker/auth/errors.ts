/** The answers of authentication: PGRST300 to PGRST303 with the WWW-Authenticate header of RFC 6750. */
import { ApiError } from '../error.ts';

const invalidToken = (code: string, message: string, details: string | null = null): ApiError =>
  new ApiError(
    401,
    { code, message, details },
    { headers: [['WWW-Authenticate', `Bearer error="invalid_token", error_description=${JSON.stringify(message)}`]] },
  );

/** The server has no key to verify the token with. */
export const secretMissing = (): ApiError =>
  new ApiError(500, { code: 'PGRST300', message: 'Server lacks JWT secret' });

/** The token cannot be decoded or verified. */
export const undecodable = (message: string, details: string | null = null): ApiError =>
  invalidToken('PGRST301', message, details);

/** As `undecodable`: the key set lacks the key that the token names (null: it names none), and its issuer may have it by now. */
export class UnknownKeyError extends ApiError {
  readonly kid: string | null;

  constructor(kid: string | null, { status, message, code, details, headers }: ApiError) {
    super(status, { code, message, details }, { headers });
    this.kid = kid;
  }
}

/** The issuer of the keys has not answered yet. */
export const keysAwaited = (): ApiError =>
  new ApiError(503, {
    code: 'EDGE012',
    message: 'Tokens cannot be verified yet',
    details: 'The key set has not been fetched from its issuer so far. Retrying.',
  });

/** No token, and no role for those without one. */
export const tokenRequired = (): ApiError =>
  new ApiError(
    401,
    { code: 'PGRST302', message: 'Anonymous access is disabled' },
    { headers: [['WWW-Authenticate', 'Bearer']] },
  );

/** A claim is malformed, or says that the token is not for here and now. */
export const badClaim = (message: string): ApiError => invalidToken('PGRST303', message);
