/** Headers that several kinds of responses have in common. */
import type { ApiRequest } from '../request/types.ts';
import type { DatabasePlan } from '../sql/statements.ts';
import { byteString } from './bytes.ts';
import { contentType } from './content-type.ts';
import type { Header } from './types.ts';

/** On every response that is no error: which request headers choose between its representations. */
export const VARY: Header = ['Vary', 'Accept, Prefer, Range'];

/** In bytes. */
export const contentLength = (bytes: number): Header => ['Content-Length', bytes.toString()];

/** The schema, where the request chose it by a profile. */
export const contentProfile = (request: ApiRequest): readonly Header[] =>
  request.negotiatedByProfile ? [['Content-Profile', byteString(request.schema)]] : [];

/** What describes a body: its type, and the schema where it was negotiated. */
export const bodyHeaders = (plan: DatabasePlan, request: ApiRequest): readonly Header[] => [
  contentType(plan.mediaType),
  ...contentProfile(request),
];
