/** The grammar of `order`: fields, or fields of an embedded relation, with direction and place of nulls. */

import { delimiter, field, fieldName } from './field.ts';
import {
  attempt,
  between,
  character,
  choice,
  end,
  lexeme,
  lookAhead,
  optional,
  type Parser,
  separated,
  word,
} from './parsec.ts';
import type { OrderDirection, OrderNulls, OrderTerm } from './types.ts';

/** A modifier behind its delimiter, or nothing consumed. */
const modifier = <T extends string>(name: T): Parser<T> => {
  const text = word(name);
  return attempt((input) => (delimiter(input) === undefined || text(input) === undefined ? undefined : name));
};

const direction = optional(choice<OrderDirection>(modifier('asc'), modifier('desc')));
const nullsModifier = optional(choice<OrderNulls>(modifier('nullsfirst'), modifier('nullslast')));
const comma = character(',');
const termEnd = choice<unknown>(attempt(lookAhead(comma)), end);

/** The place of nulls and the end of the term. */
const nulls = choice<OrderNulls | null>(
  (input) => {
    const found = nullsModifier(input);
    return found === undefined || termEnd(input) === undefined ? undefined : found;
  },
  (input) => (termEnd(input) === undefined ? undefined : null),
);

const fieldTerm: Parser<OrderTerm> = (input) => {
  const found = field(input);
  if (found === undefined) return undefined;
  const way = direction(input);
  if (way === undefined) return undefined;
  const place = nulls(input);
  return place === undefined ? undefined : { kind: 'field', field: found, direction: way, nulls: place };
};

const relatedField = between(character('('), field, character(')'));
const relationTerm: Parser<OrderTerm> = (input) => {
  const relation = fieldName(input);
  if (relation === undefined) return undefined;
  const found = relatedField(input);
  if (found === undefined) return undefined;
  const way = direction(input);
  if (way === undefined) return undefined;
  const place = nulls(input);
  return place === undefined ? undefined : { kind: 'relation', relation, field: found, direction: way, nulls: place };
};

export const orderTerms = separated(lexeme(choice(attempt(relationTerm), fieldTerm)), comma);
