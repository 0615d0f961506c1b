/** Text with places for values: the same request can be written with other values. */

/** What may stand in a place, so that only the value differs and not what is asked for. */
export type SlotKind =
  /** Any text. */
  | 'text'
  /** Text that is not empty. */
  | 'some'
  /** Text that does not look like a filter's operator. */
  | 'argument'
  /** Letters and digits. */
  | 'word'
  /** A positive integer's digits. */
  | 'number';

export interface Slot {
  readonly kind: SlotKind;
  /** How the value is written where it stands. */
  readonly write: (value: string) => string;
}

export type Template = readonly (string | Slot)[];

const asIs = (value: string): string => value;

export const slot = (kind: SlotKind): Template => [{ kind, write: asIs }];

/** Encodes a template's text and the values that will stand in it. The encoding must not depend on what is around. */
export const encoded = (template: Template, encode: (text: string) => string): Template =>
  template.map((piece) =>
    typeof piece === 'string'
      ? encode(piece)
      : { kind: piece.kind, write: (value: string): string => encode(piece.write(value)) },
  );

/** Templates one after the other. */
export const join = (...parts: readonly (string | Template)[]): Template =>
  parts.flatMap((part): Template => (typeof part === 'string' ? [part] : part));

export function joined(parts: readonly Template[], separator: string): Template {
  return parts.flatMap((part, i) => (i === 0 ? part : [separator, ...part]));
}

/** Gives the value for each place in turn. */
export type Values = (kind: SlotKind) => string;

export const filled = (template: Template, values: Values): string =>
  template.map((piece) => (typeof piece === 'string' ? piece : piece.write(values(piece.kind)))).join('');
