/**
 * The core of the query parameters' grammar: predictive parsers as functions over one mutable input, with errors as
 * Parsec reports them, since clients see those errors.
 *
 * A parser returns its value, or `undefined` when it fails. One that fails after it has consumed input (`at` has
 * moved) ends the choices around it; `attempt` takes the consumption back. Parsing runs without bookkeeping first; only a
 * text that fails is parsed again with `tracing`, which keeps what was expected where.
 *
 * The bookkeeping: `error` is what is known to have been expected about the current position. Consuming forgets it,
 * each failure (also a tolerated one) is merged into it, and the furthest position wins.
 */

import { queryParameterError } from './errors.ts';
import { showCharacter } from './text.ts';

interface Message {
  /** `input`: the character found; `stated`: one that a look-ahead refused; it hides the former. */
  readonly kind: 'input' | 'stated' | 'expected';
  readonly text: string;
}

interface ParseError {
  readonly at: number;
  readonly messages: readonly Message[];
}

/** PostgREST nests without bound; a bound keeps hostile input from exhausting the stack. */
const MAX_DEPTH = 500;

export class Input {
  readonly text: string;
  readonly tracing: boolean;
  at = 0;
  error: ParseError | null = null;
  private depth = 0;

  constructor(text: string, tracing: boolean) {
    this.text = text;
    this.tracing = tracing;
  }

  /** Consumes some UTF-16 units. */
  advance(units: number): void {
    this.at += units;
    this.error = null;
  }

  /** Gives the error and forgets it. */
  takeError(): ParseError | null {
    const { error } = this;
    this.error = null;
    return error;
  }

  /** The character at a position, quoted as errors show it; '' at the end. */
  show(at: number, quote: '"' | "'" = '"'): string {
    const code = this.text.codePointAt(at);
    return code === undefined ? '' : showCharacter(String.fromCodePoint(code), quote);
  }

  /** Records a failure at the current position: the character at `found` in place of one of `expected`. */
  note(expected: readonly string[], found: number = this.at): void {
    if (this.error !== null && this.error.at > this.at) return;
    const messages: Message[] = [{ kind: 'input', text: this.show(found) }];
    for (const text of expected) messages.push({ kind: 'expected', text });
    this.error = mergeErrors(this.error, { at: this.at, messages });
  }

  /** Parses one level deeper. Throws PGRST100 beyond the bound. */
  nested<T>(parser: Parser<T>): T | undefined {
    if (++this.depth > MAX_DEPTH) {
      throw queryParameterError('failed to parse: nested too deeply', `more than ${MAX_DEPTH} levels`);
    }
    const value = parser(this);
    this.depth--;
    return value;
  }
}

export type Parser<T> = (input: Input) => T | undefined;

function mergeErrors(a: ParseError | null, b: ParseError | null): ParseError | null {
  if (a === null || b === null) return a ?? b;
  if (a.at !== b.at) return a.at > b.at ? a : b;
  // What was said already is not said again: a place is tried many times.
  const others = b.messages.filter((m) => !a.messages.some(({ kind, text }) => kind === m.kind && text === m.text));
  return others.length === 0 ? a : { at: a.at, messages: [...a.messages, ...others] };
}

/** One given ASCII character. */
export function character(wanted: string, expected: string = showCharacter(wanted, '"')): Parser<string> {
  const code = wanted.charCodeAt(0);
  const names = [expected];
  return (input) => {
    if (input.text.charCodeAt(input.at) === code) {
      input.advance(1);
      return wanted;
    }
    if (input.tracing) input.note(names);
    return undefined;
  };
}

/** A given text of plain characters. Failing behind its first character consumes, but is reported at its start. */
export function word(wanted: string): Parser<string> {
  const names = [`"${wanted}"`];
  return (input) => {
    const { text, at } = input;
    if (text.startsWith(wanted, at)) {
      input.advance(wanted.length);
      return wanted;
    }
    let matching = 0;
    while (text.charCodeAt(at + matching) === wanted.charCodeAt(matching)) matching++;
    if (matching > 0) input.error = null;
    if (input.tracing) input.note(names, at + matching);
    input.at = at + matching;
    return undefined;
  };
}

/** The first of some words that matches, each attempted; gives the value that belongs to it. */
export function keyword<T>(words: readonly (readonly [string, T])[]): Parser<T> {
  return (input) => {
    for (const [wanted, value] of words) {
      if (input.text.startsWith(wanted, input.at)) {
        input.advance(wanted.length);
        return value;
      }
      if (input.tracing) {
        let matching = 0;
        while (input.text.charCodeAt(input.at + matching) === wanted.charCodeAt(matching)) matching++;
        input.note([`"${wanted}"`], input.at + matching);
      }
    }
    return undefined;
  };
}

/** The longest run of characters that `accepts` takes: `accepts(unit, text, at)` gives how many units, 0 for none. */
export function run(
  accepts: (unit: number, text: string, at: number) => number,
  expected: readonly string[],
  atLeast: 0 | 1,
): Parser<string> {
  return (input) => {
    const { text, at: start } = input;
    let at = start;
    while (at < text.length) {
      const units = accepts(text.charCodeAt(at), text, at);
      if (units === 0) break;
      at += units;
    }
    if (at > start) input.advance(at - start);
    if (input.tracing) input.note(expected);
    return at - start < atLeast ? undefined : text.slice(start, at);
  };
}

/** `accepts` for run: all but some ASCII characters. */
export function noneOf(characters: string): (unit: number) => number {
  return (unit) => (unit < 0x80 && characters.includes(String.fromCharCode(unit)) ? 0 : 1);
}

/** The first alternative that succeeds, as long as none fails after consuming. */
export function choice<T>(...alternatives: readonly Parser<T>[]): Parser<T> {
  return (input) => {
    const start = input.at;
    for (const alternative of alternatives) {
      const value = alternative(input);
      if (value !== undefined || input.at !== start) return value;
    }
    return undefined;
  };
}

/** As the parser, but a failure consumes nothing. */
export function attempt<T>(parser: Parser<T>): Parser<T> {
  return (input) => {
    const start = input.at;
    const before = input.error;
    const value = parser(input);
    if (value === undefined && input.at !== start) {
      input.at = start;
      if (input.tracing) input.error = mergeErrors(before, input.error);
    }
    return value;
  };
}

/** As the parser, but null where it fails without consuming. */
export function optional<T>(parser: Parser<T>): Parser<T | null> {
  return (input) => {
    const start = input.at;
    const value = parser(input);
    return value === undefined && input.at === start ? null : value;
  };
}

/** Names what the parser expects as a whole, instead of its parts, where it consumes nothing. */
export function label<T>(parser: Parser<T>, expected: string): Parser<T> {
  return (input) => {
    if (!input.tracing) return parser(input);
    const start = input.at;
    const before = input.takeError();
    const value = parser(input);
    if (input.at !== start) return value;
    const error = input.takeError();
    if (value === undefined || error !== null) {
      const named: Message = { kind: 'expected', text: expected };
      const others = error === null ? [] : error.messages.filter((message) => message.kind !== 'expected');
      input.error = mergeErrors(before, { at: error?.at ?? start, messages: [named, ...others] });
    } else input.error = before;
    return value;
  };
}

/** Succeeds where the parser would, consuming nothing. */
export function lookAhead<T>(parser: Parser<T>): Parser<T> {
  return (input) => {
    const start = input.at;
    const before = input.error;
    const value = parser(input);
    if (value !== undefined) {
      input.at = start;
      input.error = before;
    }
    return value;
  };
}

/** Succeeds, consuming nothing, unless the next character is one that `accepts` takes. */
export function notFollowedBy(accepts: (unit: number) => boolean, expected: readonly string[]): Parser<true> {
  return (input) => {
    const { text, at } = input;
    if (at < text.length && accepts(text.charCodeAt(at))) {
      if (input.tracing) {
        const after = at + String.fromCodePoint(text.codePointAt(at) ?? 0).length;
        const stated: Message = { kind: 'stated', text: input.show(at, "'") };
        input.error = mergeErrors(input.error, { at: after, messages: [stated] });
      }
      return undefined;
    }
    if (input.tracing) input.note(expected);
    return true;
  };
}

/** The end of the text. */
export const end: Parser<true> = (input) => {
  const ended = input.at >= input.text.length;
  if (input.tracing) {
    const found: Message = ended ? { kind: 'input', text: '' } : { kind: 'stated', text: input.show(input.at, "'") };
    const messages: readonly Message[] = [{ kind: 'expected', text: 'end of input' }, found];
    input.error = mergeErrors(input.error, { at: input.at, messages });
  }
  return ended ? true : undefined;
};

/** The parser as often as it succeeds. */
export function many<T>(parser: Parser<T>): Parser<readonly T[]> {
  return (input) => {
    const values: T[] = [];
    for (;;) {
      const start = input.at;
      const value = parser(input);
      if (value === undefined) return input.at === start ? values : undefined;
      if (input.at === start) return values;
      values.push(value);
      input.error = null;
    }
  };
}

/** One or more with a separator between. */
export function separated<T>(parser: Parser<T>, separator: Parser<unknown>): Parser<readonly T[]> {
  return (input) => {
    const first = parser(input);
    if (first === undefined) return undefined;
    const values = [first];
    for (let more = false; ; more = true) {
      // What the previous element still allowed is forgotten from the second separator on, as in Parsec's `many`.
      if (more) input.error = null;
      const start = input.at;
      if (separator(input) === undefined) return input.at === start ? values : undefined;
      const value = parser(input);
      if (value === undefined) return undefined;
      values.push(value);
    }
  };
}

/** The parser between an opening and a closing one. */
export function between<T>(open: Parser<unknown>, parser: Parser<T>, close: Parser<unknown>): Parser<T> {
  return (input) => {
    if (open(input) === undefined) return undefined;
    const value = parser(input);
    if (value === undefined || close(input) === undefined) return undefined;
    return value;
  };
}

/** The first parser's value, when the second succeeds after it. */
export function followedBy<T>(parser: Parser<T>, after: Parser<unknown>): Parser<T> {
  return (input) => {
    const value = parser(input);
    return value === undefined || after(input) === undefined ? undefined : value;
  };
}

const spaces = run((unit) => (unit === 0x20 || unit === 0x09 ? 1 : 0), [], 0);

/** The parser between optional blanks and tabs. */
export const lexeme = <T>(parser: Parser<T>): Parser<T> => between(spaces, parser, spaces);

/** Line and column, both from 1, in code points; a tab goes to the next column of 8. */
function position(text: string, at: number): string {
  let line = 1;
  let column = 1;
  for (let i = 0; i < at; ) {
    const code = text.codePointAt(i) ?? 0;
    i += code > 0xffff ? 2 : 1;
    if (code === 0x0a) {
      line++;
      column = 1;
    } else column += code === 0x09 ? 8 - ((column - 1) % 8) : 1;
  }
  return `(line ${line}, column ${column})`;
}

/** The messages as one sentence: `unexpected X expecting A, B or C`. */
function sentence(messages: readonly Message[]): string {
  const texts = (kind: Message['kind']): readonly string[] =>
    messages.filter((m) => m.kind === kind).map((m) => m.text);
  const list = (items: readonly string[]): string => {
    const distinct = [...new Set(items)].filter((item) => item !== '');
    const last = distinct.pop() ?? '';
    return distinct.length === 0 ? last : `${distinct.join(', ')} or ${last}`;
  };
  const stated = texts('stated');
  const [found] = texts('input');
  const expected = list(texts('expected'));
  const parts: string[] = [];
  if (stated.length > 0) parts.push(`unexpected ${list(stated)}`);
  else if (found !== undefined) parts.push(`unexpected ${found === '' ? 'end of input' : found}`);
  if (expected !== '') parts.push(`expecting ${expected}`);
  return parts.length === 0 ? 'unknown parse error' : parts.join(' ');
}

/**
 * Parses a text from its start (what is left behind is the grammar's matter).
 * Throws PGRST100; `source` names what was parsed, the text itself follows in parentheses.
 */
export function parseText<T>(parser: Parser<T>, text: string, source: string, shown: string = text): T {
  const value = parser(new Input(text, false));
  if (value !== undefined) return value;
  const traced = new Input(text, true);
  parser(traced);
  const error = traced.error ?? { at: traced.at, messages: [] };
  throw queryParameterError(
    `"failed to parse ${source} (${shown})" ${position(text, error.at)}`,
    sentence(error.messages),
  );
}
