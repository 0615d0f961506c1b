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

/** No token, and no role for those without one. */
export const tokenRequired = (): ApiError =>
  new ApiError(
    401,
    { code: 'PGRST302', message: 'Anonymous access is disabled' },
    { headers: [['WWW-Authenticate', 'Bearer']] },
  );

/** A claim is malformed, or says that the token is not for here and now. */
export const badClaim = (message: string): ApiError => invalidToken('PGRST303', message);
