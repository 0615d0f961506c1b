/** Media types by name, and names of media types. */
import type { MediaType } from '../request/types.ts';

type PlainKind = Exclude<MediaType['kind'], 'singular' | 'plan' | 'other'>;

const NAMES: Readonly<Record<PlainKind, string>> = {
  json: 'application/json',
  geojson: 'application/geo+json',
  csv: 'text/csv',
  text: 'text/plain',
  xml: 'text/xml',
  openapi: 'application/openapi+json',
  urlencoded: 'application/x-www-form-urlencoded',
  'octet-stream': 'application/octet-stream',
  any: '*/*',
  'array-stripped': 'application/vnd.pgrst.array+json;nulls=stripped',
};

const BY_NAME: ReadonlyMap<string, MediaType> = new Map(
  (['json', 'geojson', 'csv', 'text', 'xml', 'openapi', 'urlencoded', 'octet-stream', 'any'] as const).map((kind) => [
    NAMES[kind],
    { kind },
  ]),
);

/** The media type that a handler's domain is named after. */
export const namedMediaType = (name: string): MediaType => BY_NAME.get(name.toLowerCase()) ?? { kind: 'other', name };

/** A media type as it is written in a header, without a charset. */
export function mediaTypeName(mediaType: MediaType): string {
  switch (mediaType.kind) {
    case 'singular':
      return `application/vnd.pgrst.object+json${mediaType.stripped ? ';nulls=stripped' : ''}`;
    case 'plan': {
      const { format, options } = mediaType;
      const more = options.length === 0 ? '' : `; options=${options.join('|')}`;
      return `application/vnd.pgrst.plan+${format}; for="${mediaTypeName(mediaType.for)}"${more}`;
    }
    case 'other':
      return mediaType.name;
    default:
      return NAMES[mediaType.kind];
  }
}

/** A key for maps: equal for media types that one handler serves. Others are told apart by their whole name. */
export const mediaTypeKey = (mediaType: MediaType): string =>
  mediaType.kind === 'other' ? `other ${mediaType.name}` : mediaType.kind;
