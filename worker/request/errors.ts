/** The errors that the request alone decides. https://docs.postgrest.org/en/stable/references/errors.html#group-1-api-request */

import { ApiError } from '../error.ts';

/** A query parameter that the grammar refuses; `message` tells where, `details` what was expected. */
export const queryParameterError = (message: string, details: string): ApiError =>
  new ApiError(400, { code: 'PGRST100', message, details });

export const rpcMethodError = (method: string): ApiError =>
  new ApiError(405, { code: 'PGRST101', message: `Cannot use the ${method} method on RPC` });

export const bodyError = (message: string): ApiError => new ApiError(400, { code: 'PGRST102', message });

const rangeError = (details: string): ApiError =>
  new ApiError(416, { code: 'PGRST103', message: 'Requested range not satisfiable', details });

export const negativeLimitError = (): ApiError => rangeError('Limit should be greater than or equal to zero.');

export const rangeBoundaryError = (): ApiError =>
  rangeError('The lower boundary must be lower than or equal to the upper boundary in the Range header.');

export const schemaError = (schema: string, exposed: readonly string[]): ApiError =>
  new ApiError(406, {
    code: 'PGRST106',
    message: `Invalid schema: ${schema}`,
    hint: `Only the following schemas are exposed: ${exposed.join(', ')}`,
  });

export const putRangeError = (): ApiError =>
  new ApiError(400, {
    code: 'PGRST114',
    message: 'limit/offset querystring parameters are not allowed for PUT',
  });

export const methodError = (method: string): ApiError =>
  new ApiError(405, { code: 'PGRST117', message: `Unsupported HTTP method: ${method}` });

export const pathError = (): ApiError =>
  new ApiError(404, { code: 'PGRST125', message: 'Invalid path specified in request URL' });

export const rootDisabledError = (): ApiError =>
  new ApiError(404, { code: 'PGRST126', message: 'Root endpoint metadata is disabled' });
