/** Media types as the Content-Type header names them. */
import type { MediaType } from '../request/types.ts';
import { byteString } from './bytes.ts';
import type { Header } from './types.ts';

/** The media type's name with its parameters. */
export function mimeType(media: MediaType): string {
  switch (media.kind) {
    case 'json':
      return 'application/json';
    case 'geojson':
      return 'application/geo+json';
    case 'csv':
      return 'text/csv';
    case 'text':
      return 'text/plain';
    case 'xml':
      return 'text/xml';
    case 'openapi':
      return 'application/openapi+json';
    case 'urlencoded':
      return 'application/x-www-form-urlencoded';
    case 'octet-stream':
      return 'application/octet-stream';
    case 'any':
      return '*/*';
    case 'array-stripped':
      return 'application/vnd.pgrst.array+json;nulls=stripped';
    case 'singular':
      return `application/vnd.pgrst.object+json${media.stripped ? ';nulls=stripped' : ''}`;
    case 'plan': {
      const options = media.options.length === 0 ? '' : `; options=${media.options.join('|')}`;
      return `application/vnd.pgrst.plan+${media.format}; for="${mimeType(media.for)}"${options}`;
    }
    case 'other':
      return media.name;
    default:
      return media satisfies never;
  }
}

const JSON_TYPE: Header = ['Content-Type', 'application/json; charset=utf-8'];

/** The Content-Type header. Bytes and types of the database's own say nothing of a charset. */
export function contentType(media: MediaType): Header {
  if (media.kind === 'json') return JSON_TYPE;
  const charset = media.kind === 'octet-stream' || media.kind === 'other' ? '' : '; charset=utf-8';
  return ['Content-Type', byteString(mimeType(media) + charset)];
}
