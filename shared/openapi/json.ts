/**
 * JSON text in pieces. The document of a large schema is written, never built as objects; and names of columns stay
 * where they stand, be they `1` or `__proto__`.
 */

/** A member of an object: its name, and its value as JSON text; null leaves it out. */
export type Member = readonly [name: string, json: string | null];

export const text = (value: string): string => JSON.stringify(value);

/** A text that may be missing. */
export const optional = (value: string | null): string | null => (value === null ? null : JSON.stringify(value));

export const member = (name: string, json: string): string => `${JSON.stringify(name)}:${json}`;

export function object(members: readonly Member[]): string {
  const written: string[] = [];
  for (const [name, json] of members) if (json !== null) written.push(member(name, json));
  return `{${written.join()}}`;
}

export const array = (items: readonly string[]): string => `[${items.join()}]`;

/** An object, or nothing when it would be empty. */
export const objectOrNone = (members: readonly Member[]): string | null =>
  members.length === 0 ? null : object(members);

/** An array, or nothing when it would be empty. */
export const arrayOrNone = (items: readonly string[]): string | null => (items.length === 0 ? null : array(items));

export const reference = (kind: 'definitions' | 'parameters', name: string): string =>
  object([['$ref', text(`#/${kind}/${name}`)]]);
