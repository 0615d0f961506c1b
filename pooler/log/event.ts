/** Lines about what should not happen: a sentence for people, then `event=…` and its fields for programs. */

/** Values of fields. Null ones are left out. */
export type Fields = Readonly<Record<string, string | number | null>>;

const PLAIN = /^[\w.:/@*+-]+$/;

/** Text that may not be plain is a JSON string, so that a value never looks like another field. */
const written = (value: string | number): string =>
  typeof value === 'number' ? String(Math.round(value * 10) / 10) : PLAIN.test(value) ? value : JSON.stringify(value);

/** `A sentence. event=name field=value …` */
export function eventLine(sentence: string, event: string, fields: Fields): string {
  let line = `${sentence} event=${event}`;
  for (const [name, value] of Object.entries(fields)) if (value !== null) line += ` ${name}=${written(value)}`;
  return line;
}
