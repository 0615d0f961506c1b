/** The grammar of filters: operators and their values. */

import { delimiter, identifier, plainElement, quotedElement } from './field.ts';
import {
  attempt,
  between,
  character,
  choice,
  keyword,
  label,
  lexeme,
  optional,
  type Parser,
  run,
  separated,
  word,
} from './parsec.ts';
import type { FtsOperator, IsValue, Operation, OperatorExpression, QuantOperator, SimpleOperator } from './types.ts';

const simpleOperator = keyword<SimpleOperator>([
  ['neq', 'neq'],
  ['cs', 'cs'],
  ['cd', 'cd'],
  ['ov', 'ov'],
  ['sl', 'sl'],
  ['sr', 'sr'],
  ['nxr', 'nxr'],
  ['nxl', 'nxl'],
  ['adj', 'adj'],
]);

const quantOperator = keyword<QuantOperator>([
  ['eq', 'eq'],
  ['gte', 'gte'],
  ['gt', 'gt'],
  ['lte', 'lte'],
  ['lt', 'lt'],
  ['like', 'like'],
  ['ilike', 'ilike'],
  ['match', 'match'],
  ['imatch', 'imatch'],
]);

const ftsOperator = keyword<FtsOperator>([
  ['fts', 'fts'],
  ['plfts', 'plfts'],
  ['phfts', 'phfts'],
  ['wfts', 'wfts'],
]);

const open = character('(');
const close = character(')');

const all = word('all');
const quantifier = optional(
  attempt(
    between(
      open,
      choice<'any' | 'all'>(keyword([['any', 'any']]), (input) => (all(input) === undefined ? undefined : 'all')),
      close,
    ),
  ),
);
const language = optional(attempt(between(open, identifier, close)));

/** A word in any case. Each character is expected as it is and in upper case. */
function anyCaseWord(wanted: string): Parser<string> {
  const characters = [...wanted].map((c) => choice(character(c), character(c.toUpperCase())));
  return (input) => {
    for (const one of characters) if (one(input) === undefined) return undefined;
    return wanted;
  };
}
const isWord = (value: IsValue): Parser<IsValue> => {
  const name = anyCaseWord(value);
  return attempt((input) => (name(input) === undefined ? undefined : value));
};
const isValue = label(
  choice(isWord('null'), isWord('not_null'), isWord('true'), isWord('false'), isWord('unknown')),
  'isVal: (null, not_null, true, false, unknown)',
);

/** A list in parentheses; `()` is one empty element. */
const listElements = separated(choice(quotedElement, plainElement), character(','));
const listOpen = lexeme(open);
const listClose = lexeme(close);
const listValue = between(listOpen, listElements, listClose);

/** An operator's name with its delimiter, or nothing consumed. */
const prefix = (name: string): Parser<true> => {
  const start = word(name);
  return attempt((input) => (start(input) === undefined || delimiter(input) === undefined ? undefined : true));
};

/** What follows the field: `[not.]operator.value`; the value's own grammar depends on the place. */
export function operatorExpression(singleValue: Parser<string>): Parser<OperatorExpression> {
  const inPrefix = prefix('in');
  const isPrefix = prefix('is');
  const isDistinctPrefix = prefix('isdistinct');

  const operation = label(
    choice<Operation>(
      (input) => {
        const values = inPrefix(input) === undefined ? undefined : listValue(input);
        return values === undefined ? undefined : { kind: 'in', values };
      },
      (input) => {
        const value = isPrefix(input) === undefined ? undefined : isValue(input);
        return value === undefined ? undefined : { kind: 'is', value };
      },
      (input) => {
        const value = isDistinctPrefix(input) === undefined ? undefined : singleValue(input);
        return value === undefined ? undefined : { kind: 'isdistinct', value };
      },
      attempt((input) => {
        const operator = ftsOperator(input);
        if (operator === undefined) return undefined;
        const of = language(input);
        if (of === undefined || delimiter(input) === undefined) return undefined;
        const value = singleValue(input);
        return value === undefined ? undefined : { kind: 'fts', operator, language: of, value };
      }),
      attempt((input) => {
        const operator = simpleOperator(input);
        if (operator === undefined || delimiter(input) === undefined) return undefined;
        const value = singleValue(input);
        return value === undefined ? undefined : { kind: 'simple', operator, value };
      }),
      attempt((input) => {
        const operator = quantOperator(input);
        if (operator === undefined) return undefined;
        const of = quantifier(input);
        if (of === undefined || delimiter(input) === undefined) return undefined;
        const value = singleValue(input);
        return value === undefined ? undefined : { kind: 'quant', operator, quantifier: of, value };
      }),
    ),
    'operator (eq, gt, ...)',
  );

  const negation = optional(prefix('not'));
  return (input) => {
    const negated = negation(input);
    if (negated === undefined) return undefined;
    const found = operation(input);
    return found === undefined ? undefined : { negated: negated === true, operation: found };
  };
}

/** A parameter's value: all that is left. */
const wholeValue = run(() => 1, [], 0);

export const filterExpression = operatorExpression(wholeValue);
/** Arguments of a function look like filters without an operator: null then. */
export const filterOrArgument = optional(filterExpression);
