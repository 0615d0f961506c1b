/** The grammar of names: quoted or plain identifiers, JSON paths, fields, and the path in front of an embedded parameter. */

import {
  attempt,
  character,
  choice,
  end,
  followedBy,
  type Input,
  keyword,
  label,
  lexeme,
  lookAhead,
  many,
  noneOf,
  notFollowedBy,
  optional,
  type Parser,
  run,
  separated,
  word,
} from './parsec.ts';
import { strip } from './text.ts';
import type { EmbedPath, Field, JsonOperation } from './types.ts';

const quote = character('"');
const backslash = character('\\');
const plainCharacters = run(noneOf('\\"'), [], 1);

/** Any one character, as a whole code point. */
const anyCharacter: Parser<string> = (input) => {
  const code = input.text.codePointAt(input.at);
  if (code === undefined) {
    if (input.tracing) input.note([]);
    return undefined;
  }
  const found = String.fromCodePoint(code);
  input.advance(found.length);
  return found;
};

const escapedCharacter: Parser<string> = (input) => (backslash(input) === undefined ? undefined : anyCharacter(input));
const quotedCharacters = many(choice(plainCharacters, escapedCharacter));

/** Text in double quotes; a backslash takes the next character as it is. */
const quotedValue: Parser<string> = (input) => {
  if (quote(input) === undefined) return undefined;
  const parts = quotedCharacters(input);
  if (parts === undefined || quote(input) === undefined) return undefined;
  return parts.length === 1 ? parts[0] : parts.join('');
};

/** A quoted value that makes up a whole list element: followed by a comma, a closing parenthesis or the end. */
export const quotedElement = attempt(
  followedBy(
    quotedValue,
    notFollowedBy((unit) => unit !== 0x2c && unit !== 0x29, []),
  ),
);

/** What is up to the next comma or closing parenthesis. */
export const plainElement = run(noneOf(',)'), [], 0);

export const delimiter = character('.', 'delimiter (.)');

const letter = /^\p{L}/u;

/** Letters of any script, ASCII digits, underscore, blank and dollar. */
function identifierUnits(unit: number, text: string, at: number): number {
  if (unit < 0x80) {
    const isLetter = (unit | 0x20) >= 0x61 && (unit | 0x20) <= 0x7a;
    const isDigit = unit >= 0x30 && unit <= 0x39;
    return isLetter || isDigit || unit === 0x5f || unit === 0x20 || unit === 0x24 ? 1 : 0;
  }
  const found = String.fromCodePoint(text.codePointAt(at) ?? 0);
  return letter.test(found) ? found.length : 0;
}

const identifierRun = run(identifierUnits, ['letter', 'digit'], 1);

/** An identifier without blanks at its ends; it may consist of blanks only, and is empty then. */
export const identifier: Parser<string> = (input) => {
  const found = identifierRun(input);
  return found === undefined ? undefined : strip(found);
};

const hyphen = character('-');
const notArrow = notFollowedBy((unit) => unit === 0x3e, ['">"']);
/** A hyphen that does not begin an arrow. */
const dash = attempt(followedBy(hyphen, notArrow));

/** Names joined by hyphens, each without the blanks around it. */
const dashed = (part: Parser<string>): Parser<string> => {
  const parts = separated(part, dash);
  return (input) => {
    const found = parts(input);
    return found === undefined ? undefined : found.length === 1 ? found[0] : found.join('-');
  };
};

/** Where the ASCII letters, digits and underscores that begin at a position end. */
function wordEnd(text: string, start: number): number {
  let at = start;
  for (; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    const lower = unit | 0x20;
    if (!((lower >= 0x61 && lower <= 0x7a) || (unit >= 0x30 && unit <= 0x39) || unit === 0x5f)) break;
  }
  return at;
}

/** The common name: one word, where nothing follows that might belong to a name. Undefined for all else. */
export function plainName(input: Input): string | undefined {
  const { text, at } = input;
  const end = wordEnd(text, at);
  if (end === at) return undefined;
  const next = text.charCodeAt(end);
  if (next === 0x20 || next === 0x24 || next === 0x2d || next >= 0x80) return undefined;
  input.advance(end - at);
  return text.slice(at, end);
}

const anyName = label(choice(quotedValue, dashed(identifier)), 'field name (* or [a..z0..9_$])');

/** A name, quoted or plain. */
export const fieldName: Parser<string> = (input) => (input.tracing ? undefined : plainName(input)) ?? anyName(input);

const jsonKeyRun = run(noneOf('(-:.,>)'), [], 1);
const jsonKeyPart: Parser<string> = (input) => {
  const found = jsonKeyRun(input);
  return found === undefined ? undefined : strip(found);
};
const jsonKey = label(choice(quotedValue, dashed(jsonKeyPart)), 'any non reserved character different from: .,>()');

const arrow = keyword<JsonOperation['operator']>([
  ['->>', '->>'],
  ['->', '->'],
]);
const digits = run((unit) => (unit >= 0x30 && unit <= 0x39 ? 1 : 0), ['digit'], 1);
const sign = optional(hyphen);
const indexEnd = choice<unknown>(
  attempt(lookAhead(word('->'))),
  attempt(lookAhead(word('::'))),
  attempt(lookAhead(word('.'))),
  attempt(lookAhead(word(','))),
  end,
);
const jsonIndex: Parser<string> = (input) => {
  const minus = sign(input);
  const found = digits(input);
  if (minus === undefined || found === undefined || indexEnd(input) === undefined) return undefined;
  return minus === null ? found : `-${found}`;
};
const operand = choice<JsonOperation['operand']>(
  attempt((input) => {
    const value = jsonIndex(input);
    return value === undefined ? undefined : { kind: 'index', value };
  }),
  attempt((input) => {
    const value = jsonKey(input);
    return value === undefined ? undefined : { kind: 'key', value };
  }),
);
const jsonOperation: Parser<JsonOperation> = (input) => {
  const operator = arrow(input);
  if (operator === undefined) return undefined;
  const value = operand(input);
  return value === undefined ? undefined : { operator, operand: value };
};
const jsonOperations = many(jsonOperation);
const NO_PATH: readonly JsonOperation[] = [];

/** Arrows into a JSON value; none is an empty path. */
export const jsonPath: Parser<readonly JsonOperation[]> = (input) =>
  !input.tracing && input.text.charCodeAt(input.at) !== 0x2d ? NO_PATH : jsonOperations(input);

/** A name with its JSON path, blanks around it. */
export const field: Parser<Field> = lexeme((input: Input) => {
  const name = fieldName(input);
  if (name === undefined) return undefined;
  const path = jsonPath(input);
  return path === undefined ? undefined : { name, path };
});

const ROOT: EmbedPath = [];
const pathNames = separated(fieldName, delimiter);

/** The names of a parameter's key: the embedded levels, then the last one. */
export const embedNames: Parser<{ readonly path: EmbedPath; readonly last: string }> = (input) => {
  const names = pathNames(input);
  const last = names?.at(-1);
  if (names === undefined || last === undefined) return undefined;
  return { path: names.length === 1 ? ROOT : names.slice(0, -1), last };
};

/** A filter's key: the embedded levels and the field. */
export const treePath: Parser<{ readonly path: EmbedPath; readonly field: Field }> = (input) => {
  const names = embedNames(input);
  if (names === undefined) return undefined;
  const path = jsonPath(input);
  return path === undefined ? undefined : { path: names.path, field: { name: names.last, path } };
};
