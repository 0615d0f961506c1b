/**
 * Content negotiation: the first of the accepted media types that can be made of the rows, and what makes it.
 * RFC 9110, 12.5.1; https://docs.postgrest.org/en/stable/references/api/media_type_handlers.html
 */
import type { Schema } from '../../shared/snapshot/schema.ts';
import type { MediaHandler } from '../../shared/snapshot/types.ts';
import { identifierKey, type QualifiedIdentifier } from '../../shared/sql/identifiers.ts';
import { mediaTypeName, parseMediaType } from '../request/media-type.ts';
import type { ApiRequest, MediaType } from '../request/types.ts';
import { noAcceptableMediaType } from './errors.ts';
import type { BodyHandler } from './types.ts';

export interface Negotiated {
  readonly handler: BodyHandler;
  readonly mediaType: MediaType;
}

const NO_BODY: BodyHandler = { kind: 'none' };
const OCTET_STREAM: MediaType = { kind: 'octet-stream' };

/** Equal for media types that one handler serves. Others are told apart by their whole name. */
const mediaTypeKey = (mediaType: MediaType): string =>
  mediaType.kind === 'other' ? `other ${mediaType.name}` : mediaType.kind;

/** What is made of any rows without the database's help; a handler for any element overrides it. */
const BUILTIN: ReadonlyMap<string, Negotiated> = new Map<string, Negotiated>([
  ['any', { handler: { kind: 'json' }, mediaType: { kind: 'json' } }],
  ['json', { handler: { kind: 'json' }, mediaType: { kind: 'json' } }],
  ['csv', { handler: { kind: 'csv' }, mediaType: { kind: 'csv' } }],
  ['geojson', { handler: { kind: 'geojson' }, mediaType: { kind: 'geojson' } }],
]);

/** The handlers of each relation by media type, '' for those of any element. */
type Handlers = ReadonlyMap<string, ReadonlyMap<string, Negotiated>>;

const handlersOf = new WeakMap<Schema, Handlers>();

function customHandler({ function: id, target, mediaType }: MediaHandler): Negotiated {
  const type = parseMediaType(mediaType);
  return {
    handler: { kind: 'custom', function: id, target },
    // A handler of any type says in response.headers what it made.
    mediaType: type.kind === 'any' ? OCTET_STREAM : type,
  };
}

function customHandlers(schema: Schema): Handlers {
  let handlers = handlersOf.get(schema);
  if (!handlers) {
    const made = new Map<string, Map<string, Negotiated>>();
    for (const handler of schema.snapshot.mediaHandlers) {
      const target = handler.target ? identifierKey(handler.target) : '';
      const ofTarget = made.get(target) ?? new Map<string, Negotiated>();
      ofTarget.set(mediaTypeKey(parseMediaType(handler.mediaType.toLowerCase())), customHandler(handler));
      made.set(target, ofTarget);
    }
    handlers = made;
    handlersOf.set(schema, handlers);
  }
  return handlers;
}

function handlerFor(
  schema: Schema,
  id: QualifiedIdentifier,
  mediaType: MediaType,
  defaultSelect: boolean,
): Negotiated | null {
  const key = mediaTypeKey(mediaType);
  const custom = customHandlers(schema);
  if (custom.size > 0) {
    const own = defaultSelect ? custom.get(identifierKey(id)) : undefined;
    const found = own?.get('any') ?? own?.get(key) ?? custom.get('')?.get(key);
    if (found) return found;
  }
  return BUILTIN.get(key) ?? null;
}

/** The vendored types have parameters and cannot be overridden. */
function vendored(mediaType: MediaType): BodyHandler | null {
  if (mediaType.kind === 'singular') return { kind: 'singular', stripped: mediaType.stripped };
  return mediaType.kind === 'array-stripped' ? { kind: 'array-stripped' } : null;
}

function produce(
  schema: Schema,
  id: QualifiedIdentifier,
  mediaType: MediaType,
  defaultSelect: boolean,
): Negotiated | null {
  const isPlan = mediaType.kind === 'plan';
  if (isPlan && !schema.snapshot.settings.dbPlanEnabled) return null;
  const rendered = isPlan ? mediaType.for : mediaType;
  const own = vendored(rendered);
  if (own) return { handler: own, mediaType };
  const found = handlerFor(schema, id, rendered, defaultSelect);
  return found && isPlan ? { handler: found.handler, mediaType } : found;
}

/**
 * What to answer a request with, about the relation `id`. `defaultSelect`: whole rows are selected, which is what a
 * relation's own handlers take. No body is made for HEAD, nor for a write that is not asked for one. Throws PGRST107.
 */
export function negotiate(
  request: ApiRequest,
  schema: Schema,
  id: QualifiedIdentifier,
  defaultSelect: boolean,
): Negotiated {
  for (const accepted of request.accept) {
    const found = produce(schema, id, accepted, defaultSelect);
    if (found) return hasBody(request) ? found : { handler: NO_BODY, mediaType: found.mediaType };
  }
  throw noAcceptableMediaType(request.accept.map(mediaTypeName));
}

function hasBody({ action, preferences }: ApiRequest): boolean {
  switch (action.kind) {
    case 'mutate':
      return preferences.representation === 'representation';
    case 'read':
      return !action.headersOnly;
    case 'call':
      return action.invocation !== 'head';
    default:
      return true;
  }
}

/** The OpenAPI document is the only thing made of a schema. Throws PGRST107. */
export function checkAcceptsDocument(accept: readonly MediaType[]): void {
  if (!accept.some(({ kind }) => kind === 'openapi' || kind === 'json' || kind === 'any')) {
    throw noAcceptableMediaType(accept.map(mediaTypeName));
  }
}
