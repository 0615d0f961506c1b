import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ApiError } from '../error.ts';
import { filterExpression } from './filter.ts';
import { logicTree } from './logic.ts';
import { orderTerms } from './order.ts';
import type { Parser } from './parsec.ts';
import { parsed, request } from './request.fixture.ts';
import { selectItems } from './select.ts';
import type { Field, LogicTree, Operation, OperatorExpression, OrderTerm, SelectItem } from './types.ts';

// ---- trees, and how they are written ----

const quote = (name: string): string => `"${name.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
const writeName = (name: string): string => (/^[a-z]+$/.test(name) ? name : quote(name));
const writeField = ({ name, path }: Field): string =>
  writeName(name) +
  path
    .map(({ operator, operand }) => operator + (operand.kind === 'index' ? operand.value : quote(operand.value)))
    .join('');

const name = fc.oneof(fc.constantFrom('a', 'id', 'name'), fc.string({ unit: 'grapheme', minLength: 1 }));
const operand = fc.oneof(
  fc.integer().map((n) => ({ kind: 'index' as const, value: String(n) })),
  name.map((value) => ({ kind: 'key' as const, value })),
);
// An index right before a closing parenthesis is read as a key (PostgREST's grammar): no path ends with one here.
const field: fc.Arbitrary<Field> = fc.record({
  name,
  path: fc
    .array(fc.record({ operator: fc.constantFrom('->', '->>'), operand }), { maxLength: 3 })
    .map((path) => (path.at(-1)?.operand.kind === 'index' ? path.slice(0, -1) : path))
    .filter((path) => path.at(-1)?.operand.kind !== 'index'),
});

const value = fc.oneof(fc.constantFrom('', '1', '{1,2}', 'a,b', '(x)'), fc.string({ unit: 'grapheme' }));
const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({
    kind: fc.constant('quant' as const),
    operator: fc.constantFrom('eq', 'gte', 'gt', 'lte', 'lt', 'like', 'ilike', 'match', 'imatch'),
    quantifier: fc.constantFrom('any', 'all', null),
    value,
  }),
  fc.record({
    kind: fc.constant('simple' as const),
    operator: fc.constantFrom('neq', 'cs', 'cd', 'ov', 'sl', 'sr', 'nxr', 'nxl', 'adj'),
    value,
  }),
  fc.record({ kind: fc.constant('in' as const), values: fc.array(value, { minLength: 1 }) }),
  fc.record({
    kind: fc.constant('is' as const),
    value: fc.constantFrom('null', 'not_null', 'true', 'false', 'unknown'),
  }),
  fc.record({ kind: fc.constant('isdistinct' as const), value }),
  fc.record({
    kind: fc.constant('fts' as const),
    operator: fc.constantFrom('fts', 'plfts', 'phfts', 'wfts'),
    language: fc.constantFrom('english', null),
    value,
  }),
);
const expression: fc.Arbitrary<OperatorExpression> = fc.record({ negated: fc.boolean(), operation });

function writeExpression({ negated, operation: of }: OperatorExpression, write: (text: string) => string): string {
  const not = negated ? 'not.' : '';
  switch (of.kind) {
    case 'quant':
      return `${not}${of.operator}${of.quantifier === null ? '' : `(${of.quantifier})`}.${write(of.value)}`;
    case 'simple':
      return `${not}${of.operator}.${write(of.value)}`;
    case 'in':
      return `${not}in.(${of.values.map(quote).join(',')})`;
    case 'is':
      return `${not}is.${of.value}`;
    case 'isdistinct':
      return `${not}isdistinct.${write(of.value)}`;
    case 'fts':
      return `${not}${of.operator}${of.language === null ? '' : `(${of.language})`}.${write(of.value)}`;
  }
}

const { tree } = fc.letrec<{ tree: LogicTree }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4 },
    fc.record({ field, expression }).map((filter): LogicTree => ({ kind: 'filter', filter })),
    fc
      .record({
        negated: fc.boolean(),
        operator: fc.constantFrom('and' as const, 'or' as const),
        children: fc.array(tie('tree'), { minLength: 1, maxLength: 3 }),
      })
      .map((found): LogicTree => ({ kind: 'expression', ...found })),
  ),
}));
const writeTree = (of: LogicTree): string =>
  of.kind === 'filter'
    ? `${writeField(of.filter.field)}.${writeExpression(of.filter.expression, quote)}`
    : `${of.negated ? 'not.' : ''}${of.operator}(${of.children.map(writeTree).join(',')})`;

const order: fc.Arbitrary<OrderTerm> = fc.oneof(
  fc.record({
    kind: fc.constant('field' as const),
    field,
    direction: fc.constantFrom('asc', 'desc', null),
    nulls: fc.constantFrom('nullsfirst', 'nullslast', null),
  }),
  fc.record({
    kind: fc.constant('relation' as const),
    relation: name,
    field,
    direction: fc.constantFrom('asc', 'desc', null),
    nulls: fc.constantFrom('nullsfirst', 'nullslast', null),
  }),
);
const writeOrder = (term: OrderTerm): string =>
  (term.kind === 'field' ? writeField(term.field) : `${writeName(term.relation)}(${writeField(term.field)})`) +
  (term.direction === null ? '' : `.${term.direction}`) +
  (term.nulls === null ? '' : `.${term.nulls}`);

const { item } = fc.letrec<{ item: SelectItem }>((tie) => ({
  item: fc.oneof(
    { maxDepth: 3 },
    fc.record({
      kind: fc.constant('field' as const),
      field,
      aggregate: fc.constantFrom('sum', 'avg', 'max', 'min', 'count', null),
      aggregateCast: fc.constant(null),
      cast: fc.constantFrom('text', 'double precision', null),
      alias: fc.option(name),
    }),
    fc.record({
      kind: fc.constant('relation' as const),
      relation: name.filter((found) => found !== 'count'),
      alias: fc.option(name),
      hint: fc.option(name.filter((found) => !/^(left|inner)/.test(found))),
      joinType: fc.constantFrom('inner', 'left', null),
      children: fc.array(tie('item'), { maxLength: 3 }),
    }),
    fc.record({
      kind: fc.constant('spread' as const),
      relation: name,
      alias: fc.constant(null),
      hint: fc.constant(null),
      joinType: fc.constantFrom('inner', 'left', null),
      children: fc.array(tie('item'), { maxLength: 3 }),
    }),
  ),
}));
function writeItem(of: SelectItem): string {
  const alias = of.alias === null ? '' : `${writeName(of.alias)}:`;
  if (of.kind === 'field') {
    const cast = of.cast === null ? '' : `::${of.cast}`;
    return `${alias}${writeField(of.field)}${cast}${of.aggregate === null ? '' : `.${of.aggregate}()`}`;
  }
  const hint = of.hint === null ? '' : `!${writeName(of.hint)}`;
  const join = of.joinType === null ? '' : `!${of.joinType}`;
  const children = of.children.map(writeItem).join(',');
  return `${of.kind === 'spread' ? '...' : ''}${alias}${writeName(of.relation)}${hint}${join}(${children})`;
}

describe('what is written is read again', () => {
  const readsBack = <T>(values: fc.Arbitrary<T>, parser: Parser<T>, write: (found: T) => string): void =>
    fc.assert(
      fc.property(values, (found) => {
        expect(parsed(parser, write(found))).toEqual(found);
      }),
    );

  test('filters', () => readsBack(expression, filterExpression, (found) => writeExpression(found, (text) => text)));
  test('logic trees', () => readsBack(tree, logicTree, writeTree));
  test('orders', () =>
    readsBack(fc.array(order, { minLength: 1 }), orderTerms, (terms) => terms.map(writeOrder).join(',')));
  test('selects', () => readsBack(fc.array(item), selectItems, (items) => items.map(writeItem).join(',')));
});

describe('nothing but ApiError is thrown', () => {
  const onlyApiErrors = (call: () => unknown): void => {
    try {
      call();
    } catch (error) {
      expect(error).toBeInstanceOf(ApiError);
    }
  };
  const byteString = fc.string({ unit: fc.nat({ max: 255 }).map((byte) => String.fromCharCode(byte)) });
  const fragments = fc
    .array(
      fc.oneof(
        byteString,
        fc.constantFrom(
          ...['select', 'order', 'and', 'or', 'not.', 'limit', 'offset', 'columns', 'eq.', 'in.(', 'is.', 'fts('],
          ...['=', '&', '.', ',', '(', ')', '"', '\\', '->', '->>', '::', ':', '!', '...', '%22', '%', '+', ';', 'a'],
        ),
      ),
    )
    .map((parts) => parts.join(''));
  const method = fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'x');
  const path = fc.oneof(fc.constantFrom('/t', '/rpc/f', '/'), byteString);
  const headers = fc.array(
    fc.tuple(
      fc.constantFrom('range', 'prefer', 'accept', 'content-type', 'cookie', 'accept-profile', 'content-profile'),
      fc.oneof(byteString, fc.constantFrom('text/csv', 'application/x-www-form-urlencoded', '5-1', 'text/xml;q=0.1')),
    ),
  );

  test('whatever the request is', () => {
    fc.assert(
      fc.property(method, path, fragments, headers, fc.uint8Array(), (verb, where, query, sent, body) => {
        onlyApiErrors(() => request(verb, `${where}?${query}`, { headers: sent, body }));
      }),
      { numRuns: 2000 },
    );
  });
});
