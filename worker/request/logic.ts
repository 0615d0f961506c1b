/** The grammar of `and` and `or`: trees of filters. */

import { delimiter, embedNames, field, plainElement, quotedElement } from './field.ts';
import { operatorExpression } from './filter.ts';
import {
  attempt,
  between,
  character,
  choice,
  type Input,
  keyword,
  label,
  lexeme,
  noneOf,
  optional,
  type Parser,
  run,
  separated,
  word,
} from './parsec.ts';
import type { EmbedPath, LogicTree } from './types.ts';

const openBrace = word('{');
const closeBrace = word('}');
const insideBraces = run(noneOf('{}'), [], 0);

/** An array literal, whose commas do not end the value. */
const arrayLiteral: Parser<string> = (input) => {
  if (openBrace(input) === undefined) return undefined;
  const inside = insideBraces(input);
  return inside === undefined || closeBrace(input) === undefined ? undefined : `{${inside}}`;
};

const value = choice(quotedElement, attempt(arrayLiteral), plainElement);
const expression = operatorExpression(value);

const filter: Parser<LogicTree> = attempt((input: Input) => {
  const found = field(input);
  if (found === undefined || delimiter(input) === undefined) return undefined;
  const condition = expression(input);
  return condition === undefined ? undefined : { kind: 'filter', filter: { field: found, expression: condition } };
});

const not = word('not');
const negation = label(
  optional(attempt((input: Input) => (not(input) === undefined ? undefined : delimiter(input)))),
  'negation operator (not)',
);

const or = word('or');
const operator = label(
  choice<'and' | 'or'>(keyword([['and', 'and']]), (input) => (or(input) === undefined ? undefined : 'or')),
  'logic operator (and, or)',
);

const trees = between(lexeme(character('(')), (input: Input) => input.nested(separatedTrees), lexeme(character(')')));

const combination: Parser<LogicTree> = (input) => {
  const negated = negation(input);
  if (negated === undefined) return undefined;
  const found = operator(input);
  if (found === undefined) return undefined;
  const children = trees(input);
  return children === undefined
    ? undefined
    : { kind: 'expression', negated: negated !== null, operator: found, children };
};

/** A tree: a filter, or trees combined. */
export const logicTree: Parser<LogicTree> = choice(filter, combination);
const separatedTrees = separated(logicTree, lexeme(character(',')));

/** A logic parameter's key: the embedded levels, and its operator as the tree's grammar has it: `or`, `not.and`. */
export const logicPath: Parser<{ readonly path: EmbedPath; readonly operator: string }> = (input) => {
  const names = embedNames(input);
  if (names === undefined) return undefined;
  const negated = names.last === 'not' || names.path.includes('not');
  return {
    path: names.path.filter((name) => name !== 'not'),
    operator: negated ? `not.${names.last}` : names.last,
  };
};
