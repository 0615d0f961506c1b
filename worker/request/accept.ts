/** The Accept header: media types by preference. */

import { parseMediaType } from './media-type.ts';
import { readDecimalPrefix } from './read-number.ts';
import type { MediaType } from './types.ts';

const ANY: readonly MediaType[] = [{ kind: 'any' }];

/** A type with its quality; more parameters and fewer wildcards break ties. What follows the quality is dropped. */
function weigh(item: string): { readonly name: string; readonly quality: number; readonly specificity: number } {
  const text = item.replaceAll(' ', '');
  const at = text.indexOf(';q=');
  const name = at < 0 ? text : text.slice(0, at);
  const quality = at < 0 ? 1 : (readDecimalPrefix(text.slice(at + 3)) ?? 1);
  return { name, quality, specificity: name.split(';').length - name.split('*').length };
}

/** The media types of an Accept header, best first; a request without one takes anything. */
export function parseAccept(header: string | null): readonly MediaType[] {
  if (header === null) return ANY;
  if (header === '') return [];
  if (!header.includes(',') && !header.includes(';') && !header.includes(' ')) return [parseMediaType(header)];
  return header
    .split(',')
    .map(weigh)
    .sort((a, b) => b.quality - a.quality || b.specificity - a.specificity)
    .map(({ name }) => parseMediaType(name));
}
