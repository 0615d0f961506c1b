/** The grammar of `select`: fields with casts and aggregates, embedded relations, spreads. */

import { field, fieldName, identifier, plainName } from './field.ts';
import {
  attempt,
  between,
  character,
  choice,
  end,
  followedBy,
  type Input,
  keyword,
  lexeme,
  lookAhead,
  notFollowedBy,
  optional,
  type Parser,
  separated,
  word,
} from './parsec.ts';
import type { AggregateFunction, JoinType, SelectItem } from './types.ts';

const open = character('(');
const close = character(')');
const comma = lexeme(character(','));
const openAhead = attempt(lookAhead(word('(')));
const itemEnd = choice<unknown>(attempt(lookAhead(word(')'))), attempt(lookAhead(word(','))), end);

const aliasSeparator = followedBy(
  character(':'),
  notFollowedBy((unit) => unit === 0x3a, ['":"']),
);
const alias = optional(attempt(followedBy(fieldName, aliasSeparator)));

const colons = word('::');
const cast = optional((input: Input) => (colons(input) === undefined ? undefined : identifier(input)));

const dot = character('.');
const emptyParentheses = word('()');
const sum = word('sum');
const avg = word('avg');
const count = word('count');
const aggregateName = choice<AggregateFunction>(
  (input) => (sum(input) === undefined ? undefined : 'sum'),
  (input) => (avg(input) === undefined ? undefined : 'avg'),
  (input) => (count(input) === undefined ? undefined : 'count'),
  keyword([
    ['max', 'max'],
    ['min', 'min'],
  ]),
);
const aggregateCall = followedBy(aggregateName, emptyParentheses);
const aggregate = optional(attempt((input: Input) => (dot(input) === undefined ? undefined : aggregateCall(input))));

type FieldItem = SelectItem & { readonly kind: 'field' };

const STAR: FieldItem = {
  kind: 'field',
  field: { name: '*', path: [] },
  aggregate: null,
  aggregateCast: null,
  cast: null,
  alias: null,
};

const star = word('*');
const starItem: Parser<FieldItem> = (input) =>
  star(input) === undefined || itemEnd(input) === undefined ? undefined : STAR;

const countCall = word('count()');
const countItem: Parser<FieldItem> = (input) => {
  const name = alias(input);
  if (name === undefined || countCall(input) === undefined) return undefined;
  const aggregateCast = cast(input);
  if (aggregateCast === undefined || itemEnd(input) === undefined) return undefined;
  return { kind: 'field', field: STAR.field, aggregate: 'count', aggregateCast, cast: null, alias: name };
};

const plainItem: Parser<FieldItem> = (input) => {
  const name = alias(input);
  if (name === undefined) return undefined;
  const found = field(input);
  if (found === undefined) return undefined;
  const ownCast = cast(input);
  if (ownCast === undefined) return undefined;
  const call = aggregate(input);
  if (call === undefined) return undefined;
  const aggregateCast = cast(input);
  if (aggregateCast === undefined || itemEnd(input) === undefined) return undefined;
  return { kind: 'field', field: found, aggregate: call, aggregateCast, cast: ownCast, alias: name };
};

/** A field of `select`, with alias, JSON path, cast and aggregate. */
export const fieldItem: Parser<FieldItem> = lexeme(choice(attempt(starItem), attempt(countItem), plainItem));

type EmbedParameter = { readonly hint: string } | { readonly joinType: JoinType };

const exclamation = character('!');
const embedParameterValue = choice<EmbedParameter>(
  keyword<EmbedParameter>([
    ['left', { joinType: 'left' }],
    ['inner', { joinType: 'inner' }],
  ]),
  attempt((input) => {
    const hint = fieldName(input);
    return hint === undefined ? undefined : { hint };
  }),
);
const embedParameter = optional((input: Input) =>
  exclamation(input) === undefined ? undefined : embedParameterValue(input),
);

interface Embed {
  readonly hint: string | null;
  readonly joinType: JoinType | null;
}
const NO_EMBED: Embed = { hint: null, joinType: null };

/** Up to two of a hint and a join type, in either order. */
const embedParameters: Parser<Embed> = (input) => {
  const first = embedParameter(input);
  if (first === undefined) return undefined;
  const second = embedParameter(input);
  if (second === undefined) return undefined;
  if (first === null && second === null) return NO_EMBED;
  let { hint, joinType } = NO_EMBED;
  for (const parameter of [first, second]) {
    if (parameter === null) continue;
    if ('hint' in parameter) hint ??= parameter.hint;
    else joinType ??= parameter.joinType;
  }
  return { hint, joinType };
};

type Relation = Embed & { readonly relation: string; readonly alias: string | null };

const relationHead: Parser<Relation> = (input) => {
  const name = alias(input);
  if (name === undefined) return undefined;
  const relation = fieldName(input);
  // `count()` is the aggregate, never a relation.
  if (relation === undefined || relation === 'count') return undefined;
  const embed = embedParameters(input);
  if (embed === undefined || openAhead(input) === undefined) return undefined;
  return { relation, alias: name, ...embed };
};

const ellipsis = word('...');
const spreadHead: Parser<Relation> = (input) => {
  if (ellipsis(input) === undefined) return undefined;
  const relation = fieldName(input);
  if (relation === undefined) return undefined;
  const embed = embedParameters(input);
  if (embed === undefined || openAhead(input) === undefined) return undefined;
  return { relation, alias: null, ...embed };
};

/** The head of an embedded relation, up to its opening parenthesis. */
export const relationItem = lexeme(relationHead);
/** The head of a spread relation, up to its opening parenthesis. */
export const spreadItem = lexeme(spreadHead);

const children = between(open, (input: Input) => input.nested(selectItems), close);

const embedded =
  (head: Parser<Relation>, kind: 'relation' | 'spread'): Parser<SelectItem> =>
  (input) => {
    const found = head(input);
    if (found === undefined) return undefined;
    const nested = children(input);
    return nested === undefined ? undefined : { kind, ...found, children: nested };
  };

/** The common item, a plain name alone: the whole grammar would look for an alias three times first. */
const bareItem: Parser<SelectItem> = (input) => {
  if (input.tracing) return undefined;
  const start = input.at;
  const name = plainName(input);
  if (name === undefined) return undefined;
  const next = input.text.charCodeAt(input.at);
  if (next === 0x2c || next === 0x29 || input.at === input.text.length) {
    return { ...STAR, field: { name, path: STAR.field.path } };
  }
  input.at = start;
  return undefined;
};

const item = choice<SelectItem>(
  bareItem,
  embedded(attempt(spreadItem), 'spread'),
  embedded(attempt(relationItem), 'relation'),
  fieldItem,
);

const items = optional(separated(item, comma));
const NO_ITEMS: readonly SelectItem[] = [];

/** A list of items, which may be empty. */
export const selectItems: Parser<readonly SelectItem[]> = (input) => {
  const found = items(input);
  return found === null ? NO_ITEMS : found;
};

/** What a request without `select` gets. */
export const selectAll: readonly SelectItem[] = [STAR];
