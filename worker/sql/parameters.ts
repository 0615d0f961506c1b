/** The one place where values meet SQL: a value is bound and its placeholder goes into the text. */
import type { Parameter } from '../../shared/hop/types.ts';

/** A statement's parameters, in the order of their placeholders. */
export class Parameters {
  readonly values: Parameter[] = [];

  /** Binds a value and returns its placeholder: `$1`, `$2`, … */
  bind(value: Parameter): string {
    return `$${this.values.push(value)}`;
  }
}

/**
 * An array's text form: `{"a","b"}`. Every element is quoted, so that NULL, braces and commas mean themselves
 * (PostgreSQL docs, 8.15.6 Array Input and Output Syntax). Elements end at a NUL, as in PostgREST.
 */
export function arrayLiteral(values: readonly string[]): string {
  let text = '{';
  for (const value of values) {
    if (text.length > 1) text += ',';
    const end = value.indexOf('\0');
    text += `"${(end < 0 ? value : value.slice(0, end)).replace(/["\\]/g, '\\$&')}"`;
  }
  return `${text}}`;
}
