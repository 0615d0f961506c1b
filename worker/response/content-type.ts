/** The Content-Type header of a media type. */
import { mediaTypeName } from '../request/media-type.ts';
import type { MediaType } from '../request/types.ts';
import { byteString } from './bytes.ts';
import type { Header } from './types.ts';

export const JSON_TYPE: Header = ['Content-Type', 'application/json; charset=utf-8'];

/** Bytes, and types that PostgREST does not know, say nothing of a charset. */
export function contentType(media: MediaType): Header {
  if (media.kind === 'json') return JSON_TYPE;
  const charset = media.kind === 'octet-stream' || media.kind === 'other' ? '' : '; charset=utf-8';
  return ['Content-Type', byteString(mediaTypeName(media) + charset)];
}
